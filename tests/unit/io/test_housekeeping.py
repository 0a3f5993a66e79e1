"""What the cache has, and what goes when; nothing that is not envlock's."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import pytest

import envlock
from envlock.io import housekeeping, store
from envlock.io.cache import DiskCache
from envlock.io.housekeeping import Use, clean, measure, prune
from envlock.io.progress import SilentReporter

SOURCE = Path(envlock.__file__).parent
DAY = 24 * 3600


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache"
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(folder))
    return folder


def put(path: Path, size: int = 5000, *, age: float = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(os.urandom(size))
    then = time.time() - age * DAY
    os.utime(path, (then, then))
    return path


def kinds() -> set[str]:
    """Every name that the program's text gives to something in the cache folder."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        text = path.read_text()
        constants = dict(re.findall(r'^(_[A-Z_]+) = "([^"]+)"$', text, re.M))
        for said in re.findall(r"DiskCache\(([^)]*)\)", text):
            found.add(constants[said] if said in constants else said.strip('"'))
        for said in re.findall(r'cache_(?:dir|folder)\(\)(?: / |, )("[^"]+"|_[A-Z]+)', text):
            found.add(constants.get(said, said.strip('"')))
        for name, number in re.findall(
            r'Layout\([^)]*?folder="([^"]+)",\s*version=(\w+)', text, re.S
        ):
            version = number if number.isdigit() else re.findall(rf"{number} = (\d+)", text)[0]
            found.add(f"{name}-v{version}")
    return found - {"", "kind"}


def test_everything_that_is_put_there_is_known() -> None:
    found = kinds()
    assert len(found) > 25
    known = set(housekeeping._KINDS)
    # `git/` gets its name where no cache folder is in sight; the layouts of indexes by their table.
    assert found - known == set()
    assert known - found == {"git"}


def test_the_size_is_what_the_disk_says(cache: Path) -> None:
    assert measure() == ()
    first = put(cache / "sha256" / "aa" / "aa11", 100_000)
    second = put(cache / "sha256" / "bb" / "bb22", 3)
    put(cache / "environments" / "env1" / "lib" / "file", 10)
    (cache / "environments" / "env1" / "again").hardlink_to(
        cache / "environments" / "env1" / "lib" / "file"
    )
    DiskCache("metadata-v1").put("key", b"answer")
    put(cache / "thesis" / "chapter.tex")
    uses = {use.group: use for use in measure()}
    blocks = sum(path.stat().st_blocks for path in (first, second)) * 512
    assert uses["files"] == Use(group="files", entries=2, size=blocks)
    folders = sum(p.stat().st_blocks for p in (cache / "environments").rglob("*") if p.is_dir())
    one = (cache / "environments" / "env1" / "again").stat().st_blocks
    assert uses["environments"].size == (folders + one) * 512
    assert list(uses) == ["files", "environments", "answers"]


def test_only_what_was_not_used_goes(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = put(cache / "sha256" / "aa" / "aa11")
    new = put(cache / "sha256" / "aa" / "aa22")
    # The time of a change cannot be set: the clock goes on instead.
    late = time.time() + 100 * DAY
    os.utime(new, (late - 2 * DAY, 0))
    monkeypatch.setattr(time, "time", lambda: late)
    [shown] = prune(90, SilentReporter(), dry_run=True)
    assert shown.entries == 1
    assert old.exists()
    assert prune(90, SilentReporter()) == (shown,)
    assert not old.exists()
    assert new.exists()
    assert prune(90, SilentReporter()) == ()


def test_what_other_versions_left_goes_at_once(cache: Path) -> None:
    left = put(cache / "layers-2" / "aa" / "entry")
    put(cache / ".removing-abc" / "0")
    mine = put(cache / "layers-3" / "aa" / "entry")
    lock = put(cache / "building" / "one", 0)
    other = put(cache / "photos-2" / "cat.jpg")
    assert [use.group for use in prune(90, SilentReporter())] == ["old"]
    assert not left.exists()
    assert mine.exists()
    assert sorted(p.name for p in cache.iterdir()) == ["building", "layers-3", "photos-2"]
    clean(SilentReporter())
    assert sorted(p.name for p in cache.iterdir()) == ["building", "photos-2"]
    assert (lock.exists(), other.exists()) == (True, True)


def test_read_only_trees_go_too(cache: Path) -> None:
    file = put(cache / "pythons" / "one" / "usr" / "lib" / "file")
    file.chmod(0o400)
    for folder in (file.parent, file.parent.parent):
        folder.chmod(0o500)
    clean(SilentReporter())
    assert list(cache.iterdir()) == []


def test_the_store_goes_on_after_it(cache: Path, tmp_path: Path) -> None:
    made = put(tmp_path / "wheel")
    digest = store.store_made(made)
    assert store.has_stored(digest)
    clean(SilentReporter())
    assert not store.has_stored(digest)
    assert store.store_file(made, digest).read_bytes() == made.read_bytes()
