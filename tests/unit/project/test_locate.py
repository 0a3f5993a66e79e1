"""Which file speaks for a folder, and what its lock is called."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.project.locate import locate

Write = Callable[[str, str], Path]
PROJECT = "[project]\nname = 'x'\n"


@pytest.mark.parametrize(
    ("files", "kind", "source"),
    [
        ({"pyproject.toml": PROJECT}, "pyproject", "pyproject.toml"),
        ({"pyproject.toml": "[tool.envlock]"}, "pyproject", "pyproject.toml"),
        ({"pyproject.toml": PROJECT, "requirements.txt": ""}, "pyproject", "pyproject.toml"),
        ({"envlock.toml": ""}, "envlock-toml", "envlock.toml"),
        ({"envlock.toml": "", "requirements.txt": ""}, "envlock-toml", "envlock.toml"),
        ({"requirements.txt": ""}, "requirements", "requirements.txt"),
        ({"requirements.txt": "", "requirements.in": ""}, "requirements", "requirements.in"),
        ({"environment.yml": "", "environment.yaml": ""}, "requirements", "environment.yml"),
        ({"environment.yaml": ""}, "requirements", "environment.yaml"),
        ({"setup.cfg": "[options]\ninstall_requires = x"}, "requirements", "setup.cfg"),
        ({"setup.cfg": "[flake8]\n", "requirements.in": ""}, "requirements", "requirements.in"),
        ({"setup.cfg": "broken", "requirements.in": ""}, "requirements", "requirements.in"),
        (
            {"pyproject.toml": "[tool.ruff]", "requirements.in": ""},
            "requirements",
            "requirements.in",
        ),
    ],
)
def test_here(tmp_path: Path, write: Write, files: dict[str, str], kind: str, source: str) -> None:
    for name, text in files.items():
        write(name, text)
    project = locate(tmp_path)
    assert (project.kind, project.source) == (kind, tmp_path / source)
    assert project.root == tmp_path
    assert project.lock_path == tmp_path / "pylock.toml"
    assert project.name is None


def test_upwards(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write("pyproject.toml", PROJECT)
    write("a/b/requirements.txt", "")
    write("a/pyproject.toml", "[tool.ruff]")
    assert locate(tmp_path / "a" / "b").source == tmp_path / "pyproject.toml"
    monkeypatch.chdir(tmp_path / "a")
    assert locate(Path()).root == tmp_path
    assert locate(Path("b") / ".." / "b").root == tmp_path


def test_a_symbolic_link_is_the_path_that_the_user_knows(tmp_path: Path, write: Write) -> None:
    write("real/pyproject.toml", PROJECT)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert locate(tmp_path / "link").root == tmp_path / "link"


def test_names(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", PROJECT)
    project = locate(tmp_path, name="docs-2")
    assert (project.name, project.lock_path) == ("docs-2", tmp_path / "pylock.docs-2.toml")


@pytest.mark.parametrize("name", ["a.b", "", "../x", "a/b", "-a", "ä", "a b", "a\n"])
def test_bad_names(tmp_path: Path, write: Write, name: str) -> None:
    write("pyproject.toml", PROJECT)
    with pytest.raises(UsageError, match="cannot name an environment") as caught:
        locate(tmp_path, name=name)
    assert "no dots" in (caught.value.remedy or "")


@pytest.mark.parametrize(
    ("file", "lock"),
    [
        ("tool.py", "pylock.tool.toml"),
        ("my.tool v2.py", "pylock.my-tool-v2.toml"),
        ("über.py", "pylock.ber.toml"),
        ("ü.py", "pylock.script.toml"),
    ],
)
def test_scripts(tmp_path: Path, write: Write, file: str, lock: str) -> None:
    write(f"bin/{file}", "")
    project = locate(tmp_path, script=Path("bin") / file)
    assert project.kind == "script"
    assert project.root == tmp_path / "bin"
    assert project.lock_path == tmp_path / "bin" / lock


def test_bad_scripts(tmp_path: Path, write: Write) -> None:
    with pytest.raises(UsageError, match="no such script"):
        locate(tmp_path, script=Path("none.py"))
    write("a.py", "")
    with pytest.raises(UsageError, match="a script has one environment"):
        locate(tmp_path, script=Path("a.py"), name="x")


def test_nothing(tmp_path: Path, write: Write) -> None:
    write("setup.py", "")
    write("Pipfile", "")
    with pytest.raises(UsageError, match="nothing to lock here") as caught:
        locate(tmp_path)
    assert caught.value.where == str(tmp_path)
    remedy = caught.value.remedy or ""
    for word in ("pyproject.toml", "requirements.in", "environment.yml", "setup.cfg"):
        assert word in remedy
    assert "setup.py is there, but it would have to be run" in remedy
    assert "Pipfile is there" in remedy
    assert "`envlock init`" in remedy


def test_nothing_but_a_script(tmp_path: Path, write: Write) -> None:
    write("plot.py", "# /// script\n# dependencies = []\n# ///\n")
    with pytest.raises(UsageError, match="nothing to lock here") as caught:
        locate(tmp_path)
    assert "plot.py says itself what it needs: add --script plot.py" in (caught.value.remedy or "")


def test_several_answers(tmp_path: Path, write: Write) -> None:
    write("requirements.txt", "")
    write("environment.yml", "")
    write("setup.cfg", "[options]\ninstall_requires = x")
    with pytest.raises(UsageError) as caught:
        locate(tmp_path)
    assert "requirements.txt and environment.yml and setup.cfg are there" in caught.value.what
    assert "envlock init" in (caught.value.remedy or "")
    assert 'requirements = ["requirements.txt"]' in (caught.value.remedy or "")


def test_two_files_of_settings(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", "[tool.ruff]")
    write("envlock.toml", "")
    with pytest.raises(UsageError, match=r"both pyproject\.toml and envlock\.toml are there"):
        locate(tmp_path)


def test_a_broken_pyproject_is_named_with_its_line(tmp_path: Path, write: Write) -> None:
    path = write("pyproject.toml", "[project]\nname = \n")
    with pytest.raises(UsageError, match="not TOML") as caught:
        locate(tmp_path)
    assert caught.value.where == f"{path}:2"
