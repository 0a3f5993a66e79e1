"""``envlock check`` on real environments: changed by pip, by hand, and by time."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.install import HERE, artifact, locked, new_venv, write_lock
from support.project import PYTHON, Project
from support.tools import PIP, run

from envlock.lock.package import Archive, PythonPackage
from envlock.lock.target import Target

OLDER = "2024-01-01"


@pytest.fixture
def synced(project: Project, index: LoopbackIndex) -> Project:
    """A project whose environment holds its lock: alpha 1.2 and beta 2.0, and can get others."""
    project.write("alpha", "beta")
    alpha, beta = index.add("alpha", "1.2", OLDER), index.add("beta", "2.0", OLDER)
    index.add("alpha", "1.3", OLDER)
    index.add("zeta", "1.0", OLDER)
    packages = (locked(index, alpha), locked(index, beta))
    write_lock(project.root, *packages, wishes=("alpha", "beta"))
    done = project.run("sync")
    assert done.returncode == 0, done.stderr
    return project


def python_of(project: Project) -> Path:
    return project.root / ".venv" / "bin" / "python"


def pip(project: Project, *arguments: str) -> None:
    run([*PIP, "--python", python_of(project), *arguments])


def site(project: Project) -> Path:
    return project.root / ".venv" / "lib" / f"python{PYTHON}" / "site-packages"


def drift(project: Project, *arguments: str) -> list[tuple[str, str, str | None, str | None]]:
    done = project.run("check", "--json", *arguments)
    table = _parsed(done.stdout)
    assert done.returncode == (1 if table["drift"] else 0), done.stderr
    assert table["ok"] is not bool(table["drift"])
    return [(d["code"], d["subject"], d["expected"], d["found"]) for d in table["drift"]]


def _parsed(text: str) -> Any:
    import json

    return json.loads(text)


def test_nothing_after_a_sync(synced: Project) -> None:
    assert drift(synced) == []
    done = synced.run("check")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no drift" in done.stderr


def test_what_pip_changes_is_seen(synced: Project) -> None:
    pip(synced, "install", "-i", synced.index.url, "alpha==1.3", "zeta")
    pip(synced, "uninstall", "-y", "beta")
    assert drift(synced) == [
        ("PY001", "beta", "2.0", None),
        ("PY003", "alpha", "1.2", "1.3"),
        ("PY002", "zeta", None, "1.0"),
    ]
    done = synced.run("check")
    assert done.stdout.splitlines() == [
        "the environment is not what the lock says",
        "  PY001  missing        beta   expected 2.0",
        "  PY003  other-version  alpha  expected 1.2, found 1.3",
        "  PY002  extra          zeta   found 1.0",
    ]
    assert "1 missing, 1 other-version, 1 extra" in done.stderr
    assert "envlock sync" in done.stderr
    assert synced.run("sync").returncode == 0
    assert drift(synced) == []


def test_a_changed_project_is_seen_beside_a_changed_environment(synced: Project) -> None:
    synced.write("alpha", "gamma")
    shutil.rmtree(next(site(synced).glob("beta-*.dist-info")))
    assert drift(synced) == [
        ("RQ001", "requirements", None, "gamma"),
        ("RQ001", "requirements", "beta", None),
        ("PY001", "beta", "2.0", None),
    ]
    assert [d[0] for d in drift(synced, "--request-only")] == ["RQ001", "RQ001"]
    assert [d[0] for d in drift(synced, "--python-only")] == ["PY001"]


def test_the_same_version_from_elsewhere_is_seen(synced: Project) -> None:
    stored = synced.index.add("alpha", "1.2", OLDER, files={"alpha/patched.py": ""})
    pip(synced, "install", "--force-reinstall", "--no-deps", synced.index.file_url(stored))
    [(code, subject, expected, found)] = drift(synced)
    assert (code, subject, expected) == ("PY005", "alpha", "index")
    assert found is not None
    assert artifact(synced.index, stored).sha256 in found


def test_another_archive_than_the_locked_one_is_seen(
    project: Project, index: LoopbackIndex
) -> None:
    stored = index.add("alpha", "1.2", OLDER)
    url = index.file_url(stored)
    archive = Archive(url=url, sha256=artifact(index, stored).sha256)
    project.write(f"alpha @ {url}")
    entry = PythonPackage(name="alpha", version="1.2", archive=archive)
    write_lock(project.root, entry, wishes=(f"alpha @ {url}",))
    assert project.run("sync").returncode == 0
    assert drift(project) == []
    pip(project, "install", "--force-reinstall", "--no-deps", "-i", index.url, "alpha==1.2")
    [(code, subject, _, found)] = drift(project)
    assert (code, subject, found) == ("PY005", "alpha", "index")


def test_damaged_metadata_is_a_finding(synced: Project) -> None:
    (next(site(synced).glob("alpha-*.dist-info")) / "METADATA").unlink()
    (site(synced) / "~eta-1.0.dist-info").mkdir()
    found = drift(synced)
    assert [(code, subject) for code, subject, _, _ in found] == [
        ("PY006", "alpha"),
        ("PY006", "~eta"),
    ]
    done = synced.run("sync", "--recreate")
    assert done.returncode == 0, done.stderr
    assert drift(synced) == []


def test_the_metadata_of_two_versions(synced: Project) -> None:
    info = next(site(synced).glob("alpha-*.dist-info"))
    shutil.copytree(info, info.with_name("alpha-1.1.dist-info"))
    [(code, subject, expected, _)] = drift(synced)
    assert (code, subject, expected) == ("PY007", "alpha", "1.2")


def test_no_environment_and_one_that_does_not_start(synced: Project) -> None:
    python_of(synced).unlink()
    python_of(synced).symlink_to("/nowhere/python")
    done = synced.json("check")["drift"]
    assert [(d["code"], d["found"]) for d in done] == [("PY000", "a Python that does not start")]
    assert done[0]["remedy"] == "envlock sync --recreate"
    (synced.root / ".venv" / "pyvenv.cfg").unlink()
    [left] = synced.json("check")["drift"]
    assert (left["code"], left["found"]) == (
        "PY000",
        "a folder without pyvenv.cfg, so no virtual environment",
    )
    assert left["remedy"] == "move the folder away, then run envlock sync"
    [other] = synced.json("check", "--prefix", ".venv")["drift"]
    assert other["remedy"] == "name another --prefix"
    shutil.rmtree(synced.root / ".venv")
    assert drift(synced) == [("PY000", ".venv", f"CPython {PYTHON}", None)]
    assert synced.json("check")["drift"][0]["remedy"] == "envlock sync"


def test_another_interpreter_is_seen_and_packages_are_still_compared(
    project: Project, index: LoopbackIndex
) -> None:
    project.write()
    other = Target(platform=HERE.platform, python="3.98")
    write_lock(project.root, locked(index, index.add("alpha", "1.2", OLDER)), targets=(other,))
    new_venv(project.root / ".venv")
    full = ".".join(str(part) for part in sys.version_info[:3])
    assert drift(project, "--python-only") == [
        ("PY004", "python", "CPython 3.98", f"CPython {full}"),
        ("PY001", "alpha", "1.2", None),
    ]


def test_other_places(synced: Project, tmp_path: Path) -> None:
    python = new_venv(tmp_path / "other")
    missing = [("PY001", "alpha", "1.2", None), ("PY001", "beta", "2.0", None)]
    assert drift(synced, "--prefix", str(tmp_path / "other")) == missing
    assert drift(synced, "--python", str(python)) == missing
    assert drift(synced, "--python", str(python_of(synced))) == []
    assert drift(synced, "--prefix", "nowhere") == [("PY000", "nowhere", f"CPython {PYTHON}", None)]
    assert synced.run("check", "--python", "/nowhere/python").returncode == 2


def test_nothing_in_the_environment_is_imported_or_changed(synced: Project) -> None:
    bomb = "import pathlib; pathlib.Path(__file__).with_name('went-off').touch()\n"
    (site(synced) / "alpha" / "__init__.py").write_text(bomb)
    before = sorted(synced.root.rglob("*"))
    assert [d[:2] for d in drift(synced)] == [("PY102", "alpha/__init__.py")]
    assert sorted(synced.root.rglob("*")) == before


def test_a_remedy_names_what_was_compared(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    project.write("alpha")
    text = (project.root / "pyproject.toml").read_text()
    (project.root / "pyproject.toml").write_text(f"{text}\n[tool.envlock.env.docs]\n")
    alpha = locked(index, index.add("alpha", "1.2", OLDER))
    write_lock(project.root, alpha, wishes=("alpha", "gone"), name="pylock.docs.toml")
    new_venv(tmp_path / "an env")

    def told(*options: str) -> list[str]:
        found = project.json("check", "--name", "docs", *options)["drift"]
        return [d["remedy"] for d in found]

    assert told("--request-only") == ["envlock lock --name docs"]
    assert told("--python-only") == ["envlock sync --name docs"]
    prefix = str(tmp_path / "an env")
    assert told("--prefix", prefix, "--python-only") == [
        f"envlock sync --name docs --prefix '{prefix}'"
    ]
    (tmp_path / "an env/lib" / f"python{PYTHON}" / "site-packages/hook.pth").write_text("")
    said = project.run("check", "--name", "docs", "--prefix", prefix)
    line = said.stderr.splitlines()[-1]
    assert line == (
        "to repair PY105 startup-hook: remove it, or make the environment anew:"
        f" envlock sync --recreate --name docs --prefix '{prefix}'"
    )
    python = str(tmp_path / "an env/bin/python")
    assert told("--python", python, "--python-only") == [
        f"envlock sync --name docs --python '{python}'",
        "remove it, or make the environment anew: with what made it",
    ]
