"""What locked wheels put into site-packages, as shell text for ``check --portable --content``.

Digests come from each wheel's RECORD, and the wheels from the store: the lock alone has no files'
digests. Which of several wheels is installed, its WHEEL file tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from envlock.check.python.wheel_files import wheel_files
from envlock.errors import UsageError
from envlock.io.http.fetch import verify_local
from envlock.io.store import has_stored, stored
from envlock.lock.artifacts import package_files
from envlock.lock.model import Lock
from envlock.lock.package import Artifact, PythonPackage
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target

_REMEDY = "envlock fetch --python-only"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wheel:
    """``info`` is its ``*.dist-info``; ``marker`` the digest of WHEEL in it; ``files`` path below
    site-packages → SHA-256 (hex)."""

    info: str
    marker: str
    files: Mapping[str, str]


def content(lock: Lock, target: Target) -> tuple[str, tuple[str, ...]]:
    """The shell text, and the packages that no wheel says anything of.

    Args:
        lock: whose wheels are in the store.
        target: which of them are looked at.

    Raises:
        UsageError: a wheel is not in the store, or has names that no shell can take.
        VerificationError: one in the store is not what the lock says.
    """
    texts, without = [], []
    for package in sorted(wanted_packages(lock, target), key=lambda p: p.sort_key):
        wheels = [f for f in package_files(package, target) if f.name.endswith(".whl")]
        if wheels:
            texts.append(_text(package, [_read(file) for file in wheels]))
        else:
            without.append(package.name)
    return "\n".join(texts), tuple(without)


def _read(file: Artifact) -> _Wheel:
    if not has_stored(file.sha256, file.size):
        raise UsageError(f"{file.name} is not in the store", remedy=_REMEDY)
    path = stored(file.sha256)
    verify_local(path, file.sha256, remedy=_REMEDY)
    found = wheel_files(path, file.name)
    try:
        return _Wheel(
            info=_plain(found.info),
            marker=found.site[f"{found.info}/WHEEL"],
            files={_plain(place): digest for place, digest in found.site.items()},
        )
    except (KeyError, ValueError) as error:
        raise UsageError(f"the wheel cannot be read: {error}", where=file.name) from None


def _plain(path: str) -> str:
    """A path that sha256sum's lists and the shell take as it is."""
    if "\\" in path or "'" in path or not path.isprintable() or path.startswith(("/", "../")):
        raise ValueError(f"{path!r} cannot stand in a shell script")
    return path


def _text(package: PythonPackage, wheels: Iterable[_Wheel]) -> str:
    """For one package: which wheel it is, and then every file of it."""
    by_info: dict[str, dict[str, _Wheel]] = {}
    for wheel in wheels:
        by_info.setdefault(wheel.info, {}).setdefault(wheel.marker, wheel)
    parts = []
    for info, several in sorted(by_info.items()):
        lines = [f"    pick '{info}'", "    case $digest in"]
        for marker, wheel in sorted(several.items()):
            files = "".join(f"{wheel.files[p]}  {p}\n" for p in sorted(wheel.files))
            lines.append(f"    {marker})\n        hold <<'EOF'\n{files}EOF\n        ;;")
        lines.append("    '') ;;")
        lines.append(f'    *) tell "PY110  other-file  {package.name}  of no locked wheel" ;;')
        lines.append("    esac")
        parts.append("\n".join(lines))
    return "\n".join(parts)
