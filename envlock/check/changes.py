"""One environment before and after, or before and as it would be. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from envlock.check.compare import INSTALLERS, compare, fits_python
from envlock.check.drift import Code
from envlock.check.python.observe import DirectUrl, Observed
from envlock.check.python.owned import Finding
from envlock.lock.model import Lock
from envlock.lock.provider import locked_python
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One package's change; a version is None where the package is not there.

    ``cause`` is why it is installed again in the version that was there.
    """

    name: str
    before: str | None
    after: str | None
    cause: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What came, what went, what was replaced (sorted by name), and how many stayed."""

    installed: tuple[Change, ...] = ()
    removed: tuple[Change, ...] = ()
    replaced: tuple[Change, ...] = ()
    unchanged: int = 0

    @property
    def all(self) -> tuple[Change, ...]:
        """Every change, sorted by name."""
        return tuple(sorted((*self.installed, *self.removed, *self.replaced), key=lambda c: c.name))


EDITED = "its files had changed"
"""Why a package is installed again whose files are not what its RECORD says."""

_REPAIRED = frozenset({Code.FILE_MODIFIED, Code.FILE_MISSING, Code.NO_RECORD})
_UNSAFE = frozenset({Code.RECORD_EDITED, Code.BROKEN_RECORD})


def damaged(findings: Iterable[Finding]) -> frozenset[str]:
    """Packages that installing again makes whole, by what was found of their files.

    Not those whose RECORD was edited or is broken: it says what an installer removes first.
    """
    found = [(finding.package, finding.drift.code) for finding in findings]
    unsafe = {package for package, code in found if code in _UNSAFE}
    return frozenset(
        package
        for package, code in found
        if package is not None and code in _REPAIRED and package not in unsafe
    )


def changes(
    before: Observed | None, after: Observed, anew: Mapping[str, str] | None = None
) -> Changes:
    """What happened to an environment.

    Args:
        before: None for one that was made new.
        after: as it is now.
        anew: packages that were installed again, and why.
    """
    return _between({} if before is None else _held(before), _held(after), anew or {})


def planned(
    lock: Lock,
    target: Target,
    before: Observed | None,
    *,
    keeps_seeds: bool = False,
    anew: Mapping[str, str] | None = None,
) -> Changes:
    """What a sync would do: nothing but the lock's packages stays.

    ``keeps_seeds`` is for an environment that uv did not make: there it leaves pip and uv, and
    before Python 3.12 setuptools and wheel, where the lock does not have them. ``anew`` is as of
    ``changes``.
    """
    fits = before is not None and fits_python(locked_python(lock, target), before)
    version = before.version if before is not None and fits else None
    wanted = {p.name: p.version or "source tree" for p in wanted_packages(lock, target, version)}
    there = {} if before is None else {name: held[0] for name, held in _held(before).items()}
    stays = _stays(before, target) if keeps_seeds else frozenset()
    differing = set() if before is None else {d.subject for d in compare(lock, target, before)}
    installed = tuple(
        Change(name=name, before=None, after=wanted[name])
        for name in sorted(wanted.keys() - there.keys())
    )
    removed = tuple(
        Change(name=name, before=there[name], after=None)
        for name in sorted(there.keys() - wanted.keys() - stays)
    )
    again = anew or {}
    replaced = tuple(
        Change(
            name=name,
            before=there[name],
            after=wanted[name],
            cause=None if name in differing else again[name],
        )
        for name in sorted(wanted.keys() & there.keys() & (differing | again.keys()))
    )
    return Changes(
        installed=installed,
        removed=removed,
        replaced=replaced,
        unchanged=len(there) - len(removed) - len(replaced),
    )


def _stays(before: Observed | None, target: Target) -> frozenset[str]:
    series = target.series if before is None else before.series
    old = tuple(int(part) for part in series.split(".")) < (3, 12)
    return INSTALLERS if old else frozenset({"pip", "uv"})


_Held = tuple[str, DirectUrl | None]


def _held(observed: Observed) -> dict[str, _Held]:
    return {d.name: (d.version or "broken", d.direct_url) for d in observed.distributions}


def _between(
    before: Mapping[str, _Held], after: Mapping[str, _Held], anew: Mapping[str, str]
) -> Changes:
    both = before.keys() & after.keys()
    return Changes(
        installed=tuple(
            Change(name=name, before=None, after=after[name][0])
            for name in sorted(after.keys() - before.keys())
        ),
        removed=tuple(
            Change(name=name, before=before[name][0], after=None)
            for name in sorted(before.keys() - after.keys())
        ),
        replaced=tuple(
            Change(
                name=name,
                before=before[name][0],
                after=after[name][0],
                cause=anew.get(name) if before[name] == after[name] else None,
            )
            for name in sorted(both)
            if before[name] != after[name] or name in anew
        ),
        unchanged=sum(before[name] == after[name] and name not in anew for name in both),
    )
