"""One suite for every store of runs."""

from __future__ import annotations

import hashlib
import json
import threading
from pathlib import Path

import pytest

from envlock.runs.folder import FolderStore
from envlock.runs.ids import new_id
from envlock.runs.store import Store

NOW = 1_800_000_000.0


@pytest.fixture(params=["folder"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    return FolderStore(str(tmp_path / "store"))


def everything(store: Store, kind: str) -> set[str]:
    return {name for part in store.partitions(kind) for name in store.members(kind, part)}


def test_an_empty_store_is_empty(store: Store) -> None:
    for kind in ("runs", "started", "events"):
        assert everything(store, kind) == set()
    with pytest.raises(OSError, match=r"."):
        store.read("runs", new_id(NOW))
    with pytest.raises(OSError, match=r"."):
        store.blob("0" * 64)


def test_from_note_to_record(store: Store) -> None:
    run = new_id(NOW)
    store.begin(run, b"note")
    store.settle(run)
    assert everything(store, "started") == {run}
    assert store.read("started", run) == b"note"
    store.finish(run, b"record")
    assert everything(store, "started") == set()
    assert everything(store, "runs") == {run}
    assert store.read("runs", run) == b"record"


def test_a_run_that_was_not_started_leaves_nothing(store: Store) -> None:
    run = new_id(NOW)
    store.begin(run, b"note")
    store.withdraw(run)
    store.withdraw(run)
    assert everything(store, "started") == set()


def test_nothing_is_written_twice(store: Store) -> None:
    run = new_id(NOW)
    store.finish(run, b"first")
    with pytest.raises(FileExistsError):
        store.finish(run, b"second")
    assert store.read("runs", run) == b"first"


def test_stamps_tell_what_changed(store: Store) -> None:
    first, later = new_id(NOW), new_id(NOW + 40 * 86400)
    store.finish(first, b"1")
    before = store.partitions("runs")
    store.finish(later, b"2")
    after = store.partitions("runs")
    changed = {part for part in after if before.get(part) != after[part]}
    assert {name for part in changed for name in store.members("runs", part)} == {later}
    assert everything(store, "runs") == {first, later}


def test_blobs_are_by_digest(store: Store) -> None:
    for content in (b"", b"x", bytes(range(256)) * 10000):
        assert not store.has(hashlib.sha256(content).hexdigest())
        sha256 = store.keep(content)
        assert store.has(sha256)
        assert sha256 == hashlib.sha256(content).hexdigest() == store.keep(content)
        assert store.blob(sha256) == content


@pytest.mark.parametrize("name", ["../../x", "", "x", "20261121T165501Z-3f9a0c1b2d4e/.."])
def test_names_lead_nowhere_else(store: Store, name: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        store.finish(name, b"")
    with pytest.raises(ValueError, match="no digest"):
        store.blob(name)


def test_many_writers(store: Store) -> None:
    ids = [new_id(NOW + n) for n in range(64)]

    def write(run: str) -> None:
        store.begin(run, b"{}")
        store.keep(b"shared")
        store.add_event(new_id(NOW), b"{}")
        store.finish(run, json.dumps(run).encode())

    threads = [threading.Thread(target=write, args=(run,)) for run in ids]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert everything(store, "runs") == set(ids)
    assert everything(store, "started") == set()
    assert len(everything(store, "events")) == 64
    assert all(json.loads(store.read("runs", run)) == run for run in ids)
