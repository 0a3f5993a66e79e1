"""Scanning, reading and remembering trees of files."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from envlock.io.content import index
from envlock.io.content.reading import HEAD, Unread, Wanted, read_all
from envlock.io.content.scan import Scan, scan


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = tmp_path / "tree"
    (root / "sub").mkdir(parents=True)
    (root / "a").write_bytes(b"a" * 10)
    (root / "sub" / "large").write_bytes(b"b" * 3_000_000)
    (root / "link").symlink_to("a")
    (root / "nowhere").symlink_to("gone")
    (root / "loop").symlink_to(".")
    time.sleep(0.03)
    return root


def kept(root: Path, *, since: int | None = None, whole: bool = True) -> tuple[Scan, index.Index]:
    now = time.time_ns() if since is None else since
    found = scan([str(root)])
    facts = {(str(root / "a"), "sha256"): b"fact", (str(root / "link"), "sha256"): b"fact"}
    index.keep("key", found, facts, verdict=["v"], since=now, whole=whole)
    return found, index.load("key")


def test_a_tree_is_listed_without_entering_loops(tree: Path) -> None:
    found = scan([str(tree)], [str(tree / "missing")])
    assert sorted(os.path.relpath(p, tree) + ("/" if p.endswith("/") else "") for p in found.paths)\
        == sorted([".", "a", "sub", "sub/large", "link", "link/", "nowhere", "nowhere/", "loop",
                   "loop/", "missing"])  # fmt: skip
    place = found.place(str(tree / "sub" / "large"))
    assert place is not None
    assert found.size(place) == 3_000_000


def test_digests_are_those_of_hashlib(tree: Path) -> None:
    paths = [str(tree / "a"), str(tree / "sub" / "large"), str(tree / "link")]
    found = read_all(
        [Wanted(p, kind, os.path.getsize(p)) for p in paths for kind in ("sha256", "sha512", HEAD)]
    )
    for path in paths:
        content = Path(path).read_bytes()
        assert found[path, "sha256"] == hashlib.sha256(content).digest()
        assert found[path, "sha512"] == hashlib.sha512(content).digest()
        assert found[path, HEAD] == content[:16]


def test_what_cannot_be_read_says_why(tree: Path) -> None:
    os.mkfifo(tree / "pipe")
    names = ("gone", "nowhere", "pipe", "sub", "self")
    (tree / "self").symlink_to("self")
    found = read_all([Wanted(str(tree / name), "sha256", 0) for name in names])
    assert all(isinstance(answer, Unread) for answer in found.values())
    assert found[str(tree / "pipe"), "sha256"] == "no regular file"


def test_an_untouched_tree_is_known(tree: Path) -> None:
    found, known = kept(tree)
    assert known.holds()
    assert known.verdict == ["v"]
    # Of a link only the whole tree tells: what it leads to may change without it.
    assert known.facts(found) == {(str(tree / "a"), "sha256"): b"fact"}


@pytest.mark.parametrize(
    "change",
    [
        lambda tree: (tree / "a").write_bytes(b"b" * 10),
        lambda tree: (tree / "a").chmod(0o600),
        lambda tree: (tree / "new").touch(),
        lambda tree: (tree / "a").unlink(),
        lambda tree: (tree / "a").rename(tree / "c"),
        lambda tree: os.utime(tree / "sub" / "large", (1, 1)),
        lambda tree: (tree / "sub").rename(tree / "sup"),
        lambda tree: ((tree / "nowhere").unlink(), (tree / "nowhere").symlink_to("a")),
    ],
)
def test_a_touched_tree_is_not(tree: Path, change: object) -> None:
    _, known = kept(tree)
    change(tree)  # type: ignore[operator]
    assert not known.holds()


def test_nothing_is_known_of_a_file_that_changed_just_now(tree: Path) -> None:
    (tree / "a").write_bytes(b"c" * 10)
    found, known = kept(tree)
    assert not known.holds()
    assert known.facts(found) == {}


def test_a_record_from_the_future_is_none(tree: Path) -> None:
    _, known = kept(tree, since=time.time_ns() + 10**12)
    assert not known.whole
    assert not known.holds()


def test_another_machine_start_or_user_knows_nothing(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept(tree)
    monkeypatch.setattr(index, "_machine", lambda: ("elsewhere",))
    assert not index.load("key").whole


def test_a_damaged_record_is_none(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVLOCK_CACHE_DIR", str(tree.parent / "cache"))
    kept(tree)
    [record] = (tree.parent / "cache/index-2").glob("*/*")
    [facts] = (tree.parent / "cache/index-facts-2").glob("*/*")
    known, content = index.load("key"), facts.read_bytes()
    for damaged in (content[:-1], content[:40], b"", content.replace(b"sha256", b"sha255")):
        facts.write_bytes(damaged)
        assert known.facts(scan([str(tree)])) == {}
    content = record.read_bytes()
    for damaged in (content[:-1], content[:40], b"", content.replace(b"link", b"l1nk")):
        record.write_bytes(damaged)
        assert not index.load("key").whole


def test_facts_of_another_record_are_none(tree: Path) -> None:
    _, known = kept(tree)
    found, _ = kept(tree)
    assert known.facts(found) == {}


def test_paths_of_any_form_come_back(tmp_path: Path) -> None:
    names = ["a\nb", "a b", os.fsdecode(b"\xff"), "sub/x", "sub/x/y", "sub/z"]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).mkdir() if name == "sub/x" else (tmp_path / name).touch()
    time.sleep(0.03)
    now, found = time.time_ns(), scan([str(tmp_path)], ["/", "/nowhere", str(tmp_path / "gone")])
    facts = {(str(tmp_path / n), "sha256"): os.fsencode(n) for n in names if n != "sub/x"}
    index.keep("any", found, facts, verdict=None, since=now, whole=True)
    known = index.load("any")
    assert known.holds()
    assert known.facts(found) == facts
    (tmp_path / "gone").touch()
    assert not known.holds()
