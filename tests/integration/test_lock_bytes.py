"""Same request and date, same bytes: whoever locks, wherever, how often; killed or at once."""

from __future__ import annotations

import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.project import Project

from envlock.errors import EnvlockError
from envlock.lock import codec


@pytest.fixture
def busy(project: Project, index: LoopbackIndex) -> Project:
    """A project whose answer has markers, extras, groups, a build and several targets."""
    for name in ("one", "two", "three", "four", "five"):
        index.add(name, "1.0", "2024-01-01", extras={"x": ["deep"], "y": ["deeper"]})
        index.add(name, "1.0", "2024-01-01", sdist=True)
        for tag in ("cp311-cp311-win_amd64", "cp311-cp311-manylinux_2_17_x86_64"):
            index.add(name, "1.1", "2024-02-01", tag=tag, requires=["deep; os_name == 'nt'"])
    index.add("deep", "1.0", "2024-01-01", requires=["deeper>=1"])
    index.add("deeper", "1.0", "2024-01-01", sdist=True, dynamic=True, requires=["one"])
    return project.write(
        "one[y,x]", "two", "three[x]; os_name == 'nt'", "FOUR",
        groups={"dev": ["five"]},
        settings={
            "groups": ["dev"],
            "targets": ["windows/amd64@3.11", "linux/amd64@3.11", "linux/amd64@3.12"],
        },
    )  # fmt: skip


def fresh_bytes(project: Project, **variables: str) -> bytes:
    project.lock_path.unlink(missing_ok=True)
    project.lock(**variables)
    return project.lock_path.read_bytes()


def test_nothing_about_the_run_is_in_the_bytes(busy: Project, tmp_path: Path) -> None:
    expected = fresh_bytes(busy, PYTHONHASHSEED="0")
    variants: list[dict[str, str]] = [
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "12345", "TZ": "Asia/Kathmandu"},
        {"TZ": "America/St_Johns", "LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "COLUMNS": "20", "FORCE_COLOR": "1"},
        {"XDG_CACHE_HOME": str(tmp_path / "cold cache é"), "HOME": str(tmp_path / "home")},
        {"ENVLOCK_CACHE_DIR": str(tmp_path / "other"), "UV_CACHE_DIR": str(tmp_path / "uv")},
        {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONOPTIMIZE": "2"},
    ]
    for variables in variants:
        assert fresh_bytes(busy, **variables) == expected, variables


def test_nor_where_the_project_lies_or_who_called(busy: Project, tmp_path: Path) -> None:
    expected = fresh_bytes(busy)
    elsewhere = tmp_path / "some where" / "é"
    shutil.copytree(busy.root, elsewhere)
    assert fresh_bytes(Project(elsewhere, busy.index)) == expected
    busy.lock_path.unlink()
    done = busy.run("-C", str(busy.root), "lock", "--as-of=2024-06-01", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert busy.lock_path.read_bytes() == expected
    below = busy.root / "src" / "deep"
    below.mkdir(parents=True)
    busy.lock_path.unlink()
    assert busy.run("lock", "--as-of=2024-06-01", cwd=below).returncode == 0
    assert busy.lock_path.read_bytes() == expected


def test_nor_what_was_uploaded_since(busy: Project, index: LoopbackIndex) -> None:
    expected = fresh_bytes(busy)
    index.add("one", "9.0", "2024-06-02")
    index.add("deep", "9.0", "2025-06-02")
    assert fresh_bytes(busy, XDG_CACHE_HOME=str(busy.root.parent / "cold")) == expected


def test_nor_the_order_of_writing(busy: Project) -> None:
    expected = fresh_bytes(busy)
    busy.write(
        "four", "three[x]; os_name == 'nt'", "two", "one[x,y]", "two",
        groups={"dev": ["five"]},
        settings={
            "targets": ["linux/amd64@3.12", "windows/amd64@3.11", "linux/amd64@3.11"],
            "groups": ["dev"],
        },
    )  # fmt: skip
    assert fresh_bytes(busy) == expected


def test_locking_again_over_a_lock_gives_it_again(busy: Project) -> None:
    expected = fresh_bytes(busy)
    busy.lock("--upgrade")
    assert busy.lock_path.read_bytes() == expected
    busy.lock("--refresh")
    assert busy.lock_path.read_bytes() == expected


def test_with_the_other_engine_too(busy: Project) -> None:
    settings = {"targets": ["linux/amd64@3.11"], "groups": ["dev"]}
    busy.write("one[y,x]", "two", groups={"dev": ["five"]}, settings=settings)
    expected = fresh_bytes(busy)
    by_pip = set()
    for seed in ("1", "2"):
        busy.lock_path.unlink()
        busy.lock("--engine=pip-tools", PYTHONHASHSEED=seed, TZ="Asia/Kathmandu")
        by_pip.add(busy.lock_path.read_bytes())
    [text] = by_pip
    assert text.replace(b'"pip-tools"', b'"uv"') == expected


def test_two_at_once_do_not_disturb_each_other(busy: Project) -> None:
    expected = fresh_bytes(busy)
    busy.lock_path.unlink()
    both = [busy.start("lock", "--as-of=2024-06-01") for _ in range(3)]
    for running in both:
        _, errors = running.communicate(timeout=120)
        assert running.returncode == 0, errors
    assert busy.lock_path.read_bytes() == expected
    assert {p.name for p in busy.root.iterdir()} == {"pylock.toml", "pyproject.toml"}


def test_different_wishes_at_once_leave_one_whole_answer(busy: Project) -> None:
    answers = set()
    for name in ("one", "two"):
        busy.lock_path.unlink(missing_ok=True)
        busy.write(name).lock()
        answers.add(busy.lock_path.read_bytes())
    running = []
    for turn in range(6):
        busy.write(("one", "two")[turn % 2])
        running.append(busy.start("lock", "--as-of=2024-06-01"))
        time.sleep(0.1)
    for one in running:
        _, errors = one.communicate(timeout=120)
        assert one.returncode == 0, errors
    assert busy.lock_path.read_bytes() in answers


def test_killed_at_any_moment_the_lock_is_the_old_or_the_new(
    busy: Project, index: LoopbackIndex
) -> None:
    old = fresh_bytes(busy)
    arguments = ("lock", "--as-of=2024-03-01")
    busy.run(*arguments)
    new = busy.lock_path.read_bytes()
    assert old != new
    chance = random.Random(3)
    ends = {"old": 0, "new": 0}
    started = time.monotonic()
    busy.lock_path.write_bytes(old)
    busy.run(*arguments)
    usual = time.monotonic() - started
    for _ in range(30):
        busy.lock_path.write_bytes(old)
        running = busy.start(*arguments)
        time.sleep(chance.uniform(0.2, 1.1) * usual)
        running.send_signal(signal.SIGKILL)
        running.communicate()
        content = busy.lock_path.read_bytes()
        assert content in (old, new)
        ends["old" if content == old else "new"] += 1
        codec.load(content.decode(), where="pylock.toml")
    assert min(ends.values()) > 0, (ends, "the kills were all too early or too late")
    # And the next run is none the worse.
    busy.lock_path.write_bytes(old)
    assert busy.run(*arguments).returncode == 0
    assert busy.lock_path.read_bytes() == new


def test_a_lock_is_never_read_half_while_it_is_written(busy: Project) -> None:
    fresh_bytes(busy)
    running = [busy.start("lock", "--as-of", day) for day in ("2024-03-01", "2024-04-01")]
    reads = 0
    while any(one.poll() is None for one in running):
        try:
            codec.load(busy.lock_path.read_text("utf-8"), where="pylock.toml")
        except EnvlockError as error:
            pytest.fail(str(error))
        reads += 1
    for one in running:
        assert one.communicate()[1] is not None
        assert one.returncode == 0
    assert reads > 10
