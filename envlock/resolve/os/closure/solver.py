"""The closure of a request, as ``apt-get install`` chooses it on top of a base.

Rules, from Debian Policy §7, apt's manual pages, and trials with apt on made-up archives:

- the newest version of the highest priority is the only candidate, unless the request pins one;
- packages are followed depth first, ``Pre-Depends`` before ``Depends``, clauses in their order;
- a clause that a chosen package meets adds nothing;
- of alternatives the first that can be installed is taken: a real package before those that
  provide its name, those as `ranked` orders them;
- what the request needs without any choice is settled beforehand: no alternative that excludes it
  is taken;
- otherwise what was chosen first stays, and what excludes it is passed over.

When that ends without an answer, the choices that stood in the way are avoided and it starts again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from envlock.resolve.os.archive.index import PackageIndex
from envlock.resolve.os.closure.failure import Dead, Failure, NotThere, Unmet
from envlock.resolve.os.closure.providers import ranked
from envlock.resolve.os.closure.selection import Selection, meets
from envlock.resolve.os.packages.candidates import Candidate
from envlock.resolve.os.packages.relations import Alternatives, Relation


@dataclass(slots=True)
class _Frame:
    """A package whose clauses are being met; ``mark`` is the selection before it."""

    candidate: Candidate
    mark: int
    clauses: tuple[tuple[Alternatives, bool], ...]  # with whether it must be met
    at: int = 0
    options: Iterator[Candidate] | None = None
    refused: list[Failure] = field(default_factory=list)


class DeadEndError(Exception):
    """No way on from here: the failure, and chosen packages that stood in the way."""

    def __init__(self, failure: Failure, obstacles: frozenset[str]) -> None:
        super().__init__(str(failure))
        self.failure = failure
        self.obstacles = obstacles


class Solver:
    """One attempt after another at one request.

    Args:
        index: where candidates come from.
        recommends: follow ``Recommends`` of new packages where that is possible.
        pinned: versions that the request names, by package.
    """

    def __init__(
        self, index: PackageIndex, *, recommends: bool, pinned: dict[str, Candidate]
    ) -> None:
        self._index = index
        self._recommends = recommends
        self._pinned = pinned
        self._avoided: set[str] = set()

    def solve(self, base: Sequence[Candidate], wanted: Sequence[Candidate]) -> Selection:
        """Packages that hold ``wanted`` and what they need, ``base`` included.

        A base package that the request excludes is left out unless it is essential.

        Raises:
            DeadEndError: there is no such set.
        """
        while True:
            try:
                return self._attempt(base, wanted)
            except DeadEndError as dead:
                kept = {candidate.name for candidate in (*base, *wanted)}
                fresh = dead.obstacles - self._avoided - kept
                if not fresh:
                    raise
                self._avoided |= fresh

    def _attempt(self, base: Sequence[Candidate], wanted: Sequence[Candidate]) -> Selection:
        self._hopeless: dict[str, Failure] = {}
        self._obstacles: set[str] = set()
        self._selection = Selection()
        for candidate in wanted:
            if candidate.name not in self._selection.chosen:
                self._demand(candidate, self._selection)
        kept = []
        for candidate in base:
            if candidate.name in self._selection.chosen:
                continue
            clash = next(self._selection.against(candidate), None)
            if clash is None:
                self._selection.add(candidate)
                kept.append(candidate)
            elif candidate.package.essential:
                raise DeadEndError(Dead(what=candidate, reason=clash[1]), frozenset())
        self._settled = self._settle(kept, wanted)
        for candidate in wanted:
            self._meet(candidate, self._recommends)
        for candidate in kept:
            self._meet(candidate, recommends=False)
        return self._selection

    def _demand(self, candidate: Candidate, selection: Selection) -> None:
        for _, reason in selection.against(candidate):
            raise DeadEndError(Dead(what=candidate, reason=reason), frozenset())
        selection.add(candidate)

    def _settle(self, base: Sequence[Candidate], wanted: Sequence[Candidate]) -> Selection:
        # What follows without a choice: clauses that only one package can meet, over and over.
        settled = Selection()
        for candidate in (*wanted, *base):
            if candidate.name not in settled.chosen:
                settled.add(candidate)
        new, open_clauses = list(wanted), list[tuple[Candidate, Alternatives]]()
        while new:
            open_clauses += [(c, clause) for c in new for clause in c.depends]
            new, waiting = [], open_clauses
            open_clauses = []
            for owner, clause in waiting:
                if settled.satisfying(clause):
                    continue
                every = self._each(clause, in_order=False)
                options = [o for o in every if not any(settled.against(o))]
                if len(options) > 1:
                    open_clauses.append((owner, clause))
                elif options:
                    settled.add(options[0])
                    new.append(options[0])
                else:
                    refused = tuple(self._refusals(clause, settled))
                    failure = Unmet(owner=owner, clause=clause, options=refused)
                    raise DeadEndError(failure, frozenset())
        return settled

    def _refusals(self, clause: Alternatives, selection: Selection) -> Iterator[Failure]:
        options = list(self._each(clause, in_order=False))
        for option in options:
            for _, reason in selection.against(option):
                yield Dead(what=option, reason=reason)
                break
        if not options:
            yield from self._absent(clause)

    def _absent(self, clause: Alternatives) -> Iterator[Failure]:
        for relation in clause:
            candidate = self._candidate(relation.name)
            yield NotThere(relation=relation, candidate=candidate, suites=self._index.suites)

    def _candidate(self, name: str) -> Candidate | None:
        return self._pinned.get(name) or self._index.candidate(name)

    def _options(self, clause: Alternatives) -> Iterator[Candidate]:
        """Candidates that meet the clause, in apt's order of preference."""
        if not self._avoided:
            yield from self._each(clause, in_order=True)
            return
        avoided = []
        for option in self._each(clause, in_order=True):
            if option.name in self._avoided:
                avoided.append(option)
            else:
                yield option
        yield from avoided

    def _each(self, clause: Alternatives, *, in_order: bool) -> Iterator[Candidate]:
        seen: set[str] = set()
        for relation in clause:
            for option in self._meeting(relation, in_order):
                if option.name not in seen:
                    seen.add(option.name)
                    yield option

    def _meeting(self, relation: Relation, in_order: bool) -> Iterator[Candidate]:
        real = self._candidate(relation.name)
        if real is not None and meets(real, relation):
            yield real
        providers = {
            provider.name: provider
            for provider in self._index.providers(relation.name)
            if provider is self._candidate(provider.name)
            and provider is not real
            and meets(provider, relation)
        }
        yield from ranked(providers.values(), self._index) if in_order else providers.values()

    def _clauses(
        self, candidate: Candidate, recommends: bool
    ) -> tuple[tuple[Alternatives, bool], ...]:
        needed = tuple((clause, True) for clause in candidate.depends)
        if recommends:
            needed += tuple((clause, False) for clause in candidate.recommends)
        return needed

    def _meet(self, root: Candidate, recommends: bool) -> None:
        """Choose what ``root``, itself chosen, needs.

        Raises:
            DeadEndError: one of its clauses cannot be met.
        """
        stack = [_Frame(root, self._selection.mark(), self._clauses(root, recommends))]
        while stack:
            frame = stack[-1]
            if frame.at == len(frame.clauses):
                stack.pop()
                continue
            clause, needed = frame.clauses[frame.at]
            if self._selection.satisfying(clause):
                self._next_clause(frame)
                continue
            if frame.options is None:
                frame.options = self._options(clause)
            option = next(frame.options, None)
            if option is not None:
                self._try(option, frame, stack, recommends)
            elif not needed:
                self._next_clause(frame)
            else:
                refused = tuple(frame.refused or self._absent(clause))
                self._give_up(stack, Unmet(owner=frame.candidate, clause=clause, options=refused))

    @staticmethod
    def _next_clause(frame: _Frame) -> None:
        frame.at += 1
        frame.options = None
        frame.refused = []

    def _try(self, option: Candidate, frame: _Frame, stack: list[_Frame], recommends: bool) -> None:
        failure = self._hopeless.get(option.name) or self._clash(option)
        if failure is not None:
            frame.refused.append(failure)
            return
        mark = self._selection.mark()
        self._selection.add(option)
        stack.append(_Frame(option, mark, self._clauses(option, recommends)))

    def _clash(self, option: Candidate) -> Failure | None:
        settled = self._settled
        if option.name not in settled.chosen:
            for _, reason in settled.against(option):
                return Dead(what=option, reason=reason)
        for other, reason in self._selection.against(option):
            if other.name not in settled.chosen:
                self._obstacles.add(other.name)
            return Dead(what=option, reason=reason)
        return None

    def _give_up(self, stack: list[_Frame], failure: Failure) -> None:
        frame = stack.pop()
        if not stack:
            raise DeadEndError(failure, frozenset(self._obstacles))
        self._selection.back_to(frame.mark)
        self._hopeless[frame.candidate.name] = failure
        stack[-1].refused.append(failure)
