"""envlock init's plan: what it finds, what it writes, and that every old byte stays."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
import tomli

from envlock.errors import UsageError
from envlock.project.init import InitPlan, insert_table, plan_init

Write = Callable[[str, str], Path]
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ALWAYS = 'python = "3.11"\ntargets = ["linux/amd64"]\n'


def plan(folder: Path, *, python: str | None = None, script: str | None = None) -> InitPlan:
    return plan_init(
        folder,
        python=python,
        running="3.11",
        platforms=("linux/amd64",),
        script=None if script is None else Path(script),
        now=NOW,
    )


def fail(folder: Path, *, python: str | None = None, script: str | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        plan(folder, python=python, script=script)
    return caught.value


def added(found: InitPlan) -> str:
    """What stands in the new file after the old text and one empty line."""
    assert found.content.startswith(found.before)
    return found.content[len(found.before) :].lstrip("\n")


PROJECT = '[project]\nname = "x"\ndependencies = ["a", "b"]  # two\n'


@pytest.mark.parametrize(
    ("files", "table", "found"),
    [
        ({"pyproject.toml": PROJECT}, ALWAYS, ("pyproject.toml: 2 dependencies",)),
        (
            {"pyproject.toml": PROJECT + "[dependency-groups]\nDev = []\nx = []\n"},
            ALWAYS + 'groups = ["dev"]\n',
            ("pyproject.toml: 2 dependencies, groups dev, x",),
        ),
        (
            {
                "pyproject.toml": PROJECT + "[dependency-groups]\nDev = []\nlint = []\n"
                "[tool.uv]\ndefault-groups = ['Lint']\n"
            },
            ALWAYS + 'groups = ["lint"]\n',
            ("pyproject.toml: 2 dependencies, groups dev, lint",),
        ),
        (
            {
                "pyproject.toml": PROJECT + "[dependency-groups]\nb = []\na = []\n"
                "[tool.uv]\ndefault-groups = 'all'\n"
            },
            ALWAYS + 'groups = ["a", "b"]\n',
            ("pyproject.toml: 2 dependencies, groups a, b",),
        ),
        (
            {"pyproject.toml": "[dependency-groups]\nb = ['x']\na = []\n"},
            ALWAYS + 'groups = ["a", "b"]\n',
            ("pyproject.toml: groups a, b",),
        ),
        (
            {"pyproject.toml": PROJECT, "requirements.txt": "a==1"},
            ALWAYS,
            ("pyproject.toml: 2 dependencies", "requirements.txt"),
        ),
        (
            {"pyproject.toml": "[tool.ruff]\n", "requirements.in": "a", "requirements.txt": "a"},
            ALWAYS + 'requirements = ["requirements.in"]\n',
            ("requirements.in",),
        ),
        (
            {"pyproject.toml": "[project]\nname = 'x'\n", "requirements.txt": "a"},
            ALWAYS + 'requirements = ["requirements.txt"]\n',
            ("pyproject.toml: 0 dependencies", "requirements.txt"),
        ),
        (
            {
                "pyproject.toml": "[project]\ndynamic = ['dependencies']\n"
                "[tool.setuptools.dynamic]\ndependencies = {file = 'reqs/base.txt'}\n",
                "reqs/base.txt": "a",
            },
            ALWAYS + 'requirements = ["reqs/base.txt"]\n',
            ("pyproject.toml: dynamic dependencies", "reqs/base.txt"),
        ),
        (
            {
                "pyproject.toml": "[project]\ndynamic = ['dependencies']\n",
                "setup.cfg": "[options]\ninstall_requires = a\n",
            },
            ALWAYS + 'requirements = ["setup.cfg"]\n',
            ("pyproject.toml: dynamic dependencies", "setup.cfg"),
        ),
        (
            {"pyproject.toml": "[tool.poetry.dependencies]\nx='1'\n", "requirements.txt": "a"},
            ALWAYS + 'requirements = ["requirements.txt"]\n',
            ("pyproject.toml", "requirements.txt"),
        ),
    ],
)
def test_into_pyproject(
    tmp_path: Path, write: Write, files: dict[str, str], table: str, found: tuple[str, ...]
) -> None:
    for name, text in files.items():
        write(name, text)
    result = plan(tmp_path)
    assert result.path == tmp_path / "pyproject.toml"
    assert not result.created
    assert added(result) == "[tool.envlock]\n" + table
    assert result.found == found


@pytest.mark.parametrize(
    ("files", "keys"),
    [
        ({"requirements.txt": "a"}, ALWAYS + 'requirements = ["requirements.txt"]\n'),
        ({"setup.cfg": "[options]\ninstall_requires=a"}, ALWAYS + 'requirements = ["setup.cfg"]\n'),
        (
            {"environment.yml": "dependencies:\n- python=3.12\n- pip: [a]\n"},
            'python = "3.12"\ntargets = ["linux/amd64"]\nrequirements = ["environment.yml"]\n',
        ),
        (
            {"requirements.in": "a", ".python-version": "3.10.4"},
            'python = "3.10.4"\ntargets = ["linux/amd64"]\nrequirements = ["requirements.in"]\n',
        ),
    ],
)
def test_new_envlock_toml(tmp_path: Path, write: Write, files: dict[str, str], keys: str) -> None:
    for name, text in files.items():
        write(name, text)
    result = plan(tmp_path)
    assert (result.path, result.created, result.before) == (tmp_path / "envlock.toml", True, "")
    first, _, rest = result.content.partition("\n")
    assert first.startswith("#")
    assert rest == keys
    assert not result.path.exists()


def test_the_given_python_wins(tmp_path: Path, write: Write) -> None:
    write("requirements.in", "a")
    write(".python-version", "3.10")
    assert 'python = "3.13"' in plan(tmp_path, python="3.13").content


def test_notes_name_what_is_left_out(tmp_path: Path, write: Write) -> None:
    write(
        "pyproject.toml",
        PROJECT + '[dependency-groups]\ndev = [{include-group = "in"}]\nin = []\nout = []\n',
    )
    write("requirements.txt", "a")
    write("environment.yml", "")
    assert plan(tmp_path).notes == (
        "requirements.txt is not read: pyproject.toml says what is asked for",
        "environment.yml is not read: pyproject.toml says what is asked for",
        'group "out" is not locked; add it to `groups` to have it',
    )


def test_an_empty_wish_is_noted(tmp_path: Path, write: Write) -> None:
    write("requirements.in", "# soon\n")
    assert plan(tmp_path).notes == ("nothing is asked for yet: the lock would be empty",)


def test_request_is_what_lock_will_read(tmp_path: Path, write: Write) -> None:
    write("requirements.in", "-r more.txt\nFlask\n")
    write("more.txt", "rich>=1")
    request = plan(tmp_path).request
    assert [w.text for w in request.wishes] == ["rich>=1", "flask"]
    assert [t.key for t in request.targets] == ["linux/amd64@3.11"]


def test_diff(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", PROJECT)
    lines = plan(tmp_path).diff.splitlines()
    assert lines[:2] == ["--- a/pyproject.toml", "+++ b/pyproject.toml"]
    assert [line for line in lines[3:] if line.startswith("-")] == []
    assert "+[tool.envlock]" in lines


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "[tool.envlock]\nk = 1\n"),
        ("\ufeff", "\ufeff[tool.envlock]\nk = 1\n"),
        ("a = 1", "a = 1\n\n[tool.envlock]\nk = 1\n"),
        ("a = 1\n", "a = 1\n\n[tool.envlock]\nk = 1\n"),
        ("a = 1\r\n# c\r\n", "a = 1\r\n# c\r\n\r\n[tool.envlock]\r\nk = 1\r\n"),
        ("a = 1\r\nb = 2", "a = 1\r\nb = 2\r\n\r\n[tool.envlock]\r\nk = 1\r\n"),
        ("tool.ruff.x = 1\n", "tool.ruff.x = 1\n\n[tool.envlock]\nk = 1\n"),
        ("[tool]\nx = 1\n", "[tool]\nx = 1\n\n[tool.envlock]\nk = 1\n"),
        ("[[a]]\nb = 1\n", "[[a]]\nb = 1\n\n[tool.envlock]\nk = 1\n"),
    ],
)
def test_insertion(before: str, after: str) -> None:
    assert insert_table(before, ["k = 1"], shown="p") == after


@pytest.mark.parametrize("text", ["tool = {ruff = {}}\n", "tool = 1\n", "[[tool]]\nx = 1\n"])
def test_no_place_for_a_table(text: str) -> None:
    with pytest.raises(UsageError, match="takes no further table") as caught:
        insert_table(text, ["k = 1"], shown="pyproject.toml")
    assert "[tool.envlock]\nk = 1" in (caught.value.remedy or "")


# --- scripts -----------------------------------------------------------------------------------

BLOCK = "# [tool.envlock]\n" + "".join(f"# {line}\n" for line in ALWAYS.splitlines())


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (
            "import x\n# /// script\n# dependencies = ['a']\n# ///\nimport a\n",
            "import x\n# /// script\n# dependencies = ['a']\n#\n" + BLOCK + "# ///\nimport a\n",
        ),
        (
            "# /// script\n# dependencies = []\n#\n# ///",
            "# /// script\n# dependencies = []\n#\n" + BLOCK + "# ///",
        ),
        ("\x0c\n# /// script\n#\n# ///\n", "\x0c\n# /// script\n#\n" + BLOCK + "# ///\n"),
        (
            "\ufeff# /// script\n# dependencies = []\n# ///\n",
            "\ufeff# /// script\n# dependencies = []\n#\n" + BLOCK + "# ///\n",
        ),
    ],
)
def test_into_a_scripts_block(tmp_path: Path, write: Write, before: str, after: str) -> None:
    write("t.py", before)
    result = plan(tmp_path, script="t.py")
    assert result.content == after
    assert result.before == before
    write("w.py", before.replace("\n", "\r\n"))
    assert plan(tmp_path, script="w.py").content == after.replace("\n", "\r\n")


NEW = '# /// script\n# requires-python = ">=3.11"\n# dependencies = []\n#\n' + BLOCK + "# ///\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", NEW),
        ("import os\n", NEW + "\nimport os\n"),
        ("\nimport os\n", NEW + "\nimport os\n"),
        ("#!/bin/python", "#!/bin/python\n" + NEW),
        (
            "#!/bin/python\n# -*- coding: utf-8 -*-\nimport os\n",
            "#!/bin/python\n# -*- coding: utf-8 -*-\n" + NEW + "\nimport os\n",
        ),
        ("\ufeffimport os\n", "\ufeff" + NEW + "\nimport os\n"),
        ("\ufeff#!/bin/python\n", "\ufeff#!/bin/python\n" + NEW),
    ],
)
def test_into_a_script_without_a_block(
    tmp_path: Path, write: Write, before: str, after: str
) -> None:
    write("t.py", before)
    result = plan(tmp_path, script="t.py")
    assert result.content == after
    assert "no inline metadata yet" in result.found[0]
    compile(result.content.removeprefix("\ufeff"), "t.py", "exec")


# --- refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "script", "what", "where", "remedy"),
    [
        ({"envlock.toml": ""}, None, "settings are there already", "envlock.toml", "envlock lock"),
        ({"pyproject.toml": "a=1\n[tool.envlock]"}, None, "there already", "pyproject.toml:2", ""),
        (
            {"t.py": "# /// script\n# [tool.envlock]\n# ///\n"},
            "t.py",
            "there already",
            "t.py:2",
            "envlock lock --script t.py",
        ),
        ({"pyproject.toml": "[tool.ruff]"}, None, "nothing to lock here", None, "requirements.in"),
        ({}, None, "nothing to lock here", None, "requirements.in"),
        ({"pyproject.toml": "x = "}, None, "not TOML", "pyproject.toml:1", ""),
        ({"requirements.in": "a\nb =>1"}, None, "is not a requirement", "requirements.in:2", ">="),
        (
            {"pyproject.toml": "[project]\nrequires-python = '>=3.12'\ndependencies = ['a']"},
            None,
            "Python 3.11 is not in the project's requires-python, >=3.12",
            None,
            "envlock init --python 3.X",
        ),
        (
            {"t.py": "# /// script\n# requires-python = '>=3.12'\n# ///\n"},
            "t.py",
            "Python 3.11 is not in",
            None,
            "--python",
        ),
        (
            {"environment.yml": "dependencies:\n- numpy\n- pip: [a]\n"},
            None,
            "conda packages cannot be locked",
            "environment.yml:2",
            "conda-ignore",
        ),
        (
            {"pyproject.toml": "[tool.poetry.dependencies]\nx = '1'"},
            None,
            "in [tool.poetry]",
            "pyproject.toml:1",
            "",
        ),
        ({"pyproject.toml": "[project]\ndynamic = ['dependencies']"}, None, "dynamic", None, ""),
        ({}, "none.py", "no such script", "none.py", ""),
    ],
)
def test_refused(
    tmp_path: Path,
    write: Write,
    files: dict[str, str],
    script: str | None,
    what: str,
    where: str | None,
    remedy: str,
) -> None:
    for name, text in files.items():
        write(name, text)
    error = fail(tmp_path, script=script)
    assert what in error.what
    assert where is None or error.where == where
    assert remedy in (error.remedy or "")


def test_a_project_further_up_is_named(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", PROJECT)
    (tmp_path / "sub").mkdir()
    error = fail(tmp_path / "sub")
    assert "in this folder itself" in error.what
    assert f"envlock -C {tmp_path} init" in (error.remedy or "")


def test_the_written_table_is_valid_toml(tmp_path: Path, write: Write) -> None:
    write(
        "pyproject.toml",
        "[project]\ndynamic = ['dependencies']\n[tool.setuptools.dynamic]\n"
        "dependencies = {file = 'a\"b.txt'}\n",
    )
    write('a"b.txt', "x")
    table = tomli.loads(plan(tmp_path).content)
    assert table["tool"]["envlock"]["requirements"] == ['a"b.txt']
