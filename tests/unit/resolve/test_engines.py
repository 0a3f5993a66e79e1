"""Engines by name: our own are those that the package declares."""

import tomllib
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.resolve.lock import BUILT_IN, ENGINES, load_engine


def test_our_own_are_the_declared_ones() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert project["project"]["entry-points"][ENGINES] == BUILT_IN


@pytest.mark.parametrize("name", BUILT_IN)
def test_each_loads(name: str) -> None:
    assert load_engine(name).name == name


def test_an_unknown_one_names_the_known() -> None:
    with pytest.raises(UsageError) as caught:
        load_engine("poetry")
    assert caught.value.remedy == "known: pip-tools, uv"
