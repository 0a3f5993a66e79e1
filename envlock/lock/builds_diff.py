"""What differs between two locks in how their sdists are built; for ``diff``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from envlock.lock.builds import Build
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage


class Difference(NamedTuple):
    """A package's build, or the files of a pin (``files``), before and after, as texts.

    ``requirements`` differ where both have a build; otherwise one of the sides is None.
    """

    name: str
    kind: str
    before: str | None
    after: str | None


def build_differences(before: Lock, after: Lock) -> list[Difference]:
    """Every difference, of packages that both locks have and whose builds are or were locked."""
    old, new = _texts(before.builds), _texts(after.builds)
    both = {p.name for p in before.packages} & {p.name for p in after.packages}
    found = []
    for name in sorted((old.keys() | new.keys()) & both):
        gone, come = old.get(name, set()), new.get(name, set())
        if name not in old or name not in new:
            kind = "added" if name in new else "removed"
            found.append(Difference(name, kind, _listed(gone), _listed(come)))
        elif gone != come:
            found.append(
                Difference(name, "requirements", _listed(gone - come), _listed(come - gone))
            )
    return found + _file_differences(before.build_packages, after.build_packages)


def _texts(builds: Iterable[Build]) -> dict[str, set[str]]:
    """Package → its backend and pins, as texts."""
    found: dict[str, set[str]] = {}
    for build in builds:
        backend = " ".join([build.backend, *build.backend_path])
        found.setdefault(build.package, set()).update({backend, *map(str, build.pins)})
    return found


def _listed(texts: set[str]) -> str | None:
    return ", ".join(sorted(texts)) or None


def _file_differences(
    before: Iterable[PythonPackage], after: Iterable[PythonPackage]
) -> list[Difference]:
    old = {f"{p.name}=={p.version}": p for p in before}
    new = {f"{p.name}=={p.version}": p for p in after}
    found = []
    for title in sorted(old.keys() & new.keys()):
        gone = {file.sha256: file.name for file in old[title].files}
        come = {file.sha256: file.name for file in new[title].files}
        if gone.keys() != come.keys():
            left = {gone[digest] for digest in gone.keys() - come.keys()}
            right = {come[digest] for digest in come.keys() - gone.keys()}
            found.append(Difference(title, "files", _listed(left), _listed(right)))
    return found
