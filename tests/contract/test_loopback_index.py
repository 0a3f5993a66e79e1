"""The tests' own index is one that real uv and pip work with, in each style, faults included.

What later tests show of envlock is worth only as much as this index is like the real ones.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import sys
import zipfile
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path
from typing import get_args
from urllib.parse import urlsplit

import pytest
from packaging.metadata import Metadata
from support.index import Fault, LoopbackIndex, Style, serving
from support.packages import make_sdist, make_wheel
from support.pages import SIMPLE_JSON
from support.tools import PIP, UV, run

STYLES: tuple[Style, ...] = get_args(Style)


def fill(index: LoopbackIndex) -> None:
    index.add("Demo.App", "1.0", "2024-01-01", requires=["demo-lib>=1"], extras={"x": ["demo-x"]})
    index.add("demo-app", "2.0", "2024-06-01", requires=["demo-lib>=2"])
    index.add("demo-lib", "1.0", "2024-01-01")
    index.add("demo-lib", "2.0", "2024-05-01", sdist=True)
    index.add("demo-lib", "2.1", "2024-05-02", sdist=True, dynamic=True, requires=["demo-x"])
    index.add("demo-lib", "3.0", "2024-05-03", yanked="wrong")
    index.add("demo-x", "1.0", "2024-01-01", requires_python=">=3.8")


def get(url: str, *, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, bytes]:
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=5)
    try:
        connection.request(method, parts.path, headers=headers)
        response = connection.getresponse()
        return response, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("style", STYLES)
def test_uv_resolves_in_each_style(style: Style, tmp_path: Path) -> None:
    with serving(style) as index:
        fill(index)
        wishes = tmp_path / "requirements.in"
        wishes.write_text("demo-app[x]\n")
        argv = [UV, "pip", "compile", wishes, "--no-header", "--no-annotate", "--index-url"]
        done = run([*argv, index.url, "--cache-dir", tmp_path / "cache"])
    pins = ["demo-app==2.0", "demo-lib==2.1", "demo-x==1.0"]
    assert done.stdout.split("\n")[:-1] == pins


@pytest.mark.parametrize("style", ["json", "dated-html"])
def test_uv_finds_the_upload_times(style: Style, tmp_path: Path) -> None:
    with serving(style) as index:
        fill(index)
        wishes = tmp_path / "requirements.in"
        wishes.write_text("demo-app\n")
        argv = [UV, "pip", "compile", wishes, "--no-header", "--no-annotate", "--index-url"]
        dated = [index.url, "--exclude-newer", "2024-05-02T00:00:00Z", "--no-cache"]
        done = run([*argv, *dated])
    assert done.stdout.split() == ["demo-app==1.0", "demo-lib==2.0"]


@pytest.mark.parametrize("style", ["undated-html", "legacy-json"])
def test_uv_finds_no_upload_times_where_there_are_none(style: Style, tmp_path: Path) -> None:
    with serving(style) as index:
        fill(index)
        wishes = tmp_path / "requirements.in"
        wishes.write_text("demo-app\n")
        argv = [UV, "pip", "compile", wishes, "--index-url", index.url, "--no-cache"]
        done = run([*argv, "--exclude-newer", "2024-05-02T00:00:00Z"], check=False)
    assert "missing an upload date" in done.stderr


@pytest.mark.parametrize("style", STYLES)
def test_pip_downloads_in_each_style(style: Style, tmp_path: Path) -> None:
    with serving(style) as index:
        fill(index)
        argv = [*PIP, "download", "--no-cache-dir", "-d", tmp_path, "-i", index.url, "demo-app[x]"]
        run(argv)
        # pip reads metadata files where the index has them, and each file once.
        assert index.count("*.whl.metadata") == 2
        assert index.count("/files/*.whl", "GET") == 2
    names = {"demo_app-2.0-py3-none-any.whl", "demo_lib-2.1.tar.gz", "demo_x-1.0-py3-none-any.whl"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_pip_installs_every_kind_of_file(index: LoopbackIndex, tmp_path: Path) -> None:
    index.add("plain", "1", "2024-01-01")
    index.add("static", "1", "2024-01-01", sdist=True)
    index.add("dynamic", "1", "2024-01-01", sdist=True, dynamic=True, requires=["plain"])
    argv = [*PIP, "install", "--no-cache-dir", "--target", tmp_path, "-i", index.url]
    run([*argv, "static", "dynamic"])
    code = "import plain, static, dynamic; print(dynamic.__version__)"
    assert run([sys.executable, "-c", code], env={"PYTHONPATH": str(tmp_path)}).stdout == "1\n"


def test_a_metadata_file_that_is_not_there_or_lies_is_noticed(
    index: LoopbackIndex, tmp_path: Path
) -> None:
    missing = index.add("missing", "1", "2024-01-01", metadata="missing")
    lying = index.add("lying", "1", "2024-01-01", metadata="wrong-digest")
    absent = index.add("absent", "1", "2024-01-01", metadata="absent")
    assert get(index.file_url(missing) + ".metadata")[0].status == 404
    assert get(index.file_url(absent) + ".metadata")[0].status == 404
    response, body = get(index.file_url(lying) + ".metadata")
    assert (response.status, Metadata.from_email(body).name) == (200, "lying")
    for name in ("missing", "lying"):
        argv = [*PIP, "download", "--no-cache-dir", "-d", tmp_path, "-i", index.url, name]
        assert run(argv, check=False).returncode == 1, name
    run([*PIP, "download", "--no-cache-dir", "-d", tmp_path, "-i", index.url, "absent"])


def test_json_states_what_pep_700_asks(index: LoopbackIndex) -> None:
    file = index.add("demo", "1.0", "2024-01-01T02:00:00+02:00", yanked="bad")
    response, body = get(f"{index.url}/demo/", Accept=SIMPLE_JSON)
    page = json.loads(body)
    assert response.headers["Content-Type"] == SIMPLE_JSON
    assert page["meta"] == {"api-version": "1.1"}
    assert page["versions"] == ["1.0"]
    [entry] = page["files"]
    assert entry["upload-time"] == "2024-01-01T00:00:00.000000Z"
    assert entry["size"] == len(file.content)
    assert entry["yanked"] == "bad"
    assert entry["hashes"] == {"sha256": hashlib.sha256(file.content).hexdigest()}


class _Anchors(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[dict[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found.append(dict(attrs))


def anchors(page: bytes) -> list[dict[str, str | None]]:
    parser = _Anchors()
    parser.feed(page.decode())
    return parser.found


@pytest.mark.parametrize(
    ("style", "accept", "dated"),
    [
        ("json", "text/html", False),
        ("dated-html", "text/html", False),
        ("dated-html", SIMPLE_JSON, True),
        ("undated-html", SIMPLE_JSON, False),
        ("legacy-json", SIMPLE_JSON, False),
    ],
)
def test_html_has_times_only_where_the_style_says(style: Style, accept: str, dated: bool) -> None:
    with serving(style) as index:
        index.add("demo", "1.0", "2024-01-01", requires_python=">=3.8,<4")
        response, body = get(f"{index.url}/demo/", Accept=accept)
    [anchor] = anchors(body)
    assert response.headers["Content-Type"] == "text/html"
    assert ("data-upload-time" in anchor) is dated
    assert anchor["data-requires-python"] == ">=3.8,<4"


def test_the_per_project_json_has_times_and_only_in_its_style() -> None:
    with serving("legacy-json") as index:
        index.add("demo", "1.0", "2024-01-01")
        page = json.loads(get(f"{index.base}/pypi/demo/json")[1])
        assert page["releases"]["1.0"][0]["upload_time_iso_8601"] == "2024-01-01T00:00:00.000000Z"
    with serving("json") as index:
        index.add("demo", "1.0", "2024-01-01")
        assert get(f"{index.base}/pypi/demo/json")[0].status == 404


def test_a_reupload_replaces_the_file_and_its_address(index: LoopbackIndex) -> None:
    first = index.add("demo", "1.0", "2024-01-01")
    second = index.add("demo", "1.0", "2024-03-01", files={"demo/extra.py": "x = 1\n"})
    page = json.loads(get(f"{index.url}/demo/", Accept=SIMPLE_JSON)[1])
    assert first.name == second.name
    assert [entry["hashes"]["sha256"] for entry in page["files"]] == [second.sha256]
    assert get(index.file_url(first))[0].status == 404


def test_names_redirect_and_strangers_are_not_found(index: LoopbackIndex) -> None:
    index.add("demo-lib", "1.0", "2024-01-01")
    for path in ("/demo-lib", "/Demo_Lib/"):
        response, _ = get(index.url + path)
        assert (response.status, response.headers["Location"]) == (308, "/simple/demo-lib/")
    assert get(f"{index.url}/stranger/")[0].status == 404


def test_ranges_and_head(index: LoopbackIndex) -> None:
    file = index.add("demo", "1.0", "2024-01-01")
    url, size = index.file_url(file), len(file.content)
    response, body = get(url, method="HEAD")
    assert (response.headers["Content-Length"], body) == (str(size), b"")
    for asked, expected in (
        ("bytes=5-9", file.content[5:10]),
        ("bytes=-7", file.content[-7:]),
        (f"bytes={size - 3}-", file.content[-3:]),
        (f"bytes={size - 3}-{size + 50}", file.content[-3:]),
    ):
        response, body = get(url, Range=asked)
        assert (response.status, body) == (206, expected)
        assert response.headers["Content-Range"].endswith(f"/{size}")
    assert get(url, Range=f"bytes={size}-")[0].status == 416


def test_credentials_are_asked_for_and_taken(tmp_path: Path) -> None:
    with serving("json", auth=("ann", "p@ss")) as index:
        file = index.add("demo", "1.0", "2024-01-01")
        assert get(index.file_url(file))[0].status == 401
        argv = [*PIP, "download", "--no-input", "--no-cache-dir", "-d", tmp_path, "demo", "-i"]
        assert run([*argv, index.url], check=False).returncode == 1
        run([*argv, index.url_for("ann", "p%40ss")])


def test_the_index_counts_requests(index: LoopbackIndex) -> None:
    index.add("demo", "1.0", "2024-01-01")
    get(f"{index.url}/demo/")
    get(f"{index.url}/demo/", method="HEAD")
    assert index.count("/simple/demo/") == 2
    assert index.count("/simple/*", "HEAD") == 1
    index.forget_requests()
    assert index.count() == 0


@pytest.mark.parametrize(("kind", "status"), [("500", 500), ("503", 503), ("429", 429)])
def test_statuses_on_demand(index: LoopbackIndex, kind: Fault, status: int) -> None:
    index.add("demo", "1.0", "2024-01-01")
    index.fail("/simple/demo/", kind, times=2, after=1)
    codes = [get(f"{index.url}/demo/")[0].status for _ in range(4)]
    assert codes == [200, status, status, 200]


def test_a_limit_names_its_wait(index: LoopbackIndex) -> None:
    index.fail("*", "429")
    assert get(f"{index.url}/demo/")[0].headers["Retry-After"] == "0"


def test_damage_on_demand(index: LoopbackIndex) -> None:
    file = index.add("demo", "1.0", "2024-01-01")
    url = index.file_url(file)
    index.fail("/files/*", "flip-byte", times=1)
    _, body = get(url)
    assert (len(body), body == file.content) == (len(file.content), False)
    index.fail("/files/*", "truncate", times=1)
    with pytest.raises(http.client.IncompleteRead):
        get(url)
    index.fail("/files/*", "cut", times=1)
    with pytest.raises(http.client.RemoteDisconnected):
        get(url)
    index.fail("/files/*", "not-found", times=1)
    assert get(url)[0].status == 404
    index.fail("/simple/*", "html-for-json", times=1)
    response, body = get(f"{index.url}/demo/", Accept=SIMPLE_JSON)
    assert response.headers["Content-Type"] == SIMPLE_JSON
    assert b"<html>" in body
    assert get(url)[1] == file.content


def test_a_hanging_answer_hangs_and_ends_with_the_index() -> None:
    with serving("json") as index:
        index.fail("*", "hang")
        parts = urlsplit(index.url)
        assert parts.hostname is not None
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=0.2)
        connection.request("GET", "/simple/demo/")
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()


def test_healing_forgets_the_faults(index: LoopbackIndex) -> None:
    index.add("demo", "1.0", "2024-01-01")
    index.fail("*", "500")
    index.heal()
    assert get(f"{index.url}/demo/")[0].status == 200


def test_packages_are_the_same_bytes_each_time() -> None:
    for make in (make_wheel, make_sdist):
        assert make("demo", "1.0", ["x"]) == make("demo", "1.0", ["x"])


def test_a_wheel_records_its_files() -> None:
    _, content = make_wheel(
        "Demo.Lib", "1.0", ["x>1"], ">=3.8", extras={"e": ["y ; os_name != ''"]}
    )
    with zipfile.ZipFile(BytesIO(content)) as archive:
        record = archive.read("demo_lib-1.0.dist-info/RECORD").decode().split("\n")[:-1]
        described = Metadata.from_email(archive.read("demo_lib-1.0.dist-info/METADATA"))
        assert {line.split(",")[0] for line in record} == set(archive.namelist())
    assert [str(r) for r in described.requires_dist or []] == [
        "x>1",
        'y; os_name != "" and extra == "e"',
    ]
