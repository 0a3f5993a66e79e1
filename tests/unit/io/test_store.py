"""The store: names are taken by bytes with that digest only, in one step, and damage is noticed."""

from __future__ import annotations

import hashlib
import os
import stat
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envlock.errors import DiskError, SourceError, VerificationError
from envlock.io.paths import cache_dir
from envlock.io.store import FORGOTTEN, Part, has_stored, store_file, stored, sweep

CONTENT = b"some bytes"
DIGEST = hashlib.sha256(CONTENT).hexdigest()


def keep(content: bytes = CONTENT) -> Path:
    with Part(hashlib.sha256(content).hexdigest()) as part:
        part.write(content)
        return part.settle()


def leftovers() -> list[Path]:
    return [path for path in (cache_dir() / "partial").glob("*") if path.is_file()]


def damage(path: Path, content: bytes) -> None:
    path.chmod(0o644)
    path.write_bytes(content)


@given(content=st.binary(max_size=3000))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_kept_is_there_whole_and_read_only(content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    path = keep(content)
    assert path == stored(digest)
    assert path.parts[-3:] == ("sha256", digest[:2], digest)
    assert path.read_bytes() == content
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert has_stored(digest)
    assert has_stored(digest, len(content))
    assert not has_stored(digest, len(content) + 1)
    assert path.exists(), "a wrong size is the asker's fault"
    assert leftovers() == []


def test_nothing_is_there_at_first() -> None:
    assert not has_stored(DIGEST)
    assert not has_stored(DIGEST, len(CONTENT))


@pytest.mark.parametrize("content", [b"some bytez", b"", b"some bytes and more", b"some"])
def test_damage_is_noticed_and_thrown_away(content: bytes) -> None:
    path = keep()
    damage(path, content)
    assert not has_stored(DIGEST, len(CONTENT))
    assert not path.exists()


def test_a_known_file_is_not_read_again_and_a_copied_one_is_read_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = keep()
    reads = []
    real = hashlib.file_digest

    def counted(file: object, name: str) -> object:
        reads.append(file)
        return real(file, name)  # type: ignore[arg-type]

    monkeypatch.setattr(hashlib, "file_digest", counted)
    assert has_stored(DIGEST, len(CONTENT))
    assert reads == []
    os.utime(path)  # a cache that was copied without its times
    assert has_stored(DIGEST, len(CONTENT))
    assert has_stored(DIGEST, len(CONTENT))
    assert len(reads) == 1


def test_a_file_put_under_another_ones_name_is_noticed_with_its_times() -> None:
    other = keep(b"other bytes")
    path = keep()
    path.unlink()
    other.rename(path)
    assert not has_stored(DIGEST)


def test_a_part_is_continued_where_it_was_left() -> None:
    with Part(DIGEST) as part:
        part.write(CONTENT[:4])
    assert not has_stored(DIGEST)
    with Part(DIGEST) as part:
        assert part.file.read() == CONTENT[:4]
        part.write(CONTENT[4:])
        part.settle()
    assert stored(DIGEST).read_bytes() == CONTENT
    assert leftovers() == []


@pytest.mark.parametrize("content", [CONTENT[:3], b""])
def test_a_part_that_is_not_wanted_leaves_nothing(content: bytes) -> None:
    with Part(DIGEST) as part:
        part.write(content)
        if content:
            part.discard()
    assert leftovers() == []
    assert not has_stored(DIGEST)


def test_two_at_once_do_not_meet() -> None:
    with Part(DIGEST) as first, Part(DIGEST) as second:
        first.write(CONTENT[:5])
        second.write(CONTENT)
        second.settle()
        assert has_stored(DIGEST)
        first.write(CONTENT[5:])
        first.settle()
    assert stored(DIGEST).read_bytes() == CONTENT
    assert leftovers() == []


def test_the_one_who_comes_later_does_not_write_into_the_store() -> None:
    with Part(DIGEST) as first:
        first.write(CONTENT)
        first.settle()
    with Part(DIGEST) as second:
        second.write(b"xxxx")
    assert stored(DIGEST).read_bytes() == CONTENT
    assert has_stored(DIGEST)


def test_a_folder_that_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(tmp_path / "file" / "cache"))
    with pytest.raises(DiskError, match="cannot write") as caught, Part(DIGEST):
        pass
    assert caught.value.exit_code == 3
    assert not has_stored(DIGEST)


def test_a_name_that_is_taken_by_a_folder_leaves_nothing() -> None:
    (stored(DIGEST) / "inner").mkdir(parents=True)
    with pytest.raises(DiskError):
        keep()
    assert leftovers() == []
    assert not has_stored(DIGEST)


def test_a_file_of_this_machine_is_copied(tmp_path: Path) -> None:
    source = tmp_path / "a.whl"
    source.write_bytes(CONTENT)
    path = store_file(source, DIGEST)
    assert path.read_bytes() == CONTENT
    assert has_stored(DIGEST, len(CONTENT))
    source.unlink()
    assert store_file(source, DIGEST) == path, "what is there is not read again"


def test_a_file_of_this_machine_with_other_bytes_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "a.whl"
    source.write_bytes(CONTENT + b"!")
    with pytest.raises(VerificationError) as caught:
        store_file(source, DIGEST)
    assert caught.value.where == str(source)
    assert leftovers() == []
    with pytest.raises(SourceError, match="cannot read"):
        store_file(tmp_path / "missing.whl", DIGEST)


def test_what_was_forgotten_is_thrown_away() -> None:
    digests = [hashlib.sha256(text).hexdigest() for text in (b"old", b"new")]
    for digest in digests:
        with Part(digest) as part:
            part.write(b"x")
    old, new = (cache_dir() / "partial" / digest for digest in digests)
    long_ago = time.time() - FORGOTTEN - 60
    os.utime(old, (long_ago, long_ago))
    sweep()
    assert leftovers() == [new]
