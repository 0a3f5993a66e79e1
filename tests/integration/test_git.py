"""Which commit a git reference meant at a date: real git, real repositories.

Shown over ``file://``, a loopback ``git daemon`` and a loopback server of plain files: branches go
back in time along first parents (``git rev-list --first-parent --before`` is the oracle), tags and
ids are refused when later than the date, errors name what is nearest, and nothing of the caller's
own repository or a damaged cache gets in the way.
"""

from __future__ import annotations

import functools
import http.server
import itertools
import os
import random
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from support.repository import Repository, on

from envlock.errors import SourceError, UsageError
from envlock.io.git.history import Commit, resolve_commit


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "src")


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def test_a_branch_goes_back_to_the_date(repository: Repository, cache: Path) -> None:
    ids = [repository.commit(day) for day in range(5)]
    for day in range(5):
        found = resolve_commit(repository.url, "main", not_later_than=on(day + 0.5), cache=cache)
        assert found == Commit(id=ids[day], time=on(day), requested="main")


def test_the_date_itself_is_included(repository: Repository, cache: Path) -> None:
    first = repository.commit(0)
    repository.commit(1)
    just_before = on(1) - timedelta(seconds=1)
    assert resolve_commit(repository.url, None, not_later_than=just_before, cache=cache).id == first
    assert resolve_commit(repository.url, None, not_later_than=on(1), cache=cache).time == on(1)


def test_the_default_branch_need_not_be_main(repository: Repository, cache: Path) -> None:
    repository.commit(0)
    repository.git("checkout", "--quiet", "-b", "trunk")
    identity = repository.commit(1)
    found = resolve_commit(repository.url, None, not_later_than=None, cache=cache)
    assert found == Commit(id=identity, time=on(1), requested=None)


def test_first_parents_only(repository: Repository, cache: Path) -> None:
    """A side branch's commits were on the main branch only once they were merged."""
    base = repository.commit(0)
    repository.git("checkout", "--quiet", "-b", "side")
    repository.commit(1)
    repository.git("checkout", "--quiet", "main")
    repository.git("merge", "--quiet", "--no-ff", "-m", "merge", "side", date=on(3))
    found = resolve_commit(repository.url, "main", not_later_than=on(2), cache=cache)
    assert found.id == base


def test_dates_out_of_order_answer_as_git_does(repository: Repository, cache: Path) -> None:
    """Oracle: ``git rev-list`` on the source repository, for shuffled committer dates."""
    days = list(range(12))
    random.Random(4).shuffle(days)
    for day in days:
        repository.commit(day)
    compared = 0
    for day in range(12):
        limit = on(day + 0.5)
        expected = repository.git(
            "rev-list", "-1", "--first-parent", f"--before=@{int(limit.timestamp())} +0000", "main"
        )
        found = resolve_commit(repository.url, "main", not_later_than=limit, cache=cache)
        assert found.id == expected
        assert found.time <= limit
        compared += 1
    assert compared == 12


def test_no_commit_is_old_enough(repository: Repository, cache: Path) -> None:
    repository.commit(3)
    repository.commit(4)
    with pytest.raises(UsageError, match=r"the first is of 2026-01-04T00:00:00Z"):
        resolve_commit(repository.url, "main", not_later_than=on(2), cache=cache)


def test_tags_light_and_annotated(repository: Repository, cache: Path) -> None:
    identity = repository.commit(1)
    repository.git("tag", "light")
    repository.git("tag", "-a", "-m", "x", "heavy", date=on(2))
    repository.commit(5)
    for name in ("light", "heavy", "refs/tags/heavy"):
        found = resolve_commit(repository.url, name, not_later_than=on(3), cache=cache)
        assert found == Commit(id=identity, time=on(1), requested=name)


def test_a_tag_of_a_later_commit_is_refused(repository: Repository, cache: Path) -> None:
    repository.commit(5)
    repository.git("tag", "v1")
    with pytest.raises(UsageError, match=r"'?v1'? is of 2026-01-06T00:00:00Z, later than"):
        resolve_commit(repository.url, "v1", not_later_than=on(3), cache=cache)


def test_a_tag_made_later_is_refused_with_the_commit_named(
    repository: Repository, cache: Path
) -> None:
    identity = repository.commit(1)
    repository.git("tag", "-a", "-m", "x", "v1", date=on(5))
    with pytest.raises(UsageError, match="was made 2026-01-06T00:00:00Z") as caught:
        resolve_commit(repository.url, "v1", not_later_than=on(3), cache=cache)
    assert identity in (caught.value.remedy or "")


def test_a_branch_goes_before_a_tag(repository: Repository, cache: Path) -> None:
    repository.commit(0)
    repository.git("tag", "both")
    repository.git("checkout", "--quiet", "-b", "both")
    identity = repository.commit(1)
    found = resolve_commit(repository.url, "both", not_later_than=None, cache=cache)
    assert found.id == identity


@pytest.mark.parametrize("digits", [40, 12, 7])
def test_a_commit_by_its_id(repository: Repository, cache: Path, digits: int) -> None:
    wanted = repository.commit(0)
    repository.commit(1)
    ref = wanted[:digits]
    for _ in range(2):  # the second time from the cache
        found = resolve_commit(repository.url, ref, not_later_than=on(1), cache=cache)
        assert found == Commit(id=wanted, time=on(0), requested=ref)
    with pytest.raises(UsageError, match="later than"):
        resolve_commit(repository.url, ref, not_later_than=on(-1), cache=cache)


@pytest.mark.parametrize("ref", ["f" * 40, "fffffff"])
def test_an_unknown_id(repository: Repository, cache: Path, ref: str) -> None:
    repository.commit(0)
    with pytest.raises(UsageError, match=f"no branch, tag or commit '{ref}'"):
        resolve_commit(repository.url, ref, not_later_than=None, cache=cache)


def test_a_short_id_of_several_commits(repository: Repository, cache: Path) -> None:
    """Among 40,000 commits, some share their first seven digits (28 bits)."""
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@example.org> {1767225600 + n} +0000\ndata 0\n\n"
        for n in range(40_000)
    )
    subprocess.run(
        ["git", "-C", str(repository.folder), "fast-import", "--quiet"],
        input=stream.encode(),
        check=True,
    )
    counts = Counter(i[:7] for i in repository.git("rev-list", "main").split())
    prefix = next(prefix for prefix, count in counts.items() if count > 1)
    with pytest.raises(UsageError, match=f"several commits begin with '{prefix}'"):
        resolve_commit(repository.url, prefix, not_later_than=None, cache=cache)


def test_an_unknown_ref_names_the_nearest(repository: Repository, cache: Path) -> None:
    repository.commit(0)
    repository.git("tag", "v1.2.0")
    with pytest.raises(UsageError) as caught:
        resolve_commit(repository.url, "v1.2", not_later_than=None, cache=cache)
    assert "v1.2.0" in (caught.value.remedy or "")


def test_an_empty_repository(repository: Repository, cache: Path) -> None:
    with pytest.raises(UsageError, match="no commit on its default branch"):
        resolve_commit(repository.url, None, not_later_than=None, cache=cache)


def test_an_unreachable_repository(tmp_path: Path, cache: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read") as caught:
        resolve_commit((tmp_path / "no").as_uri(), "main", not_later_than=None, cache=cache)
    assert caught.value.exit_code == 3


def test_commands_in_urls_are_not_run(tmp_path: Path, cache: Path) -> None:
    flag = tmp_path / "flag"
    with pytest.raises(SourceError, match="not allowed"):
        resolve_commit(f"ext::touch {flag}", "main", not_later_than=None, cache=cache)
    with pytest.raises(UsageError, match="dash"):
        resolve_commit(f"--upload-pack=touch {flag}", "main", not_later_than=None, cache=cache)
    assert not flag.exists()


def test_a_branch_that_was_rewritten(repository: Repository, cache: Path) -> None:
    repository.commit(0)
    repository.commit(4)
    assert resolve_commit(repository.url, "main", not_later_than=on(1), cache=cache).time == on(0)
    repository.git("checkout", "--quiet", "--orphan", "other")
    identity = repository.commit(0.5)
    repository.commit(5)
    repository.git("branch", "--force", "main", "other")
    assert resolve_commit(repository.url, "main", not_later_than=on(1), cache=cache).id == identity


def test_the_caller_s_own_repository_is_left_alone(
    repository: Repository, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a git hook, where GIT_DIR and its like are set."""
    identity = repository.commit(0)
    mine = Repository(tmp_path / "mine")
    mine.commit(0)
    before = sorted(p.relative_to(mine.folder) for p in mine.folder.rglob("*"))
    monkeypatch.setenv("GIT_DIR", str(mine.folder / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(mine.folder))
    monkeypatch.setenv("GIT_CONFIG", str(tmp_path / "written-by-mistake"))
    found = resolve_commit(repository.url, "main", not_later_than=None, cache=cache)
    assert found.id == identity
    assert sorted(p.relative_to(mine.folder) for p in mine.folder.rglob("*")) == before
    assert not (tmp_path / "written-by-mistake").exists()


@pytest.mark.parametrize("damage", ["config", "objects", "half"])
def test_a_damaged_cache_is_made_anew(repository: Repository, cache: Path, damage: str) -> None:
    first = repository.commit(0)
    repository.commit(4)
    resolve_commit(repository.url, "main", not_later_than=on(1), cache=cache)
    for folder in (cache / "git").iterdir():
        if damage == "config":
            (folder / "config").write_text("[core")
        elif damage == "half":
            (folder / "config").unlink()
        else:
            for pack in folder.glob("objects/pack/*"):
                pack.chmod(0o644)
                pack.write_bytes(b"")
    found = resolve_commit(repository.url, "main", not_later_than=on(1), cache=cache)
    assert found.id == first


def test_only_commits_are_fetched(repository: Repository, cache: Path) -> None:
    repository.git("config", "uploadpack.allowFilter", "true")
    (repository.folder / "big").write_bytes(random.Random(1).randbytes(300_000))
    repository.git("add", "big")
    repository.commit(0)
    repository.commit(1)
    resolve_commit(repository.url, "main", not_later_than=on(0.5), cache=cache)
    size = sum(p.stat().st_size for p in (cache / "git").rglob("*") if p.is_file())
    assert 0 < size < 50_000


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[str]:
    """``git daemon`` on loopback for everything under ``tmp_path``; its base URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        ["git", "daemon", "--export-all", "--reuseaddr", "--listen=127.0.0.1", f"--port={port}",
         f"--base-path={tmp_path}"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        process_group=0,
    )  # fmt: skip
    try:
        _wait_for(port)
        yield f"git://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, 15)
        process.wait()


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    for _ in itertools.count():
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            assert time.monotonic() < deadline, "git daemon did not start"
            time.sleep(0.02)
        else:
            return


@pytest.fixture
def plain_files(tmp_path: Path) -> Iterator[str]:
    """A server of plain files for everything under ``tmp_path`` (git's dumb protocol)."""

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, format: str, *arguments: object) -> None:
            pass

    handler = functools.partial(Handler, directory=str(tmp_path))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("transport", ["daemon", "plain_files"])
def test_other_transports(
    repository: Repository, cache: Path, transport: str, request: pytest.FixtureRequest
) -> None:
    ids = [repository.commit(day) for day in range(3)]
    repository.git("tag", "-a", "-m", "x", "v1", date=on(2))
    repository.git("update-server-info")
    url = f"{request.getfixturevalue(transport)}/src/.git"
    for ref, expected in (("main", ids[1]), (ids[0], ids[0]), (ids[1][:9], ids[1])):
        assert resolve_commit(url, ref, not_later_than=on(1.5), cache=cache).id == expected
    assert resolve_commit(url, "v1", not_later_than=on(2), cache=cache).id == ids[2]
