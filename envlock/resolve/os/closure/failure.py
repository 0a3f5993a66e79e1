"""Why something cannot be installed, from the request down to who excludes whom."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from envlock.errors import UsageError
from envlock.resolve.os.packages.candidates import Candidate
from envlock.resolve.os.packages.relations import Alternatives, Relation

_DEEPEST = 12


class NoSuchPackageError(UsageError):
    """A package that is asked for is in none of the suites, or not in that ``version``."""

    def __init__(
        self, what: str, name: str, version: str | None = None, *, remedy: str | None = None
    ) -> None:
        super().__init__(what, remedy=remedy)
        self.name = name
        self.version = version


@dataclass(frozen=True, slots=True, kw_only=True)
class NotThere:
    """No package of that name, or none of that version, is in the index."""

    relation: Relation
    candidate: Candidate | None
    suites: tuple[str, ...]

    def lines(self, depth: int = 0) -> Iterator[str]:
        """One sentence per line."""
        held = f": there is {self.candidate.version}" if self.candidate is not None else ""
        yield f"{self.relation} is not in {', '.join(self.suites)}{held}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """A package that cannot be beside another one."""

    what: Candidate
    reason: str

    def lines(self, depth: int = 0) -> Iterator[str]:
        """One sentence per line."""
        yield f"{self.what} cannot be chosen: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmet:
    """A package with a clause of which no alternative can be chosen."""

    owner: Candidate
    clause: Alternatives
    options: tuple[Failure, ...]

    def lines(self, depth: int = 0) -> Iterator[str]:
        """One sentence per line, the reasons indented below what they explain."""
        yield f"{self.owner} needs {' | '.join(map(str, self.clause))}"
        if depth < _DEEPEST:
            for option in self.options:
                yield from (f"  {line}" for line in option.lines(depth + 1))


Failure = NotThere | Dead | Unmet
