"""The version that is said without reading metadata."""

import tomllib
from pathlib import Path

import envlock


def test_it_is_that_of_pyproject() -> None:
    project = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    assert envlock.__version__ == project["project"]["version"]
