"""pip's requirements file in hash-checking form.

https://pip.pypa.io/en/stable/topics/secure-installs/#hash-checking-mode
"""

from __future__ import annotations

from envlock.errors import UsageError
from envlock.export.exporter import FileTree
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock, PythonPackage

FILE_NAME = "requirements.lock.txt"


class RequirementsExporter:
    """``envlock.exporters: requirements``."""

    name = "requirements"

    def export(self, lock: Lock) -> FileTree:
        """One file, ``requirements.lock.txt``: every package pinned, with every file's digest.

        Raises:
            UsageError: a source tree or commit, which pip refuses beside hashes.
        """
        lines = [
            "# Made by envlock from pylock.toml; `envlock export requirements` makes it again.",
            f"# environment: {environment_hash(lock).root}",
            f"# as of: {lock.as_of:%Y-%m-%dT%H:%M:%SZ}",
            f"# targets: {', '.join(t.key for t in lock.targets)}",
            "# install: pip install --require-hashes --no-deps -r requirements.lock.txt",
            "",
        ]
        for package in sorted(lock.packages, key=lambda p: p.sort_key):
            lines += _entry(package)
        return {FILE_NAME: ("\n".join(lines) + "\n").encode()}


def _entry(package: PythonPackage) -> list[str]:
    marker = f" ; {package.marker}" if package.marker else ""
    if package.vcs is not None or package.directory is not None:
        kind = "a commit" if package.vcs else "a source tree"
        raise UsageError(
            f"{package.name} is {kind}, which pip cannot check by hash",
            remedy="install from pylock.toml itself (`envlock sync`, `pip install -r pylock.toml`)",
        )
    if package.archive is not None:
        location = package.archive.url or f"file:{package.archive.path}"
        return [f"{package.name} @ {location}{marker} \\", _hash(package.archive.sha256)]
    digests = sorted(file.sha256 for file in package.files)
    head = f"{package.name}=={package.version}{marker} \\"
    return [head, *(f"{_hash(d)} \\" for d in digests[:-1]), _hash(digests[-1])]


def _hash(digest: str) -> str:
    return f"    --hash=sha256:{digest}"
