"""``envlock check --portable``: the lock as a POSIX shell script that checks without envlock.

Builtins of the shell and ``sha256sum``, nothing else: no grep, no Python. RECORD's base64 cannot be
read so; what installed files must hold stands in the script, where that is known.
"""

from __future__ import annotations

import contextlib
import re
import shlex
from collections.abc import Iterable
from importlib import resources

from packaging.version import InvalidVersion, Version

from envlock.check.compare import SEEDS
from envlock.errors import UsageError
from envlock.lock.artifacts import UsedFiles, used_files
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.lock.provider import locked_python
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_PLAIN = re.compile(r"[\x20-\x7e]*")


def portable(
    lock: Lock, target: Target, *, lock_name: str, lock_sha256: str, content: str = ""
) -> str:
    """The script, for one target; the same lock gives the same text.

    Args:
        lock: the lock.
        target: which of its targets.
        lock_name: the lockfile's name.
        lock_sha256: the digest of the lockfile as it is on disk (64 hex digits).
        content: shell text that looks at installed files (``portable_content``).

    Raises:
        UsageError: a name in the lock is none that a package or file can have.
    """
    packages = sorted(wanted_packages(lock, target), key=lambda p: p.sort_key)
    files = used_files(lock, [target], sources=True)
    known = sorted({*(p.name for p in packages), *SEEDS})
    fields = {
        "ARCHITECTURE": files.os[0].architecture if files.os else "",
        "CONTENT": content,
        "ENVIRONMENT": environment_hash(lock).root,
        "FILES": _cases(_digests(files)),
        "KNOWN": " | ".join(f"{_pattern(n)}-*.{e}-info" for n in known for e in ("dist", "egg")),
        "LOCK": _quoted(lock_name),
        "LOCK_SHA256": lock_sha256,
        "OS_NAMES": " ".join(_quoted(package.name) for package in files.os) or "''",
        "OS_VERSIONS": _cases({package.name: package.version for package in files.os}),
        "PYTHON_VERSION": locked_python(lock, target),
        "SERIES": target.series,
        "TARGET": target.key,
        "WANTED": "\n".join(map(_want, packages)),
    }
    text = (
        resources.files("envlock.check.portable")
        .joinpath("portable.sh")
        .read_text(encoding="utf-8")
    )
    return re.sub(r"@([A-Z0-9_]+)@", lambda match: fields[match[1]], text)


def _digests(files: UsedFiles) -> dict[str, str]:
    """File name → sha256 of everything that the target may use."""
    found = {one.file.name: one.file.sha256 for one in files.python}
    found |= {deb.file_name.rpartition("/")[2]: deb.sha256 for deb in files.os}
    return found | {one.file.name: one.file.sha256 for one in files.os_sources}


def _cases(table: dict[str, str]) -> str:
    lines = (f"    {_quoted(k)}) wanted={_quoted(table[k])} ;;" for k in sorted(table) if k)
    return "\n".join(lines)


def _want(package: PythonPackage) -> str:
    words = [_quoted(package.name), f"'{_pattern(package.name)}'"]
    return "    " + " ".join(["want", *words, *map(_quoted, _versions(package))])


def _versions(package: PythonPackage) -> Iterable[str]:
    """How the version may be written in the name of a ``.dist-info`` folder; none: any."""
    if package.version is None:
        return ()
    found = [package.version, package.version.replace("-", "_")]
    with contextlib.suppress(InvalidVersion):
        found.append(str(Version(package.version)))
    return dict.fromkeys([*found, *(wheel.name.split("-")[1] for wheel in package.wheels)])


def _pattern(name: str) -> str:
    """A pattern of the shell for every spelling of a normalized name (PEP 503)."""
    if not _NAME.fullmatch(name):
        raise _refused(name)
    letters = (f"[{c}{c.upper()}]" if c.isalpha() else c for c in name)
    return "".join("[-_.]" if c == "-" else c for c in letters)


def _quoted(text: str) -> str:
    """As one word of the shell; ASCII alone, so that no locale reads it otherwise."""
    if not _PLAIN.fullmatch(text):
        raise _refused(text)
    return shlex.quote(text)


def _refused(text: str) -> UsageError:
    return UsageError(
        f"{text!r} cannot stand in a shell script", remedy="make the lock again: envlock lock"
    )
