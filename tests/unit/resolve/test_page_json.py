"""JSON pages: PEP 691 and 700 as they are written, and the per-project JSON joined to a page."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pages import StoredFile, legacy_json, project_html, project_json

from envlock.resolve.python.index.page import PageError, PageFile, ProjectPage
from envlock.resolve.python.index.page_html import parse_html
from envlock.resolve.python.index.page_json import parse_json, with_project_json

URL = "https://example.org/simple/demo/"
SHA = "cd" * 32


def page(*entries: dict[str, Any], version: object = "1.1") -> bytes:
    return json.dumps({"meta": {"api-version": version}, "name": "demo", "files": entries}).encode()


def entry(**values: Any) -> dict[str, Any]:
    return {"filename": "d-1.0.zip", "url": "d-1.0.zip", "hashes": {"sha256": SHA}} | values


def only(**values: Any) -> PageFile:
    [file] = parse_json(page(entry(**values)), "demo", URL).files
    return file


def test_all_fields() -> None:
    file = only(
        url="https://u:p@files.example.org/d-1.0.zip#egg",
        hashes={"sha256": SHA.upper(), "md5": "0"},
        size=7,
        yanked="bad",
        **{
            "upload-time": "2024-01-02T03:04:05.000006Z",
            "requires-python": ">=3.8",
            "core-metadata": {"sha256": SHA},
        },
    )
    assert file == PageFile(
        filename="d-1.0.zip",
        url="https://files.example.org/d-1.0.zip",
        sha256=SHA,
        upload_time=datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        requires_python=">=3.8",
        yanked="bad",
        size=7,
        core_metadata_sha256=SHA,
    )


@pytest.mark.parametrize(
    ("value", "reason"), [(True, ""), (False, None), ("", None), ("why", "why"), (None, None)]
)
def test_yanked(value: object, reason: str | None) -> None:
    assert only(yanked=value).yanked == reason


@pytest.mark.parametrize("claim", [True, False, {}, {"md5": "x"}, None, "yes"])
def test_metadata_without_a_digest_is_no_claim(claim: object) -> None:
    assert only(**{"core-metadata": claim}).core_metadata_sha256 is None


def test_the_older_name_of_the_claim() -> None:
    assert only(**{"dist-info-metadata": {"sha256": SHA}}).core_metadata_sha256 == SHA


@pytest.mark.parametrize("size", [-1, 1.5, "7", True, None])
def test_sizes_that_are_none(size: object) -> None:
    assert only(size=size).size is None


@pytest.mark.parametrize("hashes", [{}, {"sha256": "short"}, {"md5": SHA}, [], None])
def test_without_a_digest(hashes: object) -> None:
    assert only(hashes=hashes).sha256 is None


@pytest.mark.parametrize(
    "changed", [{"filename": "../x.zip"}, {"filename": "a\nb"}, {"url": "file:///x/d-1.0.zip"}]
)
def test_files_that_cannot_be_fetched_are_left_out(changed: dict[str, Any]) -> None:
    assert parse_json(page(entry(**changed)), "demo", URL).files == ()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"<html>sign in</html>", "not JSON"),
        (page(entry())[:-20], "not JSON, or cut short"),
        (b"[]", "not a JSON object"),
        (b'{"files": []}', "api-version"),
        (page(entry(), version="2.0"), "api-version is '2.0'"),
        (page(entry(), version=1), "api-version is 1"),
        (b'{"meta": {"api-version": "1.0"}}', "files is not an array"),
        (b'{"meta": {"api-version": "1.0"}, "files": [1]}', r"files\[0\] is not an object"),
        (page({"filename": 1}), r"files\[0\] has no filename"),
        (b"[" * 100_000, "not JSON"),
        (b'{"a": "\xff"}', "not JSON"),
    ],
)
def test_pages_that_cannot_be_used(body: bytes, words: str) -> None:
    with pytest.raises(PageError, match=words):
        parse_json(body, "demo", URL)


# --- any page of any index: all three forms say the same ---

MOMENTS = st.datetimes(datetime(2005, 1, 1), datetime(2030, 1, 1)).map(
    lambda moment: moment.replace(tzinfo=UTC)
)
FILES = st.lists(
    st.builds(
        StoredFile,
        project=st.just("demo"),
        version=st.sampled_from(["1.0", "2.0rc1"]),
        name=st.from_regex(r"demo-[0-9]{1,3}\.(zip|tar\.gz)", fullmatch=True),
        content=st.binary(max_size=3),
        uploaded=MOMENTS,
        requires_python=st.sampled_from([None, ">=3.8", "<4,!=3.9.*"]),
        yanked=st.sampled_from([None, "broken & bad"]),
    ),
    unique_by=lambda file: file.name,
    min_size=1,
    max_size=5,
)


@given(FILES)
def test_json_and_dated_html_agree(files: list[StoredFile]) -> None:
    base = "https://files.example.org"
    one = parse_json(project_json("demo", files, base), "demo", URL)
    text = project_html("demo", files, base, dated=True).decode()
    two = parse_html(text, "demo", URL)
    assert tuple(file._replace(size=None) for file in one.files) == two.files
    assert [file.size for file in one.files] == [len(file.content) for file in files]


@given(FILES)
def test_undated_html_and_project_json_agree_with_json(files: list[StoredFile]) -> None:
    base = "https://files.example.org"
    expected = parse_json(project_json("demo", files, base), "demo", URL)
    bare = parse_html(project_html("demo", files, base, dated=False).decode(), "demo", URL)
    assert all(file.upload_time is None for file in bare.files)
    assert with_project_json(bare, legacy_json("demo", files, base)) == expected


# --- the per-project JSON ---


def release(**values: Any) -> bytes:
    known = {
        "filename": "d-1.0.zip",
        "digests": {"sha256": SHA},
        "size": 7,
        "upload_time_iso_8601": "2024-01-02T03:04:05.5Z",
    }
    return json.dumps({"releases": {"1.0": [known | values]}}).encode()


def joined(file: PageFile, body: bytes) -> PageFile:
    [result] = with_project_json(ProjectPage(name="demo", files=(file,)), body).files
    return result


BARE = PageFile(filename="d-1.0.zip", url=URL + "d-1.0.zip", sha256=SHA)


def test_join() -> None:
    moment = datetime(2024, 1, 2, 3, 4, 5, 500_000, tzinfo=UTC)
    assert joined(BARE, release()) == BARE._replace(upload_time=moment, size=7)


def test_a_file_with_another_digest_is_another_file() -> None:
    assert joined(BARE, release(digests={"sha256": "00" * 32})) == BARE
    assert joined(BARE, release(digests={})) == BARE
    assert joined(BARE, release(filename="d-2.0.zip")) == BARE


def test_the_digest_is_taken_over_where_the_page_has_none() -> None:
    assert joined(BARE._replace(sha256=None), release()).sha256 == SHA


def test_what_the_page_says_stays() -> None:
    moment = datetime(2020, 1, 1, tzinfo=UTC)
    assert joined(BARE._replace(upload_time=moment), release()).upload_time == moment


def test_the_older_time_field() -> None:
    body = release(upload_time_iso_8601=None, upload_time="2024-01-02T03:04:05")
    assert joined(BARE, body).upload_time == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("body", [b"<html>", b'{"releases": []}', b"{}", b"null"])
def test_project_json_that_cannot_be_used(body: bytes) -> None:
    with pytest.raises(PageError):
        joined(BARE, body)
