"""Relationship fields are read as Policy §7.1 writes them; what it does not allow is named."""

from __future__ import annotations

import pytest

from envlock.errors import UsageError
from envlock.resolve.os.packages.relations import Relation, parse_provides, parse_relations


def test_clauses_and_alternatives() -> None:
    field = "libc6 (>= 2.35), debconf (>= 0.5)|debconf-2.0 , python3:any(<<3.12), foo:amd64,"
    assert parse_relations(field) == (
        (Relation(name="libc6", operator=">=", version="2.35"),),
        (
            Relation(name="debconf", operator=">=", version="0.5"),
            Relation(name="debconf-2.0"),
        ),
        (Relation(name="python3", qualifier="any", operator="<<", version="3.12"),),
        (Relation(name="foo", qualifier="amd64"),),
    )


def test_shown_as_written() -> None:
    shown = [str(relation) for (relation,) in parse_relations("a, b (= 1:2-3), c:any (>> 1~)")]
    assert shown == ["a", "b (= 1:2-3)", "c:any (>> 1~)"]


def test_nothing_says_nothing() -> None:
    assert parse_relations("") == parse_relations(" , ") == ()


@pytest.mark.parametrize(
    "field", ["a b", "a (>= )", "a (~ 1)", "a | | b", "a [amd64]", "a (>= 1", "_a", "a (>= 1 2)"]
)
def test_what_cannot_be_read_is_quoted(field: str) -> None:
    with pytest.raises(UsageError, match="cannot read the relation"):
        parse_relations(field)


def test_provides_with_and_without_version() -> None:
    assert parse_provides("mail-transport-agent, perlapi (= 5.36)") == (
        Relation(name="mail-transport-agent"),
        Relation(name="perlapi", operator="=", version="5.36"),
    )


@pytest.mark.parametrize("field", ["a | b", "a (>= 1)"])
def test_provides_is_exact(field: str) -> None:
    with pytest.raises(UsageError, match="Provides"):
        parse_provides(field)
