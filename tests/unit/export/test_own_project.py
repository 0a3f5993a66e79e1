"""What makes an environment find a project without building it; read back by importlib."""

from __future__ import annotations

import configparser
from importlib.metadata import PathDistribution
from pathlib import Path
from typing import Any

import pytest

from envlock.export.own_project import Folder, installed

SITE = "lib/python3.11/site-packages"
PROJECT: dict[str, Any] = {
    "name": "My.Tool",
    "version": "1.0-1",
    "description": "two\nlines",
    "requires-python": ">=3.11",
    "dependencies": ["rich>=13"],
    "optional-dependencies": {"more": ["httpx ; python_version < '4'"]},
    "scripts": {"my-tool": "my_tool.cli:app.run"},
    "entry-points": {"other.group": {"a": "my_tool:a"}},
}


def files(pyproject: dict[str, Any], folders: tuple[Folder, ...] = ()) -> dict[str, str]:
    made = installed([Folder("/app", pyproject, []), *folders], "3.11")
    assert list(made) == sorted(made)
    return {path: file.content.decode() for path, file in made.items()}


def test_it_is_a_distribution(tmp_path: Path) -> None:
    made = installed([Folder("/app", {"project": PROJECT}, [])], "3.11")
    for path, file in made.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(file.content)
    [info] = (tmp_path / SITE).glob("*.dist-info")
    found = PathDistribution(info)
    assert (found.metadata["Name"], found.version) == ("My.Tool", "1.0-1")
    assert found.metadata["Summary"] is None
    assert found.requires == ["rich>=13", "httpx ; (python_version < '4') and extra == 'more'"]
    assert {(e.group, e.name, e.value) for e in found.entry_points} == {
        ("console_scripts", "my-tool", "my_tool.cli:app.run"),
        ("other.group", "a", "my_tool:a"),
    }
    assert found.files is not None
    listed = {str(file): file for file in found.files}
    assert listed.keys() == {
        "../../../bin/my-tool",
        *(f"{info.name}/{path.name}" for path in info.iterdir()),
    }
    for file in listed.values():
        assert file.hash is None or file.size == len(file.read_binary())
    assert [path for path, file in made.items() if file.program] == ["bin/my-tool"]
    script = made["bin/my-tool"].content.decode()
    assert script.startswith("#!/opt/venv/bin/python\n")
    assert "from my_tool.cli import app\n" in script
    assert "sys.exit(app.run())" in script
    assert made[f"{SITE}/project.pth"].content == b"/app/src\n/app\n"


@pytest.mark.parametrize(
    ("pyproject", "is_there"),
    [
        ({}, False),
        ({"project": {"name": "a", "version": "1"}}, False),
        ({"project": {"name": "a", "version": "1", "scripts": {}}}, True),
        ({"project": {"name": "a", "version": "1"}, "build-system": {}}, True),
        ({"project": {"name": "a", "version": "1"}, "tool": {"uv": {"package": True}}}, True),
        ({"project": PROJECT, "tool": {"uv": {"package": False}}}, False),
    ],
)
def test_what_is_a_package(pyproject: dict[str, Any], is_there: bool) -> None:
    made = files(pyproject)
    assert any(".dist-info/" in path for path in made) == is_there
    assert f"{SITE}/project.pth" in made


def test_without_a_static_version_there_are_scripts_alone() -> None:
    project = {"name": "a", "dynamic": ["version"], "scripts": {"a": "a:main"}}
    assert set(files({"project": project})) == {"bin/a", f"{SITE}/project.pth"}


@pytest.mark.parametrize(
    "scripts",
    [
        {"../a": "a:b"},
        {"a": "a"},
        {"a": "a:b\nimport evil"},
        {".": "a:b"},
        {"a\n": "a:b"},
        {"a": 1},
    ],
)
def test_a_script_that_is_none(scripts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no entry point"):
        files({"project": PROJECT | {"scripts": scripts}})


def test_a_name_that_leads_elsewhere() -> None:
    with pytest.raises(ValueError, match="no name and version"):
        files({"project": {"name": "../a", "version": "1", "scripts": {}}})


STATIC = {
    "project": {"name": "lib", "version": "1"},
    "build-system": {"build-backend": "hatchling.build"},
}


def test_packages_of_the_lock_beside_it() -> None:
    made = files({}, (Folder("/app/libs/a", STATIC, ["src"], "lib", "1"),))
    assert made[f"{SITE}/project.pth"] == "/app/src\n/app\n/app/libs/a/src\n"
    assert '"url": "file:///app/libs/a"' in made[f"{SITE}/lib-1.dist-info/direct_url.json"]


@pytest.mark.parametrize(
    ("pyproject", "names", "why"),
    [
        ({}, [], r"no \[project\]"),
        ({**STATIC, "project": {"name": "lib"}}, [], "made by its build backend"),
        (STATIC, ["setup.py"], "setup.py may compile"),
        ({**STATIC, "build-system": {"build-backend": "maturin"}}, [], "maturin may compile"),
    ],
)
def test_what_may_have_to_be_built_is_refused(
    pyproject: dict[str, Any], names: list[str], why: str
) -> None:
    with pytest.raises(ValueError, match=rf"lib \(/app/lib\) cannot be used unbuilt: .*{why}"):
        files({}, (Folder("/app/lib", pyproject, names, "lib"),))


def test_entry_points_are_read_by_configparser() -> None:
    made = files({"project": PROJECT})
    parser = configparser.ConfigParser(delimiters=("=",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]
    parser.read_string(made[f"{SITE}/my_tool-1.0_1.dist-info/entry_points.txt"])
    assert dict(parser["console_scripts"]) == {"my-tool": "my_tool.cli:app.run"}
