"""The packages chosen so far, and what fits beside them."""

from __future__ import annotations

from collections.abc import Iterator

from envlock.resolve.os.packages.candidates import Candidate
from envlock.resolve.os.packages.relations import Alternatives, Relation


def meets(candidate: Candidate, relation: Relation) -> bool:
    """Whether the package is what a relation names, by its own name or by ``Provides``.

    Policy §7.5: a relation with a version is met by a provided name only with a version, too.
    """
    if candidate.name == relation.name:
        return _fits(candidate, relation) and relation.allows(candidate.version)
    return any(
        provided.name == relation.name
        and _fits(candidate, relation)
        and (relation.operator is None or (provided.version and relation.allows(provided.version)))
        for provided in candidate.provides
    )


def _fits(candidate: Candidate, relation: Relation) -> bool:
    # ":any" is met only by what allows it (apt takes "foreign" for no such permission).
    if relation.qualifier is None:
        return True
    if relation.qualifier == "any":
        return candidate.multi_arch == "allowed"
    return relation.qualifier in ("native", candidate.native)


class Selection:
    """Packages that are to be installed together, one version of each.

    ``mark`` and ``back_to`` undo: what was added after the mark is taken out again.
    """

    def __init__(self) -> None:
        self.chosen: dict[str, Candidate] = {}
        self._standing: dict[str, list[Candidate]] = {}  # under each real and provided name
        self._excluding: dict[str, list[tuple[Candidate, Relation]]] = {}
        self._trail: list[Candidate] = []

    def mark(self) -> int:
        """A point to come back to."""
        return len(self._trail)

    def back_to(self, mark: int) -> None:
        """Undo everything since ``mark``."""
        while len(self._trail) > mark:
            candidate = self._trail.pop()
            del self.chosen[candidate.name]
            for name in _names(candidate):
                self._standing[name].pop()
            for relation in reversed(candidate.excludes):
                self._excluding[relation.name].pop()

    def add(self, candidate: Candidate) -> None:
        """Choose a package of which no version is chosen yet."""
        self.chosen[candidate.name] = candidate
        self._trail.append(candidate)
        for name in _names(candidate):
            self._standing.setdefault(name, []).append(candidate)
        for relation in candidate.excludes:
            self._excluding.setdefault(relation.name, []).append((candidate, relation))

    def standing(self, name: str) -> tuple[Candidate, ...]:
        """Chosen packages that are, or provide, something of that name."""
        return tuple(self._standing.get(name, ()))

    def satisfying(self, clause: Alternatives) -> Candidate | None:
        """The chosen package that meets one of the alternatives, if any."""
        for relation in clause:
            for candidate in self._standing.get(relation.name, ()):
                if meets(candidate, relation):
                    return candidate
        return None

    def against(self, candidate: Candidate) -> Iterator[tuple[Candidate, str]]:
        """Chosen packages that cannot be together with this one, each with the reason in words."""
        held = self.chosen.get(candidate.name)
        if held is not None and held.version != candidate.version:
            yield held, f"{held} is chosen"
        for relation in candidate.excludes:
            for other in self._standing.get(relation.name, ()):
                if other.name != candidate.name and meets(other, relation):
                    yield other, _excludes(candidate, relation, other)
        for name in _names(candidate):
            for other, relation in self._excluding.get(name, ()):
                if other.name != candidate.name and meets(candidate, relation):
                    yield other, _excludes(other, relation, candidate)


def _excludes(owner: Candidate, relation: Relation, other: Candidate) -> str:
    standing = "" if other.name == relation.name else f", which {other.name} provides"
    return f"{owner} excludes {relation}{standing}"


def _names(candidate: Candidate) -> tuple[str, ...]:
    return tuple(dict.fromkeys((candidate.name, *(p.name for p in candidate.provides))))
