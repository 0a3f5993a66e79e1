"""conda's environment.yml: Python and the pip list are read, other packages are refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.project.formats.environment_yml import CondaEnvironment, read_environment

Write = Callable[[str, str], Path]
Read = Callable[..., CondaEnvironment]


@pytest.fixture
def read(write: Write) -> Read:
    def read_text(text: str, ignore: tuple[str, ...] = ()) -> CondaEnvironment:
        return read_environment(write("e.yml", text), shown="environment.yml", ignore=ignore)

    return read_text


FULL = """name: demo
channels: [conda-forge]
dependencies:
  - conda-forge::python=3.11
  - pip>=23
  - pip:
      - numpy>=2
      # a comment
      - -r requirements.txt
      - "flask ; os_name == 'nt'"
variables:
  A: b
"""


def test_python_and_pip(read: Read) -> None:
    assert read(FULL) == CondaEnvironment(
        pip=((7, "numpy>=2"), (9, "-r requirements.txt"), (10, "flask ; os_name == 'nt'")),
        python="3.11",
        requires_python=None,
    )


@pytest.mark.parametrize(
    ("spec", "python", "bound"),
    [
        ("python", None, None),
        ("python=3.11", "3.11", None),
        ("python==3.11.7", "3.11.7", None),
        ("python = 3.11.*", "3.11", None),
        ("python=3.11*", "3.11", None),
        ("python 3.11", "3.11", None),
        ("Python=3.12", "3.12", None),
        ("python>=3.10,<3.13", None, "<3.13,>=3.10"),
        ("python >=3.10", None, ">=3.10"),
    ],
)
def test_python_forms(read: Read, spec: str, python: str | None, bound: str | None) -> None:
    found = read(f"dependencies:\n- {spec}\n")
    assert (found.python, found.requires_python) == (python, bound)


def test_nothing(read: Read) -> None:
    assert read("name: x\n").pip == ()
    assert read("dependencies:\n").pip == ()
    assert read("dependencies: []\n").pip == ()


def test_every_other_package_is_named_at_once(read: Read) -> None:
    text = "dependencies:\n- python=3.11\n- numpy=2\n- conda-forge::Lib_X>=1\n- mkl\n"
    with pytest.raises(UsageError) as caught:
        read(text, ("mkl",))
    assert "numpy (line 3), Lib_X (line 4)" in caught.value.what
    assert "mkl" not in caught.value.what
    assert caught.value.where == "environment.yml:3"
    assert 'conda-ignore = ["numpy", "Lib_X"]' in (caught.value.remedy or "")
    assert read(text, ("mkl", "numpy", "lib-x")).python == "3.11"


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("dependencies: [a\n", "not YAML", 2),
        ("a: b: c\n", "not YAML", 1),
        ("\tdependencies:\n", "not YAML", 1),
        ("", "expected a mapping with `dependencies:`", 1),
        ("- a\n", "expected a mapping with `dependencies:`", 1),
        ("dependencies: a\n", "expected a list of packages", 1),
        ("dependencies:\n- [a]\n", "expected a package, or `pip:`", 2),
        ("dependencies:\n- npm:\n  - x\n", "expected `pip:`, not `npm:`", 2),
        ("dependencies:\n- pip: x\n", "expected a list of requirements under `pip:`", 2),
        ("dependencies:\n- pip:\n  - a: b\n", "expected a list of requirements under", 2),
        ("dependencies:\n- '=1'\n", "expected a package such as", 2),
        ("dependencies:\n- python=3.11=h12_0\n", "expected a Python such as", 2),
        ("dependencies:\n- python=3.10|3.11\n", "expected a Python such as", 2),
    ],
)
def test_refused(read: Read, text: str, what: str, line: int) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert what in caught.value.what
    assert caught.value.where == f"environment.yml:{line}"
