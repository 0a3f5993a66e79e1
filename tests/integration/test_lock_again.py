"""A lock that is there already: what stays, what moves, and what makes it stale."""

from __future__ import annotations

import json

import pytest
from support.index import LoopbackIndex
from support.project import Project, only, pins


@pytest.fixture(params=["uv", "pip-tools"])
def engine(request: pytest.FixtureRequest) -> str:
    """``--engine`` of the run."""
    name: str = request.param
    return f"--engine={name}"


@pytest.fixture
def grown(project: Project, index: LoopbackIndex) -> Project:
    """Locked "now" when ``lib`` and ``deep`` had one release each; since then both have two."""
    index.add("lib", "1.0", "2024-01-01", requires=["deep"])
    index.add("deep", "1.0", "2024-01-01")
    index.add("new", "1.0", "2024-01-01")
    project.write("lib", "deep").lock(as_of=None)
    index.add("lib", "1.1", "2024-02-01", requires=["deep"])
    index.add("deep", "1.1", "2024-02-01")
    return project


# --- what stays ---


def test_nothing_to_do_asks_nobody(grown: Project, index: LoopbackIndex) -> None:
    before = grown.lock_path.read_bytes()
    index.forget_requests()
    done = grown.run("lock")
    assert done.returncode == 0
    assert "up to date" in done.stderr
    assert index.count() == 0
    assert grown.lock_path.read_bytes() == before


def test_a_new_wish_moves_nothing_else(grown: Project) -> None:
    grown.write("lib", "deep", "new")
    assert pins(grown.lock("--refresh", as_of=None)) == {"lib": "1.0", "deep": "1.0", "new": "1.0"}


def test_a_wish_that_goes_takes_only_its_own_along(grown: Project) -> None:
    grown.write("deep")
    assert pins(grown.lock("--refresh", as_of=None)) == {"deep": "1.0"}


def test_a_pin_moves_when_it_must(grown: Project) -> None:
    grown.write("lib>=1.1", "deep")
    assert pins(grown.lock("--refresh", "--upgrade-package=none", as_of=None)) == {
        "lib": "1.1",
        "deep": "1.0",
    }


def test_pins_stay_with_either_engine(project: Project, index: LoopbackIndex, engine: str) -> None:
    index.add("lib", "1.0", "2024-01-01")
    index.add("new", "1.0", "2024-01-01")
    index.add("lib", "2.0", "2024-05-01")
    project.write("lib<2").lock(engine)
    project.write("lib", "new")
    assert pins(project.lock(engine)) == {"lib": "1.0", "new": "1.0"}
    assert pins(project.lock(engine, "--upgrade")) == {"lib": "2.0", "new": "1.0"}


def test_files_added_later_do_not_come_by_themselves(grown: Project, index: LoopbackIndex) -> None:
    index.add("lib", "1.0", "2024-03-01", sdist=True)
    before = only(grown.read(), "lib").files
    assert only(grown.write("lib", "deep", "new").lock(as_of=None), "lib").files == before


# --- what moves ---


def test_one_package_is_upgraded_by_name(grown: Project) -> None:
    lock = grown.lock("--upgrade-package", "Lib", "--refresh", as_of=None)
    assert pins(lock) == {"lib": "1.1", "deep": "1.0"}


def test_everything_is_upgraded(grown: Project) -> None:
    assert pins(grown.lock("--upgrade", "--refresh", as_of=None)) == {"lib": "1.1", "deep": "1.1"}


def test_another_date_gives_that_dates_answer(grown: Project) -> None:
    # The same as a project locked at that date for the first time.
    assert pins(grown.lock("--refresh", as_of="2024-01-15")) == {"lib": "1.0", "deep": "1.0"}
    assert pins(grown.lock("--refresh", as_of="2024-02-15")) == {"lib": "1.1", "deep": "1.1"}


def test_a_locked_file_that_is_gone_is_replaced(grown: Project, index: LoopbackIndex) -> None:
    [old] = [file for file in index.files("lib") if file.version == "1.0"]
    index.remove(old)
    grown.write("lib", "deep", "new")
    assert pins(grown.lock("--refresh", as_of=None))["lib"] == "1.1"


# --- --check and --dry-run ---


def test_check_is_quick_about_a_fresh_lock(grown: Project, index: LoopbackIndex) -> None:
    index.forget_requests()
    done = grown.run("lock", "--check")
    assert (done.returncode, done.stdout) == (0, "")
    assert index.count() == 0


@pytest.mark.parametrize(
    ("dependencies", "settings", "reason"),
    [
        (["lib", "deep", "new"], {}, "requirements: new was added"),
        (["lib"], {}, "requirements: deep was removed"),
        (["lib>=1", "deep"], {}, "lib>=1"),
        (["lib", "deep"], {"constraints": ["deep<9"]}, "constraints: deep<9 was added"),
        (["lib", "deep"], {"prereleases": True}, "prereleases"),
        (["lib", "deep"], {"as-of": "2024-01-15"}, "as-of"),
        (["lib", "deep"], {"targets": ["macos/arm64"]}, "targets"),
    ],
)
def test_check_says_what_made_the_lock_stale(
    grown: Project, dependencies: list[str], settings: dict[str, object], reason: str
) -> None:
    grown.write(*dependencies, settings=settings)
    said = grown.refused("--check", code=1, as_of=None)
    assert reason in said
    found = json.loads(grown.run("lock", "--check", "--json").stdout)
    assert found["stale"] is True
    assert any(reason in text for text in found["reasons"])


def test_check_without_a_lock(project: Project) -> None:
    said = project.write("lib").refused("--check", code=1, as_of=None)
    assert "there is no lock" in said


def test_check_as_of_another_date(grown: Project) -> None:
    assert "2024-01-15" not in grown.lock_path.read_text()
    said = grown.refused("--check", code=1, as_of="2024-01-15")
    assert "as-of" in said


def test_a_dry_run_shows_and_writes_nothing(grown: Project) -> None:
    said = grown.refused("--dry-run", "--upgrade", "--refresh", code=0, as_of=None)
    assert "lib 1.0 → 1.1" in said
    assert "deep 1.0 → 1.1" in said
    found = json.loads(grown.run("lock", "--dry-run", "--upgrade", "--refresh", "--json").stdout)
    assert found["written"] is False
    assert {(c["name"], c["before"], c["after"]) for c in found["changes"]} == {
        ("lib", "1.0", "1.1"),
        ("deep", "1.0", "1.1"),
    }


def test_a_dry_run_without_a_lock_makes_none(project: Project, index: LoopbackIndex) -> None:
    index.add("lib", "1.0", "2024-01-01")
    done = project.write("lib").run("lock", "--dry-run", "--as-of=2024-06-01")
    assert done.returncode == 0
    assert not project.lock_path.exists()


# --- a damaged lock ---


def damaged(text: str) -> dict[str, str]:
    return {
        "cut": text[: len(text) // 2],
        "edited": text.replace('"1.0"', '"1.5"', 1).replace("lib-1.0", "lib-1.5"),
        "digest": text.replace("sha256 = ", "sha256 = ", 1).replace("env1-", "env1-0", 1),
        "empty": "",
        "html": "<html></html>",
        "conflict": text.replace("[[packages]]", "<<<<<<< HEAD\n[[packages]]", 1),
        "foreign": "lock-version = '1.0'\ncreated-by = 'x'\npackages = []\n",
    }


@pytest.mark.parametrize("kind", list(damaged("")))
def test_a_damaged_lock_is_kept_and_named(grown: Project, kind: str) -> None:
    text = damaged(grown.lock_path.read_text())[kind]
    assert text != grown.lock_path.read_text()
    grown.lock_path.write_text(text)
    for arguments in ((), ("--check",), ("--upgrade-package=lib",)):
        done = grown.run("lock", *arguments)
        assert done.returncode in (2, 4), (kind, arguments, done.stderr)
        assert "pylock.toml" in done.stderr
        assert "help:" in done.stderr
        assert grown.lock_path.read_text() == text
    assert pins(grown.lock("--upgrade", "--refresh", as_of=None)) == {"lib": "1.1", "deep": "1.1"}


def test_a_newer_format_is_never_overwritten(grown: Project) -> None:
    text = grown.lock_path.read_text().replace("format = 1", "format = 2")
    grown.lock_path.write_text(text)
    for arguments in ((), ("--upgrade",), ("--check",)):
        said = grown.refused(*arguments, code=2, as_of=None)
        assert "pip install --upgrade envlock" in said
