"""Which of several providers of a virtual package apt prefers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from envlock.resolve.os.packages.candidates import Candidate

if TYPE_CHECKING:
    from envlock.resolve.os.archive.index import PackageIndex

_PRIORITIES = ("required", "important", "standard", "optional", "extra")


def ranked(providers: Iterable[Candidate], index: PackageIndex) -> Iterator[Candidate]:
    """Essential ones first, then important ones, then by ``Priority``.

    Among equals apt prefers the name that its sources mention *last* for the first time, be it
    as a package or in another one's relations (seen in trials; an accident of its cache, but one
    that decides what people's machines have).
    """
    for _, equals in groupby(sorted(providers, key=_rank), key=_rank):
        group = list(equals)
        if len(group) > 1:
            # Only now: to find this order can take a while.
            places = index.mentioned([candidate.name for candidate in group])
            group.sort(key=lambda candidate: -places[candidate.name])
        yield from group


def _rank(candidate: Candidate) -> tuple[bool, bool, int]:
    known = candidate.priority in _PRIORITIES
    return (
        not candidate.package.essential,
        not candidate.important,
        _PRIORITIES.index(candidate.priority) if known else len(_PRIORITIES),
    )
