"""An environment that something else built (Nix, Guix), against the locked wheels, file by file.

RECORD says what an installer wrote; here the published wheels' own lists say what ought to be
there, so that nothing which was built vouches for itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from envlock.check.python.wheel_files import wheel_files
from envlock.lock.artifacts import PythonFile

_BINARY = (b"\x7fELF", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")
_STATES = ("identical", "adapted", "metadata-only", "different")


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One package beside its locked wheel.

    ``state`` is ``identical`` (every file of the wheel is there as it is), ``adapted`` (all but
    libraries, into which a store writes the places of others), ``metadata-only`` (only files of
    ``*.dist-info`` differ) or ``different``. ``files`` are those that differ, each with a sign:
    ``-`` only the wheel has it, ``~`` other content.
    """

    name: str
    version: str | None
    wheel: str
    state: str
    files: tuple[str, ...] = ()


def compare_wheels_with(
    prefix: Path, site: Path, wheels: Iterable[tuple[PythonFile, Path]]
) -> tuple[Against, ...]:
    """What is installed, beside what the wheels hold.

    Args:
        prefix: the environment's folder.
        site: its site-packages.
        wheels: a package's locked wheel, and where it lies, verified.

    Raises:
        UsageError: a wheel cannot be read.
    """
    return tuple(_compare(prefix, site, entry, path) for entry, path in wheels)


def _compare(prefix: Path, site: Path, entry: PythonFile, path: Path) -> Against:
    found = wheel_files(path, entry.file.name)
    differing = sorted(
        [*_differing(site, found.site, found.info), *_differing(prefix, found.data, found.info)],
        key=lambda one: one[0][2:],
    )
    state = max((kind for _, kind in differing), key=_STATES.index, default="identical")
    return Against(
        name=entry.package.name,
        version=entry.package.version,
        wheel=entry.file.name,
        state=state,
        files=tuple(line for line, _ in differing),
    )


def _differing(folder: Path, files: Mapping[str, str], info: str) -> Iterator[tuple[str, str]]:
    for name, digest in files.items():
        try:
            content = (folder / name).read_bytes()
        except OSError:
            yield f"- {name}", "metadata-only" if name.startswith(f"{info}/") else "different"
            continue
        if hashlib.sha256(content).hexdigest() != digest:
            kind = "metadata-only" if name.startswith(f"{info}/") else "different"
            yield f"~ {name}", "adapted" if content.startswith(_BINARY) else kind
