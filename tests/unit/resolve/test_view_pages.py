"""The view's pages are valid in both forms, say the same, and lead back to the view only."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.resolve.python.index.page import PageFile
from envlock.resolve.python.index.page_html import parse_html
from envlock.resolve.python.index.page_json import parse_json
from envlock.resolve.python.index.view_pages import html_page, json_page, preferred_type

BASE = "http://127.0.0.1:1/token/0/files/demo/"
JSON = "application/vnd.pypi.simple.v1+json"
HTML = "application/vnd.pypi.simple.v1+html"
TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=20)
NAMES = st.text(st.sampled_from("abc019._-+! %&#?é"), min_size=1, max_size=10).map(
    lambda text: f"demo-{text}"
)

FILES = st.lists(
    st.builds(
        PageFile,
        filename=st.tuples(NAMES, st.sampled_from([".whl", ".tar.gz", ".zip"])).map("".join),
        url=st.just("https://secret.example.org/x"),
        sha256=st.sampled_from([None, "ab" * 32, "cd" * 32]),
        upload_time=st.datetimes(datetime(2005, 1, 1), timezones=st.just(UTC)),
        requires_python=st.sampled_from([None, ">=3.8", "<4,>3"]),
        yanked=st.one_of(st.none(), TEXT),
        size=st.one_of(st.none(), st.integers(0, 10**9)),
        core_metadata_sha256=st.sampled_from([None, "ef" * 32]),
    ),
    max_size=4,
)


def comparable(file: PageFile) -> tuple[object, ...]:
    yanked = None if file.yanked is None else file.yanked.strip()
    return (file.filename, file.sha256, file.upload_time, file.requires_python, yanked)


@given(FILES)
def test_both_forms_say_what_went_in(files: list[PageFile]) -> None:
    as_json = parse_json(json_page("demo", files, BASE), "demo", "http://elsewhere/").files
    text = html_page("demo", files, BASE).decode()
    as_html = parse_html(text, "demo", "http://elsewhere/").files
    expected = [comparable(file) for file in files]
    assert [comparable(file) for file in as_json] == expected
    assert [comparable(file) for file in as_html] == expected
    assert [file.size for file in as_json] == [file.size for file in files]
    for before, *after in zip(files, as_json, as_html, strict=True):
        for file in after:
            key, name = file.url.removeprefix(BASE).split("/")
            assert (key, unquote(name)) == (before.sha256 or "-", before.filename)
            # A digest would have to be the repaired metadata's, which nobody has read yet.
            assert file.core_metadata_sha256 is None
    assert "secret" not in text


@given(FILES)
def test_json_is_complete(files: list[PageFile]) -> None:
    document = json.loads(json_page("demo", files, BASE))
    assert document["meta"] == {"api-version": "1.1"}
    assert document["name"] == "demo"
    for file, entry in zip(files, document["files"], strict=True):
        assert entry["upload-time"].endswith("Z")
        assert entry.get("core-metadata", False) is file.filename.endswith(".whl")


def test_versions() -> None:
    names = ["demo-1.0-py3-none-any.whl", "demo-1.0.tar.gz", "de-mo-2.0.zip", "demo-3.0.exe"]
    files = [PageFile(filename=name, url="https://example.org/x") for name in names]
    assert json.loads(json_page("demo", files, BASE))["versions"] == ["1.0", "2.0"]


def test_requires_python_is_readable_today() -> None:
    file = PageFile(filename="d-1.zip", url="https://example.org/x", requires_python=">=3.6.*")
    hopeless = file._replace(requires_python="three")
    entries = json.loads(json_page("demo", [file, hopeless], BASE))["files"]
    assert [entry["requires-python"] for entry in entries] == [">=3.6", "three"]


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (f"{JSON}, {HTML};q=0.2, text/html;q=0.01", JSON),
        ("application/vnd.pypi.simple.latest+json", JSON),
        (f"{HTML}, text/html;q=0.01", HTML),
        ("text/html", "text/html"),
        ("*/*", "text/html"),
        ("", "text/html"),
        ("application/vnd.pypi.simple.v2+json, text/html", "text/html"),
    ],
)
def test_media_types(accept: str, kind: str) -> None:
    assert preferred_type(accept) == kind
