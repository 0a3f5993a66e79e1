"""PEP 621 dependencies and extras, PEP 735 groups, dynamic and Poetry projects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from envlock.errors import UsageError
from envlock.lock.request import Wish
from envlock.project.document import parse_toml
from envlock.project.formats.groups import reached_groups
from envlock.project.formats.pyproject import is_project, read_project

ROOT = Path("/nowhere")


def read(text: str, **options: Any) -> tuple[Wish, ...]:
    document = parse_toml(text, "pyproject.toml")
    options = {"extras_where": "pyproject.toml:90", "groups_where": "pyproject.toml:91"} | options
    return read_project(document, root=ROOT, **options).wishes


def fail(text: str, **options: Any) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read(text, **options)
    return caught.value


PROJECT = """[project]
name = "My.Demo"
dependencies = [
  "Numpy >=2",
  "tomli; python_version<'3.11'",
]
[project.optional-dependencies]
Plot_It = ["matplotlib"]
web = ["flask", "my_demo[plot-it]"]
all = [
  "my-demo[web]; os_name == 'posix'",
  "MY.DEMO[all]",
  "rich",
]
[dependency-groups]
Test_Fast = ["pytest", {include-group = "lint"}]
lint = ["ruff"]
dev = [{include-group = "test-fast"}, "my-demo[plot_it]", "my-demo"]
"""


def texts(wishes: tuple[Wish, ...]) -> list[tuple[str, str | None]]:
    return [(wish.text, wish.group) for wish in wishes]


def test_dependencies() -> None:
    wishes = read(PROJECT)
    assert texts(wishes) == [("numpy>=2", None), ('tomli; python_version < "3.11"', None)]
    assert [w.origin for w in wishes] == ["pyproject.toml:4", "pyproject.toml:5"]


def test_extras_may_name_each_other_by_the_projects_name() -> None:
    assert texts(read(PROJECT, extras=("web",)))[2:] == [
        ("flask", "extra:web"),
        ("matplotlib", "extra:web"),
    ]
    assert texts(read(PROJECT, extras=("ALL",)))[2:] == [
        ('flask; os_name == "posix"', "extra:all"),
        ('matplotlib; os_name == "posix"', "extra:all"),
        ("rich", "extra:all"),
    ]


def test_markers_of_a_reference_and_of_what_it_names_are_joined() -> None:
    text = """[project]
name = "p"
[project.optional-dependencies]
a = ["p[b]; os_name == 'nt' or os_name == 'posix'"]
b = ["x; python_version < '3' or extra == 'q'"]
"""
    ((wish, _),) = texts(read(text, extras=("a",)))
    assert wish == (
        'x; (os_name == "nt" or os_name == "posix") and (python_version < "3" or extra == "q")'
    )


def test_groups() -> None:
    assert texts(read(PROJECT, groups=("DEV",)))[2:] == [
        ("pytest", "group:dev"),
        ("ruff", "group:dev"),
        ("matplotlib", "group:dev"),
    ]
    assert read(PROJECT, groups=("test.fast",))[2].origin == "pyproject.toml:16"


def test_groups_without_a_project() -> None:
    assert texts(read('[dependency-groups]\na = ["x"]\n', groups=("a",))) == [("x", "group:a")]


def test_reached_groups() -> None:
    document = parse_toml(PROJECT, "p")
    assert reached_groups(document, ("dev",)) == {"dev", "test-fast", "lint"}
    assert reached_groups(document, ("lint",)) == {"lint"}
    circle = '[dependency-groups]\na = [{include-group = "b"}]\nb = [{include-group = "a"}]\n'
    assert reached_groups(parse_toml(circle, "p"), ("a",)) == {"a", "b"}


def test_uvs_older_dev_dependencies_join_the_group_dev() -> None:
    old = '[project]\nname = "p"\n[tool.uv]\ndev-dependencies = ["pytest"]\n'
    assert texts(read(old, groups=("dev",))) == [("pytest", "group:dev")]
    both = old + '[dependency-groups]\ndev = ["ruff"]\n'
    assert texts(read(both, groups=("dev",))) == [("ruff", "group:dev"), ("pytest", "group:dev")]


@pytest.mark.parametrize(
    ("text", "options", "what", "where", "remedy"),
    [
        ('[project]\ndependencies = [\n "a",\n "b =>1",\n]', {}, "'b =>1' is not a req", 4, ">="),
        ('[project]\ndependencies = "a"', {}, "project.dependencies: expected a list", 2, ""),
        ("[project]\ndependencies = [1]", {}, "project.dependencies: expected a list", 2, ""),
        ("[project]\nname = 1", {}, "project.name: expected a text", 2, ""),
        ("[project]\nrequires-python = '3.x'", {}, "expected a version specifier", 2, ""),
        ("[project]\nrequires-python = 3", {}, "expected a text", 2, ""),
        ("project = 1", {}, "project: expected a table", 1, ""),
        ("[project]\noptional-dependencies = 1", {}, "expected a table of lists", 2, ""),
        (PROJECT, {"extras": ("pllot-it",)}, 'no extra "pllot-it"', 90, '"plot-it"'),
        ("[project]", {"extras": ("x",)}, 'there is no extra "x"', 90, "none here"),
        (PROJECT, {"groups": ("tset-fast",)}, 'no dependency group "tset-fast"', 91, "test-fast"),
        (
            '[project]\nname="p"\n[project.optional-dependencies]\na = ["p[typo]"]\ntypi = []',
            {"extras": ("a",)},
            'there is no extra "typo"',
            4,
            '"typi"',
        ),
        (
            '[project]\nname="p"\ndependencies = ["p[a]>=2"]',
            {},
            "asks for a version or URL of itself",
            3,
            "write p[a] alone",
        ),
        ("dependency-groups = 1", {"groups": ("a",)}, "dependency-groups: expected a table", 1, ""),
        ("[dependency-groups]\na = 1", {"groups": ("a",)}, "expected a list of req", 2, ""),
        (
            "[dependency-groups]\na = [{include = 'b'}]",
            {"groups": ("a",)},
            "dependency-groups.a[0]: expected a requirement or { include-group",
            2,
            "",
        ),
        (
            "[dependency-groups]\na = [{include-group = 'b', x = 1}]",
            {"groups": ("a",)},
            "dependency-groups.a[0]",
            2,
            "",
        ),
        ("[dependency-groups]\na = [3]", {"groups": ("a",)}, "dependency-groups.a[0]", 2, ""),
        (
            "[dependency-groups]\na = []\nb = [\n{include-group = 'aa'}]",
            {"groups": ("b",)},
            'there is no dependency group "aa"',
            4,
            "",
        ),
        (
            "[dependency-groups]\na = [{include-group = 'B'}]\nb = [{include-group = 'a'}]",
            {"groups": ("a",)},
            "in a circle: a → b → a",
            3,
            "include-group",
        ),
        ("[dependency-groups]\na-b = []\nA_b = []", {"groups": ("a-b",)}, "are the same", 3, ""),
        (
            "[project]\ndynamic = ['dependencies']",
            {},
            "project.dependencies are dynamic: only a build",
            2,
            'requirements = ["requirements.in"]',
        ),
        (
            "[project]\ndynamic = ['dependencies']\n[tool.setuptools.dynamic]\n"
            "dependencies = {file = ['reqs/a.txt', 'reqs/b.txt']}",
            {},
            "project.dependencies are dynamic",
            2,
            'requirements = ["reqs/a.txt", "reqs/b.txt"]',
        ),
        (
            "[project]\ndynamic = ['optional-dependencies']",
            {"extras": ("x",)},
            "project.optional-dependencies are dynamic",
            2,
            "",
        ),
        (
            "[tool.poetry]\nname = 'x'\n[tool.poetry.dependencies]\npython = '^3.11'",
            {},
            "in [tool.poetry]",
            3,
            "requirements = ",
        ),
    ],
)
def test_refused(text: str, options: dict[str, Any], what: str, where: int, remedy: str) -> None:
    error = fail(text, **options)
    assert what in error.what
    assert error.where == f"pyproject.toml:{where}"
    assert remedy in (error.remedy or "")


def test_named_files_stand_for_dynamic_and_poetry_dependencies() -> None:
    assert read("[project]\ndynamic = ['dependencies']", files_given=True) == ()
    assert read("[tool.poetry.dependencies]\npython = '3'", files_given=True) == ()


def test_optional_dynamics_matter_only_when_asked_for() -> None:
    text = "[project]\ndynamic = ['version', 'optional-dependencies']\ndependencies = ['a']"
    assert texts(read(text)) == [("a", None)]


def test_requires_python_is_normalized() -> None:
    document = parse_toml('[project]\nrequires-python = "<4, >= 3.11"', "p")
    assert read_project(document, root=ROOT).requires_python == "<4,>=3.11"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tool.ruff]", False),
        ("[build-system]\nrequires = []", False),
        ("[project]", True),
        ("[dependency-groups]", True),
        ("[tool.envlock]", True),
        ("[tool.poetry]", True),
    ],
)
def test_a_file_that_only_configures_tools_is_no_project(text: str, expected: bool) -> None:
    assert is_project(parse_toml(text, "p")) is expected
