"""The dated view: real uv and pip resolve through it as of a date, whatever the index is like."""

from __future__ import annotations

import hashlib
import http.client
import json
import os
import random
import socket
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import tomli
from support import real_index
from support.index import LoopbackIndex, Style, serving
from support.packages import make_wheel, metadata
from support.tools import PIP, UV, run

from envlock.errors import SourceError, VerificationError
from envlock.io.http.client import Http
from envlock.io.progress import SilentReporter
from envlock.lock.package import Repair
from envlock.resolve.python.index.metadata import wheel_metadata
from envlock.resolve.python.index.page import PageFile
from envlock.resolve.python.index.pages import DateSource, Pages, probe_dates
from envlock.resolve.python.index.view import DatedView
from envlock.resolve.python.sources import Credentials, Index, Sources

DATED: tuple[Style, ...] = ("json", "dated-html", "legacy-json")
AS_OF = datetime(2024, 3, 1, tzinfo=UTC)
LOGIN = ("someone", "p@ss:word")


class Notes(SilentReporter):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)


@pytest.fixture
def client() -> Iterator[Http]:
    with Http(retries=1, backoff=0.01, timeout=5) as http:
        yield http


def sources(*indexes: LoopbackIndex, login: tuple[str, str] | None = None) -> Sources:
    credentials = Credentials(user=login[0], password=login[1]) if login else None
    return Sources(
        indexes=tuple(
            Index(url=index.url, default=index is indexes[-1], credentials=credentials)
            for index in indexes
        )
    )


@contextmanager
def viewing(
    http: Http,
    *indexes: LoopbackIndex,
    as_of: datetime = AS_OF,
    login: tuple[str, str] | None = None,
    **options: Any,
) -> Iterator[DatedView]:
    with DatedView(sources(*indexes, login=login), as_of, http, **options) as view:
        yield view


def ask(url: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=10)
    try:
        connection.request(method, parts.path, headers=headers)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def listed(view: DatedView, name: str, number: int = 0) -> list[dict[str, Any]]:
    url = f"{view.sources.indexes[number].url}/{name}/"
    status, _, body = ask(url, Accept="application/vnd.pypi.simple.v1+json")
    assert status == 200
    files: list[dict[str, Any]] = json.loads(body)["files"]
    return files


def uv_pins(view: DatedView, folder: Path, *wishes: str, check: bool = True) -> dict[str, str]:
    """What uv locks through the view, with no date of its own."""
    folder.mkdir(exist_ok=True)
    quoted = ", ".join(f'"{wish}"' for wish in wishes)
    (folder / "pyproject.toml").write_text(
        f'[project]\nname = "root"\nversion = "0"\nrequires-python = ">=3.11,<3.20"\n'
        f"dependencies = [{quoted}]\n"
    )
    config = "".join(
        f'[[index]]\nurl = "{index.url}"\ndefault = {str(index.default).lower()}\n'
        for index in view.sources.indexes
    )
    (folder / "uv.toml").write_text(config)
    argv = [UV, "lock", "--no-progress", "--cache-dir", folder / "cache", "--python"]
    done = run([*argv, sys.executable], cwd=folder, env={"UV_HTTP_RETRIES": "0"}, check=check)
    if done.returncode != 0:
        return {}
    packages = tomli.loads((folder / "uv.lock").read_text())["package"]
    return {p["name"]: p["version"] for p in packages if p["name"] != "root"}


def pip_pins(view: DatedView, folder: Path, *wishes: str) -> dict[str, str]:
    """What pip would install through the view."""
    report = folder / "report.json"
    first, *others = reversed(view.sources.indexes)
    extra = [part for index in others for part in ("--extra-index-url", index.url)]
    argv = [*PIP, "install", "--dry-run", "--ignore-installed", "--no-cache-dir", "--quiet"]
    run([*argv, "--index-url", first.url, *extra, "--report", report, *wishes])
    installs = json.loads(report.read_text())["install"]
    return {i["metadata"]["name"]: i["metadata"]["version"] for i in installs}


def fill(index: LoopbackIndex) -> None:
    index.add("app", "1.0", "2024-01-01", requires=["lib>=1"])
    index.add("app", "2.0", "2024-02-01", requires=["lib>=1"])
    index.add("app", "3.0", "2024-04-01", requires=["lib>=9"])
    index.add("lib", "1.0", "2024-01-01")
    index.add("lib", "1.1", "2024-02-01", sdist=True)
    index.add("lib", "1.2", "2024-02-02", yanked="broken")
    index.add("lib", "1.3", "2024-02-03", requires_python=">=3.99")
    index.add("lib", "2.0", "2024-03-02")


# --- dates ---


@pytest.mark.parametrize("style", DATED)
def test_uv_and_pip_see_the_past(style: Style, client: Http, tmp_path: Path) -> None:
    with serving(style) as index:
        fill(index)
        with viewing(client, index) as view:
            expected = {"app": "2.0", "lib": "1.1"}
            assert uv_pins(view, tmp_path / "uv", "app") == expected
            assert pip_pins(view, tmp_path, "app") == expected
            assert uv_pins(view, tmp_path / "yanked", "lib==1.2") == {"lib": "1.2"}
            assert view.failure is None
        with viewing(client, index, as_of=datetime(2024, 1, 15, tzinfo=UTC)) as view:
            expected = {"app": "1.0", "lib": "1.0"}
            assert uv_pins(view, tmp_path / "earlier", "app") == expected
            assert pip_pins(view, tmp_path, "app") == expected


@pytest.mark.parametrize("style", DATED)
def test_exactly_the_files_of_the_time(style: Style, client: Http) -> None:
    """Random times around the date, to the microsecond; the date itself is in."""
    chance = random.Random(style)
    offsets = [timedelta(microseconds=n) for n in (-1, 0, 1)]
    offsets += [timedelta(seconds=chance.uniform(-1e7, 1e7)) for _ in range(20)]
    with serving(style) as index:
        expected = {}
        for number, offset in enumerate(offsets):
            moment = AS_OF + offset
            kind = bool(number % 2)
            stored = index.add(
                "demo", f"1.{number}", moment, sdist=kind, yanked="x" * (number % 3) or None
            )
            if moment <= AS_OF:
                expected[stored.name] = (stored.sha256, stored.upload_text)
        with viewing(client, index) as view:
            files = listed(view, "demo")
            found = {f["filename"]: (f["hashes"]["sha256"], f["upload-time"]) for f in files}
            page = view.page(index.url, "Demo")
    assert {name: digest for name, (digest, _) in found.items()} == {
        name: digest for name, (digest, _) in expected.items()
    }
    for name, (_, text) in found.items():
        assert datetime.fromisoformat(text) == datetime.fromisoformat(str(expected[name][1]))
    assert page is not None
    assert [file.filename for file in page.files] == [f["filename"] for f in files]
    assert {file.size for file in page.files} == {None} or style != "dated-html"


def test_an_index_without_times_is_refused(client: Http, tmp_path: Path) -> None:
    with serving("undated-html") as index:
        fill(index)
        with viewing(client, index) as view:
            assert uv_pins(view, tmp_path / "uv", "app", check=False) == {}
            failure = view.failure
            assert isinstance(failure, SourceError)
            assert "no upload times for app" in str(failure)
            assert failure.where == index.url
            with pytest.raises(SourceError, match="cannot be dated"):
                view.page(index.url, "lib")


def test_single_files_without_a_time_are_left_out_aloud(client: Http) -> None:
    with serving("json") as index:
        index.add("demo", "1.0", "2024-01-01")
        index.add("demo", "2.0", None)
        notes = Notes()
        with viewing(client, index, reporter=notes) as view:
            assert [f["filename"] for f in listed(view, "demo")] == ["demo-1.0-py3-none-any.whl"]
        [note] = notes.texts
        assert note.startswith("1 of 2 files of demo")


def test_two_indexes_keep_their_order(client: Http, tmp_path: Path) -> None:
    with serving("dated-html") as first, serving("json") as second:
        first.add("lib", "1.0", "2024-01-01")
        fill(second)
        with viewing(client, first, second) as view:
            assert uv_pins(view, tmp_path / "uv", "app") == {"app": "2.0", "lib": "1.0"}
            urls = [index.url for index in view.sources.indexes]
            assert [view.original(url) for url in urls] == [first.url, second.url]
            for number, index in enumerate((first, second)):
                [*files] = listed(view, "lib", number)
                for file in files:
                    assert view.original(file["url"]).startswith(index.base + "/files/")


# --- probing ---


@pytest.mark.parametrize(
    ("style", "expected"),
    [
        ("json", DateSource.DIRECT),
        ("dated-html", DateSource.DIRECT),
        ("legacy-json", DateSource.VIEW),
        ("undated-html", DateSource.NONE),
    ],
)
def test_probe(style: Style, expected: DateSource, client: Http) -> None:
    with serving(style) as server:
        fill(server)
        [index] = sources(server).indexes
        assert probe_dates(index, "nothing", client) is DateSource.UNKNOWN
        assert probe_dates(index, "App", client) is expected
        count = server.count()
        assert probe_dates(index, "lib", client) is expected
        assert server.count() == count
        assert probe_dates(index, "lib", client, refresh=True) is expected
        assert server.count() > count


def test_a_probe_of_a_folder_needs_no_network(client: Http) -> None:
    index = Index(url="file:///srv/index")
    assert probe_dates(index, "demo", client) is DateSource.NONE


# --- metadata ---


@pytest.mark.parametrize("mode", ["absent", "honest", "missing", "wrong-digest"])
@pytest.mark.parametrize("style", DATED)
def test_metadata_is_the_wheels_own(style: Style, mode: Any, client: Http) -> None:
    with serving(style) as index:
        stored = index.add("demo", "1.0", "2024-01-01", requires=["lib>=1"], metadata=mode)
        with viewing(client, index) as view:
            [file] = listed(view, "demo")
            assert file["core-metadata"] is True
            status, _, body = ask(file["url"] + ".metadata")
            assert (status, body) == (200, metadata("demo", "1.0", ["lib>=1"]).encode())
            assert view.repairs == ()
        reads = index.count(stored.path)
        claims = index.count(stored.path + ".metadata")
    assert claims == (0 if mode == "absent" else 1)
    assert reads == (0 if mode == "honest" else 1)


def test_a_claim_is_not_believed_without_its_digest(client: Http) -> None:
    """The index's .metadata differs from the wheel's: only the digest's owner is believed."""
    filename, content = make_wheel("demo", "1.0", ["right"])
    with serving() as index:
        url = index.put(f"/x/{filename}", content)
        index.put(f"/x/{filename}.metadata", b"Name: wrong\n")
        digest = hashlib.sha256(content).hexdigest()
        for claim in (None, "00" * 32):
            file = PageFile(filename=filename, url=url, sha256=digest, core_metadata_sha256=claim)
            assert b"Requires-Dist: right" in wheel_metadata(client, file)


OLD = """Metadata-Version: 2.1
Name: demo
Version: 1.0
Requires-Dist: pytz (>=2011k)
Requires-Dist: lib (>=1.0.*)
"""


@pytest.mark.parametrize("style", DATED)
def test_old_metadata_is_repaired(style: Style, client: Http, tmp_path: Path) -> None:
    with serving(style) as index:
        index.add("demo", "0.9", "2023-01-01")
        index.add("demo", "1.0", "2024-01-01", metadata_override=OLD)
        index.add("pytz", "2010.1", "2023-01-01")
        index.add("pytz", "2013.7", "2023-06-01")
        index.add("lib", "1.0", "2023-06-01")
        with viewing(client, index) as view:
            expected = {"demo": "1.0", "pytz": "2013.7", "lib": "1.0"}
            assert uv_pins(view, tmp_path / "uv", "demo") == expected
            assert view.repairs == (
                Repair(subject="demo==1.0", found="pytz (>=2011k)", used="pytz>=2011"),
                Repair(subject="demo==1.0", found="lib (>=1.0.*)", used="lib>=1.0"),
            )


def test_requires_python_of_old_pages_is_readable(client: Http, tmp_path: Path) -> None:
    with serving("dated-html") as index:
        index.add("demo", "1.0", "2024-01-01")
        index.add("demo", "2.0", "2024-01-02", listed_requires_python=">=3.6.*")
        with viewing(client, index) as view:
            assert pip_pins(view, tmp_path, "demo") == {"demo": "2.0"}
            assert uv_pins(view, tmp_path / "uv", "demo") == {"demo": "2.0"}


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("size", [100, 200_000, 3_000_000])
def test_metadata_of_wheels_of_any_size(ranges: bool, size: int, client: Http) -> None:
    noise = random.Random(size).randbytes(size)
    with serving() as index:
        stored = index.add("demo", "1.0", "2024-01-01", files={"big.bin": noise})
        if not ranges:
            answer = index.answer

            def without_ranges(path: str, headers: Any) -> Any:
                dict.pop(headers, "range", None)
                return answer(path, headers)

            index.answer = without_ranges  # type: ignore[method-assign]
        file = PageFile(filename=stored.name, url=index.file_url(stored), sha256=stored.sha256)
        assert wheel_metadata(client, file) == metadata("demo", "1.0").encode()
        count = index.count()
        assert wheel_metadata(client, file) == metadata("demo", "1.0").encode()
        assert index.count() == count
        wrong = file._replace(sha256="00" * 32)
        if not ranges and size > 32 * 1024:
            with pytest.raises(VerificationError):
                wheel_metadata(client, wrong)


def test_a_broken_wheel_is_an_error(client: Http) -> None:
    with serving() as index:
        stored = index.add_file(
            "demo", "1.0", "2024-01-01", "demo-1.0-py3-none-any.whl", b"no zip at all"
        )
        with viewing(client, index) as view:
            [file] = listed(view, "demo")
            status, _, body = ask(file["url"] + ".metadata")
            assert status == 424
            assert b"not a readable wheel" in body
            assert isinstance(view.failure, SourceError)
            assert view.failure.where == index.file_url(stored)


# --- files and addresses ---


def test_files_are_redirected_to(client: Http) -> None:
    with serving() as index:
        stored = index.add("demo", "1.0", "2024-01-01", sdist=True)
        with viewing(client, index) as view:
            [file] = listed(view, "demo")
            status, headers, _ = ask(file["url"])
            assert (status, headers["Location"]) == (302, index.file_url(stored))
            assert view.original(file["url"]) == index.file_url(stored)
            assert view.original(file["url"] + f"#sha256={stored.sha256}") == index.file_url(stored)
            assert view.original("https://example.org/x") == "https://example.org/x"
            with pytest.raises(KeyError):
                view.original(file["url"] + "x")
            assert ask(file["url"] + ".metadata")[0] == 404  # an sdist's is not known


@pytest.mark.parametrize("style", DATED)
def test_credentials_are_used_and_not_shown(style: Style, client: Http, tmp_path: Path) -> None:
    with serving(style, auth=LOGIN) as index:
        fill(index)
        with viewing(client, index, login=LOGIN) as view:
            assert all(i.credentials is None for i in view.sources.indexes)
            assert "word" not in "".join(i.url for i in view.sources.indexes)
            expected = {"app": "2.0", "lib": "1.1"}
            assert uv_pins(view, tmp_path / "uv", "app") == expected
            assert pip_pins(view, tmp_path, "app") == expected
            [file, *_] = listed(view, "app")
            status, headers, body = ask(file["url"])
            assert status == 200
            assert hashlib.sha256(body).hexdigest() == file["hashes"]["sha256"]
            status, headers, body = ask(file["url"], method="HEAD")
            assert (status, body) == (200, b"")
            assert int(headers["Content-Length"]) > 0
        with viewing(client, index, refresh=True) as view:
            assert uv_pins(view, tmp_path / "refused", "app", check=False) == {}
            assert isinstance(view.failure, SourceError)
            assert "401" in str(view.failure)
            assert "credentials" in str(view.failure.remedy)


def test_only_who_knows_the_path_is_served(client: Http) -> None:
    with serving() as index:
        fill(index)
        with viewing(client, index) as view:
            parts = urlsplit(view.sources.indexes[0].url)
            base = f"http://{parts.netloc}"
            token = parts.path.split("/")[1]
            assert len(token) >= 32
            for path in ("/", "/0/simple/app/", f"/{token[:-1]}/0/simple/app/", "//", "/x/y"):
                assert ask(base + path)[0] == 404, path
            ours = f"{base}/{token}"
            for path in (
                "",
                "/1/simple/app/",
                "/-1/simple/app/",
                "/%D9%A0/simple/app/",
                "/0/other/app/",
                "/0/simple/",
                "/0/simple/../app/",
                "/0/files/app/-/x.whl",
                "/0/files/app/x",
                "/0/simple/a%2Fb/",
                "/00000/simple/app/",
            ):
                assert ask(ours + path)[0] == 404, path
            assert ask(f"{ours}/0/simple/nothing/")[0] == 404
            status, headers, _ = ask(f"{ours}/0/simple/App")
            assert (status, headers["Location"]) == (301, f"{ours}/0/simple/app/")
            assert ask(f"{ours}/0/simple/app/", method="POST")[0] == 501
            assert view.failure is None
        assert index.count() <= 2


def test_it_listens_on_loopback_only_and_stops(client: Http) -> None:
    with serving() as index, viewing(client, index) as view:
        server = view._server
        assert server is not None
        assert server._server.server_address[0] == "127.0.0.1"
        port = server.port
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=2).close()


def test_old_clients_get_html(client: Http) -> None:
    with serving() as index:
        fill(index)
        with viewing(client, index) as view:
            url = f"{view.sources.indexes[0].url}/app/"
            status, headers, body = ask(url, Accept="text/html")
            assert (status, headers["Content-Type"]) == (200, "text/html")
            assert body.count(b"<a href=") == 2


# --- economy ---


@pytest.mark.parametrize("style", DATED)
def test_each_page_and_wheel_is_fetched_once(style: Style, client: Http) -> None:
    with serving(style) as index:
        fill(index)
        with viewing(client, index) as view, ThreadPoolExecutor(16) as pool:
            url = f"{view.sources.indexes[0].url}/app/"
            bodies = list(pool.map(lambda _: ask(url)[2], range(32)))
            assert len(set(bodies)) == 1
            [file, *_] = listed(view, "app")
            texts = list(pool.map(lambda _: ask(file["url"] + ".metadata")[2], range(32)))
            assert len(set(texts)) == 1
        assert index.count("/simple/app/") == 1
        assert index.count("/pypi/app/json") == (1 if style == "legacy-json" else 0)
        assert index.count("/files/*") == 1


def test_pages_are_kept_for_a_while(client: Http, tmp_path: Path) -> None:
    with serving() as index:
        fill(index)
        for refresh, expected in ((False, 1), (False, 1), (True, 2)):
            with viewing(client, index, refresh=refresh) as view:
                assert len(listed(view, "app")) == 2
            assert index.count("/simple/app/") == expected
        cache = Path(os.environ["HOME"]) / ".cache/envlock"
        for path in cache.rglob("*"):
            if path.is_file():
                os.utime(path, (path.stat().st_mtime - 601,) * 2)
        with viewing(client, index) as view:
            listed(view, "app")
        assert index.count("/simple/app/") == 3


def test_private_pages_are_not_shared_between_users(client: Http) -> None:
    with serving(auth=LOGIN) as index:
        fill(index)
        with viewing(client, index, login=LOGIN) as view:
            listed(view, "app")
        with viewing(client, index) as view, pytest.raises(SourceError, match="401"):
            view.page(index.url, "app")


# --- faults ---


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("500", "answered 500 2 times"),
        ("503", "answered 503 2 times"),
        ("cut", "transfer failed 2 times"),
        ("truncate", "cut short 2 times"),
        ("html-for-json", "not JSON"),
    ],
)
def test_a_failing_index_is_named_and_not_remembered(fault: Any, words: str, client: Http) -> None:
    with serving() as index:
        fill(index)
        index.fail("/simple/app/", fault)
        with viewing(client, index) as view:
            url = f"{view.sources.indexes[0].url}/app/"
            assert ask(url)[0] == 424
            assert isinstance(view.failure, SourceError)
            assert words in str(view.failure)
            assert f"{index.url}/app/" in str(view.failure)
            assert view.failure.remedy
        index.heal()
        with viewing(client, index) as view:
            assert len(listed(view, "app")) == 2


def test_a_web_page_is_no_index(client: Http) -> None:
    with serving() as index:
        index.put("/simple/app/", b"<html><body>Please sign in.</body></html>", "text/html")
        [configured] = sources(index).indexes
        with pytest.raises(SourceError, match="lists no files") as caught:
            Pages(client).plain(configured, "app")
        assert caught.value.where == f"{index.url}/app/"


def test_a_passing_fault_is_not_seen(client: Http, tmp_path: Path) -> None:
    with serving() as index:
        fill(index)
        index.fail("*", "503", times=1)
        with viewing(client, index) as view:
            assert uv_pins(view, tmp_path / "uv", "app") == {"app": "2.0", "lib": "1.1"}


# --- the real index ---


@pytest.mark.network
def test_the_real_index_through_the_view_and_directly(tmp_path: Path) -> None:
    as_of = datetime(2026, 3, 1, tzinfo=UTC)
    index = Index(url=real_index.default_index(), default=True)
    wishes = ["httpx", "attrs", "pytest"]
    with Http() as http, DatedView(Sources(indexes=(index,)), as_of, http) as view:
        through = uv_pins(view, tmp_path / "view", *wishes)
        assert view.failure is None
        page = view.page(index.url, "pytest")
    direct = tmp_path / "direct"
    direct.mkdir()
    (direct / "pyproject.toml").write_bytes((tmp_path / "view/pyproject.toml").read_bytes())
    argv = [UV, "lock", "--no-config", "--default-index", index.url, "--no-progress"]
    argv += ["--exclude-newer", as_of.isoformat(), "--python", sys.executable]
    run(argv, cwd=direct)
    packages = tomli.loads((direct / "uv.lock").read_text())["package"]
    assert through == {p["name"]: p["version"] for p in packages if p["name"] != "root"}
    assert page is not None
    expected = {f.name: f.sha256 for f in real_index.page("pytest") if f.uploaded <= as_of}
    assert {file.filename: file.sha256 for file in page.files} == expected


@pytest.mark.network
def test_pandas_of_2019_is_not_lost(tmp_path: Path) -> None:
    """pandas 0.24.2 says ``pytz (>=2011k)``, which makes resolvers fall back to 0.11.0."""
    as_of = datetime(2019, 6, 1, tzinfo=UTC)
    index = Index(url=real_index.default_index(), default=True)
    with Http() as http, DatedView(Sources(indexes=(index,)), as_of, http) as view:
        page = view.page(index.url, "pandas")
        assert page is not None
        [wheel] = [
            file
            for file in page.files
            if file.filename == "pandas-0.24.2-cp37-cp37m-manylinux1_x86_64.whl"
        ]
        url = view.sources.indexes[0].url.removesuffix("simple")
        status, _, body = ask(f"{url}files/pandas/{wheel.sha256}/{wheel.filename}.metadata")
        assert status == 200
        assert b"\nRequires-Dist: pytz>=2011\n" in body
        assert Repair(subject="pandas==0.24.2", found="pytz (>=2011k)", used="pytz>=2011") in (
            view.repairs
        )
