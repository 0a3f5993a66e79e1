"""The whole journey with the installed program: init, lock, sync, check, change, notice, diff.

The index is on loopback, so that each date has a known answer.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.tools import run

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("e2e")]

PROJECT = """\
# What this project is.
[project]
name = "journey"
version = "1"
requires-python = ">=3.11"
dependencies = [
  "beta",  # all else comes with it
]
"""


@dataclass(frozen=True, slots=True)
class Traveller:
    """Runs the installed program in one project."""

    envlock: str
    folder: Path

    def __call__(self, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = run([self.envlock, *arguments], cwd=self.folder, check=False)
        assert done.returncode == code, f"{arguments}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done

    def git(self, *arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        run(["git", *identity, *arguments], cwd=self.folder)

    def installed(self) -> dict[str, str]:
        code = (
            "import json, importlib.metadata as m;"
            "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))"
        )
        done = run([self.folder / ".venv" / "bin" / "python", "-c", code])
        found: dict[str, str] = json.loads(done.stdout)
        return found


@pytest.fixture
def travel(
    envlock: str, index: LoopbackIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Traveller:
    """A project in git, and an index where alpha has had three releases."""
    index.add("alpha", "1.0", "2020-01-01")
    index.add("alpha", "1.1", "2020-06-01")
    index.add("alpha", "2.0", "2021-06-01")
    index.add("beta", "1.0", "2020-01-01", requires=["alpha<2"])
    index.add("gamma", "0.5", "2020-01-01")
    monkeypatch.setenv("UV_DEFAULT_INDEX", index.url)
    folder = tmp_path / "journey"
    folder.mkdir()
    (folder / "pyproject.toml").write_text(PROJECT)
    traveller = Traveller(envlock, folder)
    traveller.git("init", "--quiet")
    return traveller


def test_the_journey(travel: Traveller) -> None:
    travel("init")
    settled = (travel.folder / "pyproject.toml").read_text()
    assert settled.startswith(PROJECT), "what was there stays, comments included"
    assert "[tool.envlock]" in settled

    travel("lock", "--as-of", "2020-03-01")
    first = (travel.folder / "pylock.toml").read_bytes()
    travel("sync")
    assert travel.installed() == {"alpha": "1.0", "beta": "1.0"}
    travel("check")
    travel("lock", "--check")
    travel.git("add", "pyproject.toml", "pylock.toml")
    travel.git("commit", "--quiet", "--message", "locked")

    # The wishes change: the lock is stale, and both checks say what made it so.
    changed = settled.replace('  "beta",', '  "gamma",\n  "beta",')
    (travel.folder / "pyproject.toml").write_text(changed)
    assert "gamma" in travel("lock", "--check", code=1).stderr
    stale = travel("check", code=1)
    assert "gamma" in stale.stdout + stale.stderr
    assert (travel.folder / "pylock.toml").read_bytes() == first

    # Locked again: at the same date, alpha stays; the environment has drifted until sync.
    travel("lock")
    assert "gamma" in travel("diff", "HEAD").stdout
    missing = travel("check", code=1)
    assert "gamma" in missing.stdout + missing.stderr
    travel("sync")
    assert travel.installed() == {"alpha": "1.0", "beta": "1.0", "gamma": "0.5"}
    travel("check")

    # A later date moves what may move: alpha to 1.1, not to 2.0, which beta does not want.
    travel("lock", "--as-of", "2022-01-01")
    difference = travel("diff", "HEAD").stdout
    assert "alpha" in difference
    assert "1.1" in difference
    travel("sync")
    travel("check")
    assert travel.installed()["alpha"] == "1.1"


def test_questions_about_a_lock(travel: Traveller) -> None:
    travel("lock", "--as-of", "2020-03-01")
    assert "beta" in travel("why", "alpha").stdout
    tree = travel("tree").stdout
    assert tree.index("beta") < tree.index("alpha")
    digest = travel("hash").stdout.strip()
    assert digest.startswith("env1-")
    assert digest in (travel.folder / "pylock.toml").read_text()
    exported = travel("export", "requirements").stdout
    assert "alpha==1.0" in exported
    assert "--hash=sha256:" in exported


def test_a_changed_environment_is_noticed(travel: Traveller, programs: Path) -> None:
    travel("lock", "--as-of", "2020-03-01")
    travel("sync")
    python = travel.folder / ".venv" / "bin" / "python"
    uv = programs / "uv"
    run([uv, "pip", "install", "--quiet", "--python", python, "alpha==1.1", "gamma"])
    run([uv, "pip", "uninstall", "--quiet", "--python", python, "beta"])
    report = json.loads(travel("check", "--json", code=1).stdout)
    text = json.dumps(report)
    for name in ("alpha", "beta", "gamma"):
        assert name in text
    travel("sync")
    travel("check")


def test_bad_input_and_unknown_commands(travel: Traveller) -> None:
    assert "lock" in travel("lokc", code=2).stderr
    assert "future" in travel("lock", "--as-of", "2999-01-01", code=2).stderr
    (travel.folder / "pyproject.toml").write_text(PROJECT + "[tool.envlock]\ntarget = []\n")
    said = travel("lock", code=2).stderr
    assert "targets" in said
    assert "pyproject.toml" in said
    assert not (travel.folder / "pylock.toml").exists()


def test_what_the_index_lacks_is_said(travel: Traveller) -> None:
    (travel.folder / "pyproject.toml").write_text(PROJECT.replace("beta", "no-such-thing"))
    assert "no-such-thing" in travel("lock", "--as-of", "2020-03-01", code=2).stderr


def test_a_damaged_lock_is_refused_and_kept(travel: Traveller) -> None:
    travel("lock", "--as-of", "2020-03-01")
    path = travel.folder / "pylock.toml"
    text = path.read_text()
    digest = text.partition('sha256 = "')[2][:64]
    path.write_text(text.replace(digest, "0" * 64))
    edited = path.read_bytes()
    travel("sync", code=4)
    assert "RQ002" in travel("check", code=1).stdout
    assert path.read_bytes() == edited
    path.write_text(text[: len(text) // 2])
    travel("sync", code=2)
