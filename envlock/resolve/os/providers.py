"""Which of several providers of a virtual package apt prefers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from envlock.resolve.os.candidates import Candidate

if TYPE_CHECKING:
    from envlock.resolve.os.index import PackageIndex

_PRIORITIES = ("required", "important", "standard", "optional", "extra")


def ranked(providers: Iterable[Candidate], index: PackageIndex) -> list[Candidate]:
    """Essential ones first, then important ones, then by ``Priority``.

    Among equals apt prefers the name that its sources mention *last* for the first time, be it
    as a package or in another one's relations (seen in trials; an accident of its cache, but one
    that decides what people's machines have).
    """
    candidates = list(providers)
    if len(candidates) < 2:
        return candidates
    mentioned = index.mentioned(tuple(c.name for c in candidates))
    return sorted(
        candidates,
        key=lambda c: (
            not c.package.essential,
            not c.important,
            _PRIORITIES.index(c.priority) if c.priority in _PRIORITIES else len(_PRIORITIES),
            -mentioned[c.name],
            c.name,
        ),
    )
