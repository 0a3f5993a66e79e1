"""``requirements.txt`` in pip's hash-checking form.

Every file of the lock stands with its SHA-256, so that ``pip install --require-hashes`` and
``uv pip sync`` take nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import quote

from envlock.errors import UsageError
from envlock.export.exporter import FileTree
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.package import Archive, PythonPackage
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target

FILE = "requirements.txt"

# What would end a line, begin a comment or an option, or be replaced by a variable when pip reads
# it. No honest value holds any of these; a forged one must not become a line of its own.
_HOSTILE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|\s#|\s-|\$\{|\\$")


class RequirementsExporter:
    """``envlock.exporters: requirements``."""

    name = "requirements"

    def export(self, lock: Lock, target: Target | None = None) -> FileTree:
        """See ``Exporter.export``. With a target, its markers are decided and left out."""
        packages = lock.packages if target is None else wanted_packages(lock, target)
        packages = tuple(sorted(packages, key=lambda p: p.sort_key))
        lines = [
            *_header(lock, packages, target),
            *(f"--find-links {folder}" for folder in _folders(packages)),
        ]
        lines += [_entry(package, None if target else package.marker) for package in packages]
        return {FILE: ("\n".join(lines) + "\n").encode()}


def _header(
    lock: Lock, packages: tuple[PythonPackage, ...], target: Target | None
) -> Iterator[str]:
    targets = [target] if target else sorted(lock.targets)
    yield "# Made by envlock from pylock.toml; make it again with `envlock export requirements`."
    yield f"# Environment: {environment_hash(lock).root}"
    yield f"# As of: {lock.as_of:%Y-%m-%dT%H:%M:%SZ}"
    yield f"# For: {', '.join(t.key for t in targets)}"
    indexes = sorted({_checked(p.index, p) for p in packages if p.index})
    if indexes:
        yield f"# Files from: {' '.join(indexes)} (any index that has them will do)"
    yield "# Install: pip install --require-hashes --no-deps -r requirements.txt"


def _folders(packages: tuple[PythonPackage, ...]) -> list[str]:
    """Local folders that hold locked files, relative to this one."""
    return sorted(
        {
            _unspaced(f"./{PurePosixPath(file.path).parent}".removesuffix("/."), package)
            for package in packages
            for file in package.files
            if file.path is not None
        }
    )


def _entry(package: PythonPackage, marker: str | None) -> str:
    hashes = sorted(
        {file.sha256 for file in package.files}
        | ({package.archive.sha256} if package.archive else set())
    )
    condition = f" ; {marker}" if marker else ""
    head = _checked(f"{_requirement(package)}{condition}", package)
    # A backslash goes on with the entry on the next line.
    return " \\\n".join([head, *(f"    --hash=sha256:{digest}" for digest in hashes)])


def _requirement(package: PythonPackage) -> str:
    if package.vcs is not None:
        raise _refused(package, f"comes from {package.vcs.kind}")
    if package.directory is not None:
        raise _refused(package, f"is the source folder {package.directory.path!r}")
    if package.archive is not None:
        return _archive(package, package.archive)
    return f"{package.name}=={package.version}"


def _archive(package: PythonPackage, archive: Archive) -> str:
    if archive.url is not None:
        fragment = f"#subdirectory={archive.subdirectory}" if archive.subdirectory else ""
        return f"{package.name} @ {_unspaced(archive.url + fragment, package)}"
    if archive.subdirectory is not None:
        raise _refused(package, f"is a subdirectory of the local file {archive.path!r}")
    # pip counts such a path from the folder it runs in, and takes no other form of relative path.
    return f"./{quote(archive.path or '', safe='/+!~')}"


def _checked(text: str, package: PythonPackage) -> str:
    if _HOSTILE.search(text):
        raise UsageError(
            f"{package.name}: {text!r} cannot stand in a requirements file",
            remedy="make the lock again with `envlock lock --upgrade`",
        )
    return text


def _unspaced(text: str, package: PythonPackage) -> str:
    _checked(text, package)
    if re.search(r"\s", text):
        raise _refused(package, f"lies at {text!r}, with a space in it")
    return text


def _refused(package: PythonPackage, why: str) -> UsageError:
    return UsageError(
        f"{package.name} {why}, which pip's hash-checking mode cannot install",
        remedy="install from the lock itself (`envlock sync`, `uv pip sync pylock.toml`,"
        " `pip install -r pylock.toml`), or take the requirement out of the project",
    )
