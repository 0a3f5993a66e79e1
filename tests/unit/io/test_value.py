"""Values without dataclasses behave as frozen, slotted, keyword-only dataclasses do."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from envlock.io.value import value


@value
class Ours:
    """A value."""

    name: str
    size: int = 7

    @property
    def twice(self) -> int:
        return self.size * 2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Theirs:
    name: str
    size: int = 7

    @property
    def twice(self) -> int:
        return self.size * 2


@pytest.mark.parametrize("cls", [Ours, Theirs])
def test_the_same_of_both(cls: Any) -> None:
    one = cls(name="a")
    assert (one.name, one.size, one.twice) == ("a", 7, 14)
    assert one == cls(name="a", size=7)
    assert one != cls(name="a", size=8)
    assert hash(one) == hash(cls(name="a"))
    assert one != ("a", 7)
    assert sorted([cls(name="b"), one])[0] is one
    assert repr(one) == f"{cls.__name__}(name='a', size=7)"
    assert not hasattr(one, "__dict__")
    for wrong in ({}, {"name": "a", "other": 1}):
        with pytest.raises(TypeError):
            cls(**wrong)
    with pytest.raises(TypeError):
        cls("a")
    for change in (lambda: setattr(one, "name", "b"), lambda: delattr(one, "name")):
        with pytest.raises(AttributeError):
            change()
    assert one.name == "a"
