"""The tips of nixpkgs branches that envlock ships: facts that need no network."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Tip:
    """Where a branch stood: commit, its committer date (UTC), SRI digest of the tree's NAR."""

    last_modified: datetime
    rev: str
    nar_hash: str
    branch: str


@functools.cache
def _tips() -> dict[str, tuple[Tip, ...]]:
    text = resources.files(__package__).joinpath("revisions.txt").read_text("ascii")
    found: dict[str, list[Tip]] = {}
    branch = ""
    for line in text.splitlines():
        if line.startswith("["):
            branch = line.strip("[]")
            found[branch] = []
        elif not line.startswith("#"):
            stamp, rev, digest = line.split()
            found[branch].append(
                Tip(
                    branch=branch,
                    rev=rev,
                    last_modified=datetime.fromtimestamp(int(stamp), UTC),
                    nar_hash=f"sha256-{digest}=",
                )
            )
    return {name: tuple(tips) for name, tips in found.items()}


def branches() -> tuple[str, ...]:
    """The branches that have tips here, sorted."""
    return tuple(sorted(_tips()))


def tips(branch: str) -> tuple[Tip, ...]:
    """The branch's tips, oldest first; empty where there are none."""
    return _tips().get(branch, ())


def newest(branch: str, as_of: datetime) -> Tip | None:
    """The newest tip not later than ``as_of``, or None."""
    return max((tip for tip in tips(branch) if tip.last_modified <= as_of), default=None)


def covers(branch: str, as_of: datetime) -> bool:
    """Whether ``as_of`` lies between the branch's first and last tip: both, and all between."""
    known = tips(branch)
    return bool(known) and known[0].last_modified <= as_of <= known[-1].last_modified


def end() -> datetime:
    """The date of the newest tip of all: what came later was not collected."""
    return max(known[-1].last_modified for known in _tips().values())


def with_rev(rev: str) -> Tip | None:
    """A tip that is this commit, on whatever branch; None where it is not known."""
    return next((tip for known in _tips().values() for tip in known if tip.rev == rev), None)
