"""Direct references against real repositories and a real server.

Shown: a branch becomes the commit that it was at the date, and stays when the lock already says so;
an archive becomes its digest, fetched whole; what its server dates after the lock's date, and what
has another digest than stated, is refused with the line that asked for it.
"""

from __future__ import annotations

import hashlib
import http.server
import os
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from support.index import LoopbackIndex, serving
from support.packages import make_wheel

from envlock.errors import SourceError, UsageError, VerificationError
from envlock.io.http.client import Http
from envlock.lock.package import Archive, PythonPackage, Vcs
from envlock.lock.request import Request, Wish
from envlock.lock.target import Target
from envlock.resolve.python.direct import PinnedRequest, pin_direct

LINUX = Target(platform="linux/amd64", python="3.11")
AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Notes:
    """A reporter that remembers."""

    def __init__(self) -> None:
        self.notes: list[str] = []

    def step(self, text: str) -> None:
        pass

    def progress(self, done: int, total: int | None) -> None:
        pass

    def note(self, text: str) -> None:
        self.notes.append(text)


def pin(
    *wishes: Wish | str,
    root: Path,
    dated: bool = True,
    as_of: datetime = AS_OF,
    notes: Notes | None = None,
    pins: tuple[PythonPackage, ...] = (),
) -> PinnedRequest:
    asked = tuple(
        w if isinstance(w, Wish) else Wish(text=w, origin="requirements.in:7") for w in wishes
    )
    with Http(backoff=0.01) as http:
        return pin_direct(
            Request(wishes=asked, targets=(LINUX,)),
            root,
            as_of,
            dated=dated,
            http=http,
            reporter=notes or Notes(),
            pins=pins,
        )


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """Two commits on ``main``: ten days before the date and ten days after it."""
    folder = tmp_path / "src"
    folder.mkdir()
    git(folder, "init", "--quiet", "-b", "main")
    commit(folder, AS_OF - 10 * DAY)
    git(folder, "tag", "v1")
    commit(folder, AS_OF + 10 * DAY)
    return folder


def git(folder: Path, *arguments: str, date: datetime = AS_OF) -> str:
    stamp = f"@{int(date.timestamp())} +0000"
    names = {f"GIT_{who}_{what}": "a@example.org"
             for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}  # fmt: skip
    return subprocess.run(
        ["git", "-C", str(folder), *arguments],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | names | {"GIT_AUTHOR_DATE": stamp, "GIT_COMMITTER_DATE": stamp},
    ).stdout.strip()


def commit(folder: Path, date: datetime) -> str:
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "x", date=date)
    return git(folder, "rev-parse", "HEAD")


def test_a_branch_becomes_a_commit(repository: Path, tmp_path: Path) -> None:
    old = git(repository, "rev-parse", "main~")
    url = repository.as_uri()
    pinned = pin(f"lib[x] @ git+{url}@main#subdirectory=py ; python_version >= '3'", root=tmp_path)
    assert pinned.facts == {
        "lib": Vcs(kind="git", url=url, commit=old, requested="main", subdirectory="py")
    }
    assert pinned.request.wishes[0].text == (
        f'lib[x] @ git+{url}@{old}#subdirectory=py ; python_version >= "3"'
    )


def test_a_later_date_takes_the_later_commit(repository: Path, tmp_path: Path) -> None:
    wish = f"lib @ git+{repository.as_uri()}"
    [fact] = pin(wish, root=tmp_path, as_of=AS_OF + 11 * DAY).facts.values()
    assert isinstance(fact, Vcs)
    assert (fact.commit, fact.requested) == (git(repository, "rev-parse", "main"), None)


def test_a_locked_commit_stays_where_the_branch_is_the_same(
    repository: Path, tmp_path: Path
) -> None:
    wish = f"lib @ git+{repository.as_uri()}@main"
    later = AS_OF + 20 * DAY
    locked = pin(wish, root=tmp_path)
    entry = locked.complete(PythonPackage(name="lib", version="1"))
    assert pin(wish, root=tmp_path, as_of=later, pins=(entry,)).facts == locked.facts
    # Without the pin, for another ref, or before the locked commit was made, it is asked anew.
    assert pin(wish, root=tmp_path, as_of=later).facts != locked.facts
    tagged = wish.replace("@main", "@v1")
    [fact] = pin(tagged, root=tmp_path, as_of=later, pins=(entry,)).facts.values()
    assert isinstance(fact, Vcs)
    assert fact.requested == "v1"
    with pytest.raises(UsageError, match="as old as"):
        pin(wish, root=tmp_path, as_of=AS_OF - 11 * DAY, pins=(entry,))


def test_errors_of_repositories_name_the_line(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no branch, tag or commit 'mian'") as caught:
        pin(f"lib @ git+{repository.as_uri()}@mian", root=tmp_path)
    assert (caught.value.where or "").startswith("requirements.in:7: file://")
    with pytest.raises(SourceError) as unreachable:
        pin(f"lib @ git+{(tmp_path / 'gone').as_uri()}", root=tmp_path)
    assert (unreachable.value.where or "").startswith("requirements.in:7: file://")


@pytest.fixture
def index() -> Iterator[LoopbackIndex]:
    with serving() as running:
        yield running


def test_an_archive_becomes_its_digest(index: LoopbackIndex, tmp_path: Path) -> None:
    name, content = make_wheel("lib", "1.0")
    url = index.put(f"/direct/{name}", content)
    digest = hashlib.sha256(content).hexdigest()
    notes = Notes()
    pinned = pin(f"lib @ {url}", root=tmp_path, notes=notes)
    assert pinned.facts == {"lib": Archive(url=url, sha256=digest, size=len(content))}
    assert pinned.request.wishes[0].text == f"lib @ {url}#sha256={digest}"
    assert notes.notes == [f"{url} has no upload time: it is fixed by its sha256, not by date"]


def test_a_stated_digest_is_verified_once(index: LoopbackIndex, tmp_path: Path) -> None:
    name, content = make_wheel("lib", "1.0")
    url = index.put(f"/direct/{name}", content)
    digest = hashlib.sha256(content).hexdigest()
    inline = f"lib @ {url}#sha256={digest}&subdirectory=a"
    beside = Wish(text=f"lib @ {url}", hashes=("sha256:" + "0" * 64, f"sha256:{digest}"))
    notes = Notes()
    for wish, subdirectory in ((inline, "a"), (inline, "a"), (beside, None)):
        fact = pin(wish, root=tmp_path, notes=notes).facts["lib"]
        assert fact == Archive(url=url, sha256=digest, size=len(content), subdirectory=subdirectory)
    assert notes.notes == []
    assert index.count("/direct/*") == 1


@pytest.mark.parametrize("form", ["fragment", "hash", "hashes"])
def test_another_digest_than_stated(index: LoopbackIndex, tmp_path: Path, form: str) -> None:
    url = index.put("/direct/lib-1.0.tar.gz", b"other bytes")
    wrong = ("sha256:" + "0" * 64, "sha256:" + "1" * 64)
    wish = {
        "fragment": Wish(text=f"lib @ {url}#sha256={'0' * 64}", origin="r.in:3"),
        "hash": Wish(text=f"lib @ {url}", hashes=wrong[:1], origin="r.in:3"),
        "hashes": Wish(text=f"lib @ {url}", hashes=wrong, origin="r.in:3"),
    }[form]
    with pytest.raises(VerificationError) as caught:
        pin(wish, root=tmp_path)
    assert (caught.value.where or "").startswith("r.in:3")
    assert hashlib.sha256(b"other bytes").hexdigest() in str(caught.value)


def test_digests_that_contradict_each_other(index: LoopbackIndex, tmp_path: Path) -> None:
    url = index.put("/direct/lib-1.0.tar.gz", b"bytes")
    good = hashlib.sha256(b"bytes").hexdigest()
    wish = Wish(text=f"lib @ {url}#sha256={good}", hashes=("sha256:" + "0" * 64,))
    with pytest.raises(VerificationError, match="contradict"):
        pin(wish, root=tmp_path)


@pytest.mark.parametrize("fault", ["truncate", "500", "cut"])
def test_an_archive_that_cannot_be_had(index: LoopbackIndex, tmp_path: Path, fault: str) -> None:
    url = index.put("/direct/lib-1.0.tar.gz", b"x" * 5000)
    index.fail("/direct/*", fault)  # type: ignore[arg-type]
    with pytest.raises(SourceError) as caught:
        pin(f"lib @ {url}", root=tmp_path, dated=False)
    assert (caught.value.where or "").startswith("requirements.in:7: http://127.0.0.1")


def test_a_connection_cut_once_changes_nothing(index: LoopbackIndex, tmp_path: Path) -> None:
    content = bytes(range(256)) * 100
    url = index.put("/direct/lib-1.0.tar.gz", content)
    index.fail("/direct/*", "truncate", times=1)
    fact = pin(f"lib @ {url}", root=tmp_path, dated=False).facts["lib"]
    assert fact == Archive(url=url, sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def test_an_archive_that_is_not_there(index: LoopbackIndex, tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="404"):
        pin(f"lib @ {index.base}/direct/gone.tar.gz", root=tmp_path)


class _Dated(http.server.SimpleHTTPRequestHandler):
    """Serves files with their modification time as ``Last-Modified``."""

    def log_message(self, format: str, *arguments: object) -> None:
        pass


@pytest.fixture
def dated_file(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    path = tmp_path / "www" / "lib-1.0.tar.gz"
    path.parent.mkdir()
    path.write_bytes(b"bytes")
    handler = partial(_Dated, directory=str(path.parent))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/{path.name}", path
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(("days", "fits"), [(-1, True), (0, True), (1, False)])
def test_what_the_server_dates_later_is_refused(
    dated_file: tuple[str, Path], tmp_path: Path, days: int, fits: bool
) -> None:
    url, path = dated_file
    stamp = (AS_OF + days * DAY).timestamp()
    os.utime(path, (stamp, stamp))
    if fits:
        assert "lib" in pin(f"lib @ {url}", root=tmp_path).facts
        return
    with pytest.raises(UsageError, match=r"modified 2026-03-02, after 2026-03-01") as caught:
        pin(f"lib @ {url}", root=tmp_path)
    assert "#sha256=" in (caught.value.remedy or "")
    digest = hashlib.sha256(b"bytes").hexdigest()
    assert "lib" in pin(f"lib @ {url}#sha256={digest}", root=tmp_path).facts
    assert "lib" in pin(f"lib @ {url}", root=tmp_path, dated=False).facts
