"""The cached index answers as its text does, survives damage, and is shared by processes."""

from __future__ import annotations

import multiprocessing
import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.apt_cases import package, part

from envlock.errors import EnvlockError, SourceError, UsageError, VerificationError
from envlock.io.paths import cache_dir
from envlock.resolve.os.archive.index import IndexPart, PackageIndex

TEXT = (
    package("one", "1:1.0-1", source="uno (1.0)", provides="virtual (= 3), other")
    + package("two", "2", essential="yes", depends="one")
    + package("two", "10")
    + package("foreign", architecture="arm64")
    + package("three", architecture="all", provides="virtual")
)


def _index(*parts: IndexPart) -> PackageIndex:
    return PackageIndex(parts, architecture="amd64")


def _file(given: IndexPart) -> Path:
    return cache_dir() / "os-index-v1" / f"{given.sha256}.sqlite"


def _versions(index: PackageIndex, name: str) -> list[str]:
    return [candidate.version for candidate in index.versions(name)]


def test_versions_newest_first() -> None:
    with _index(part(TEXT)) as index:
        assert _versions(index, "two") == ["10", "2"]
        assert index.versions("missing") == ()
        assert index.candidate("missing") is None


def test_fields() -> None:
    with _index(part(TEXT)) as index:
        (one,) = index.versions("one")
    assert (one.package.source, one.package.source_version) == ("uno", "1.0")
    assert (one.package.size, one.package.filename) == (10, "./one_1:1.0-1.deb")
    assert [str(relation) for relation in one.provides] == ["virtual (= 3)", "other"]


def test_another_architecture_is_not_seen() -> None:
    with _index(part(TEXT)) as index:
        assert index.candidate("foreign") is None
        assert [c.name for c in index.providers("virtual")] == ["one", "three"]


def test_essential_is_what_the_candidate_says() -> None:
    with _index(part(TEXT)) as index:
        assert index.essential == ()  # two 10 is no longer
    with _index(part(package("two", essential="yes"))) as index:
        assert index.essential == ("two",)


def test_newest_over_several_suites_and_priority_before_that() -> None:
    release, security = part(package("a", "1")), part(package("a", "1+deb1"), suite="security")
    with _index(release, security) as index:
        assert _versions(index, "a") == ["1+deb1", "1"]
        assert index.suites == ("made-up", "security")
    with _index(replace(release, priority=990), security) as index:
        assert _versions(index, "a") == ["1", "1+deb1"]


def test_of_the_same_version_the_first_is_kept() -> None:
    first, second = part(package("a", section="x")), part(package("a", section="y", depends="b"))
    with _index(first, second) as index:
        (held,) = index.versions("a")
        assert held.depends == ()
    with _index(second, first) as index:
        (held,) = index.versions("a")
        assert held.depends != ()


def test_text_is_fetched_once() -> None:
    given = part(TEXT)
    _index(given).close()

    def never() -> bytes:
        raise AssertionError("the cache has it")

    with _index(replace(given, packages=never)) as index:
        assert _versions(index, "two") == ["10", "2"]


def test_a_wrong_text_is_refused_and_not_kept() -> None:
    given = replace(part(TEXT), packages=lambda: b"Package: evil\n")
    with pytest.raises(VerificationError, match="not the one that was signed"):
        _index(given)
    assert not _file(given).exists()
    with _index(part(TEXT)) as index:
        assert _versions(index, "two") == ["10", "2"]


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:9000])


def _empty(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def _holed(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)


def _holed_text(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: -len(TEXT)] + bytes(len(TEXT)))


def _stale(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[60:64] = (99).to_bytes(4, "big")  # where SQLite keeps user_version
    path.write_bytes(data)


@pytest.mark.parametrize("damage", [_truncate, _empty, _garbage, _holed, _holed_text, _stale])
def test_a_damaged_file_is_built_anew(damage: Callable[[Path], None]) -> None:
    given = part(TEXT)
    _index(given).close()
    whole = _file(given).read_bytes()
    damage(_file(given))
    with _index(given) as index:
        assert _versions(index, "two") == ["10", "2"]
        assert [c.name for c in index.providers("virtual")] == ["one", "three"]
    assert _file(given).read_bytes() == whole


def test_a_broken_text_leaves_nothing_behind() -> None:
    given = part("Package: a\nVersion: 1\n\nVersion: 2\n")
    with pytest.raises(UsageError) as caught:
        _index(given)
    assert caught.value.where == "made-up/main/binary-amd64/Packages, paragraph 2"
    assert list(_file(given).parent.iterdir()) == []


@pytest.mark.parametrize(
    ("field", "value", "what"),
    [
        ("sha256", "123", "SHA256 is not a digest"),
        ("size", "ten", "Size is not a number"),
        ("version", "", "no Version"),
        ("source", "a b c", "Source"),
    ],
)
def test_a_broken_paragraph_is_named_when_it_is_wanted(field: str, value: str, what: str) -> None:
    text = package("fine") + package("broken", **{field: value})
    text = text.replace("SHA256: " + "0" * 64, "")
    if field in ("sha256", "version", "size"):
        key = {"sha256": "SHA256", "version": "Version", "size": "Size"}[field]
        lines = package("broken").splitlines(keepends=True)
        lines = [f"{key}: {value}\n" if line.startswith(f"{key}:") else line for line in lines]
        text = package("fine") + "".join(lines)
    with _index(part(text)) as index:
        assert _versions(index, "fine") == ["1"]
        with pytest.raises(UsageError, match=what) as caught:
            index.versions("broken")
    assert "made-up/main/binary-amd64/Packages, paragraph 2 (broken)" in str(caught.value)


def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    blocked = tmp_path / "cache"
    blocked.write_text("a file, not a folder")
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(blocked))
    with pytest.raises(SourceError, match="cannot keep the package index") as caught:
        _index(part(TEXT))
    assert "ENVLOCK_CACHE_DIR" in str(caught.value)


def test_no_index_and_a_foreign_one() -> None:
    with pytest.raises(UsageError, match="no package index"):
        _index()
    with pytest.raises(UsageError, match="arm64, not amd64"):
        _index(replace(part(TEXT), architecture="arm64"))


def test_near_names() -> None:
    with _index(part("".join(map(package, ("ffmpeg", "ffmpegfs", "gdal-bin"))))) as index:
        assert index.near("ffmpg")[0] == "ffmpeg"
        assert index.near("FFMPEG")[0] == "ffmpeg"
        assert index.near("zzzzzzzzz") == ()


def test_first_mentions_decide_over_files() -> None:
    first = part(package("aa", provides="v", depends="cc") + package("bb", provides="v"))
    second = part(package("cc", provides="v"))
    with _index(first, second) as index:
        places = index.mentioned(("aa", "bb", "cc"))
    assert sorted(places, key=places.__getitem__) == ["aa", "bb", "cc"]


def _open_and_ask(text: str) -> list[str]:
    try:
        with _index(part(text)) as index:
            return _versions(index, "p7")
    except EnvlockError as error:
        return [str(error)]


def test_several_processes_at_once() -> None:
    text = "".join(package(f"p{number}", depends="x, y | z") for number in range(2000))
    with multiprocessing.get_context("fork").Pool(4) as pool:
        assert pool.map(_open_and_ask, [text] * 8, chunksize=1) == [["1"]] * 8
    given = part(text)
    assert [path.name for path in _file(given).parent.iterdir()] == [_file(given).name]
    assert stat.S_ISREG(_file(given).stat().st_mode)
