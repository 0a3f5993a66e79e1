"""setup.cfg: install_requires, extras and python_requires as setuptools reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.project.formats.setup_cfg import SetupCfg, read_setup_cfg, setup_cfg_part

Write = Callable[[str, str], Path]
Read = Callable[[str], SetupCfg]


@pytest.fixture
def read(write: Write) -> Read:
    return lambda text: read_setup_cfg(write("setup.cfg", text), shown="setup.cfg")


FULL = """[metadata]
name = My_Demo
[options]
python_requires = >= 3.11, <4
install_requires =
    numpy>=2
    # a comment
    tomli; python_version < "3.11"
[options.extras_require]
plot = matplotlib; seaborn>=1
all =
    my-demo[plot]
    rich
"""


def test_everything(read: Read) -> None:
    part = setup_cfg_part(read(FULL), root=Path("/nowhere"), extras=("ALL",))
    assert [(w.text, w.origin, w.group) for w in part.wishes] == [
        ("numpy>=2", "setup.cfg:6", None),
        ('tomli; python_version < "3.11"', "setup.cfg:8", None),
        ("matplotlib", "setup.cfg:10", "extra:all"),
        ("seaborn>=1", "setup.cfg:10", "extra:all"),
        ("rich", "setup.cfg:13", "extra:all"),
    ]
    assert part.requires_python == "<4,>=3.11"


def test_files_are_left_to_the_caller(read: Read) -> None:
    setup = read("[options]\ninstall_requires = file: a.txt, reqs/b.txt\n")
    assert (setup.files, setup.dependencies) == (("a.txt", "reqs/b.txt"), ())


def test_nothing(read: Read) -> None:
    setup = read("[flake8]\nmax-line-length = 100\n")
    assert setup_cfg_part(setup, root=Path("/nowhere")).wishes == ()


def test_percent_signs_are_no_interpolation(read: Read) -> None:
    assert read("[a]\nformat = %(asctime)s\n[options]\ninstall_requires = x\n").dependencies


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("no section\n", "not an INI file", "setup.cfg:1"),
        ("[a]\nb\nc\n", "not an INI file", "setup.cfg:2"),
        ("[a]\nb=1\n[a]\n", "not an INI file", "setup.cfg:3"),
        ("[options]\ninstall_requires =\n  a\n  b =>1\n", "'b =>1' is not", "setup.cfg:4"),
        ("[options]\ninstall_requires = attr: x.y\n", "only a build", "setup.cfg:2"),
        ("[options]\npython_requires = new\n", "expected a specifier", "setup.cfg:2"),
        ("[options.extras_require]\nx = file: a.txt\n", "only a build", "setup.cfg:2"),
    ],
)
def test_refused(read: Read, text: str, what: str, where: str) -> None:
    with pytest.raises(UsageError) as caught:
        setup_cfg_part(read(text), root=Path("/nowhere"))
    assert what in caught.value.what
    assert caught.value.where == where


def test_unknown_extra(read: Read) -> None:
    with pytest.raises(UsageError, match='there is no extra "plto"') as caught:
        setup_cfg_part(read(FULL), root=Path("/x"), extras=("plto",), extras_where="envlock.toml:3")
    assert caught.value.where == "envlock.toml:3"
    assert '"plot"' in (caught.value.remedy or "")
