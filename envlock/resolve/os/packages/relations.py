"""Relationship fields of a binary package (Debian Policy §7): ``Depends`` and its family."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from envlock.errors import UsageError
from envlock.resolve.os.packages.version import satisfies

_RELATION = re.compile(
    r"\s*([A-Za-z0-9][A-Za-z0-9.+_-]*)"  # name
    r"(?::([a-z0-9-]+))?"  # architecture, any or native
    r"(?:\s*\(\s*(<<|<=|>=|>>|=|<|>)\s*([^\s()<>=]+)\s*\))?\s*"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One package named in a field.

    Args:
        name: the package, or a virtual one.
        qualifier: what follows the colon: ``any``, ``native``, an architecture, or None.
        operator: one of `envlock.resolve.os.packages.version.OPERATORS`, or None for any version.
        version: the bound; empty without an operator.
    """

    name: str
    qualifier: str | None = None
    operator: str | None = None
    version: str = ""

    def __str__(self) -> str:
        name = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        return f"{name} ({self.operator} {self.version})" if self.operator else name

    def allows(self, version: str) -> bool:
        """Whether a package of that version is meant."""
        return self.operator is None or satisfies(version, self.operator, self.version)


Alternatives = tuple[Relation, ...]


@lru_cache(maxsize=16384)
def parse_relations(field: str) -> tuple[Alternatives, ...]:
    """The comma-separated clauses of a field, each with its ``|`` alternatives, in their order.

    An empty field, and an empty clause (a trailing comma), say nothing.

    Raises:
        UsageError: a clause that Policy §7.1 does not allow in a binary package.
    """
    clauses = (clause for clause in field.split(",") if clause.strip())
    return tuple(tuple(_relation(part, field) for part in c.split("|")) for c in clauses)


def _relation(text: str, field: str) -> Relation:
    match = _RELATION.fullmatch(text)
    if match is None:
        shown = field if len(field) <= 80 else f"{field[:77]}..."
        raise UsageError(f"cannot read the relation {text.strip()!r} in {shown!r}")
    name, qualifier, operator, version = match.groups()
    return Relation(name=name, qualifier=qualifier, operator=operator, version=version or "")


@lru_cache(maxsize=16384)
def parse_provides(field: str) -> tuple[Relation, ...]:
    """The names that ``Provides`` adds, with ``=`` versions where given.

    Raises:
        UsageError: alternatives, or a version that is not exact (Policy §7.5).
    """
    provided = []
    for clause in parse_relations(field):
        if len(clause) != 1 or clause[0].operator not in (None, "="):
            raise UsageError(f"cannot read Provides: {field!r}")
        provided.append(clause[0])
    return tuple(provided)
