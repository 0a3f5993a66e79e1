"""The suite's own Pythons, where the OS layer is to provide them."""

from __future__ import annotations

from envlock.errors import UsageError
from envlock.lock.interpreter import PROVIDERS
from envlock.lock.request import Request
from envlock.lock.target import Target
from envlock.resolve.os.archive.index import PackageIndex

_DISTUTILS = "python3-distutils"
_WHOLE_SINCE = 10
"""Before 3.10, installers (uv, pip) need distutils of Python, which Debian packages apart."""


def own_pythons(request: Request, index: PackageIndex, architecture: str) -> list[str]:
    """The packages that provide the Python of each target of the architecture, sorted.

    None where the project says that something else does.

    Raises:
        UsageError: the suite has no such Python, and the project does not say what provides it.
    """
    if request.interpreter not in (None, "os"):
        return []
    found = set()
    for target in request.targets:
        if target.platform == f"linux/{architecture}":
            name = f"python{target.series}"
            candidate = index.candidate(name)
            if candidate is None or not _is_release(candidate.version, target.python):
                raise _missing(target, request.os_base or "", index)
            found.add(name)
            if _minor(target) < _WHOLE_SINCE and index.candidate(_DISTUTILS) is not None:
                found.add(_DISTUTILS)
    return sorted(found)


def _minor(target: Target) -> int:
    return int(target.series.partition(".")[2])


def _is_release(version: str, python: str) -> bool:
    """Whether a package's version (``3.11.2-6+deb12u3``) is of the Python (``3.11``, ``3.11.2``).

    What follows the release's number may only be a revision (a suffix such as ``~rc1`` is another
    one).
    """
    upstream = version.partition(":")[2] or version
    upstream = upstream.rpartition("-")[0] or upstream
    return python.count(".") == 1 or upstream == python


def _missing(target: Target, base: str, index: PackageIndex) -> UsageError:
    own = index.candidate(f"python{target.series}") or index.candidate("python3")
    there = f"; it has {own.name} {own.version}" if own is not None else " (and no other one)"
    first = f"lock for the Python that {base} has, or say" if own is not None else "say"
    others = [f'interpreter = "{name}": {what}' for name, what in PROVIDERS.items() if name != "os"]
    return UsageError(
        f"{base} has no CPython {target.python} for {target.platform}{there}",
        where=", ".join(index.suites),
        remedy="\n".join([f"{first} where this one comes from:", *others]),
    )
