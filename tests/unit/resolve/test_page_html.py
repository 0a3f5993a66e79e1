"""HTML pages are read as ``html.parser`` reads them, and hostile ones cost no time."""

from __future__ import annotations

import html
import time
from datetime import UTC, datetime
from html.parser import HTMLParser
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.resolve.python.index.page import PageError, PageFile
from envlock.resolve.python.index.page_html import parse_html

URL = "https://example.org/simple/demo/"
SHA = "ab" * 32


class Oracle(HTMLParser):
    """The anchors and the base as the standard library's parser sees them."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: list[dict[str, str]] = []
        self.base: str | None = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values: dict[str, str] = {}
        for key, value in attrs:
            values.setdefault(key, value or "")
        if tag == "a":
            self.anchors.append(values | {"(base)": self.base or URL})
        elif tag == "base" and self.base is None and "href" in values:
            self.base = urljoin(URL, values["href"])


def seen_by_oracle(text: str) -> list[tuple[str, str, str | None, str | None, str | None]]:
    found = []
    for anchor in Oracle(text).anchors:
        if not anchor.get("href", "").strip():
            continue
        url, fragment = urldefrag(urljoin(anchor["(base)"], anchor["href"].strip()))
        name = unquote(urlsplit(url).path.rpartition("/")[2])
        digest = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None
        python = anchor.get("data-requires-python") or None
        found.append((name, url, digest, python, anchor.get("data-yanked")))
    return found


def seen_by_us(text: str) -> list[tuple[str, str, str | None, str | None, str | None]]:
    files = parse_html(text, "demo", URL).files
    return [(f.filename, f.url, f.sha256, f.requires_python, f.yanked) for f in files]


# --- any page that a program would write ---

SAFE = st.text(st.sampled_from("abcXYZ019._-+ >=<,;!&\"'/\néß"), max_size=12)
SPACE = st.sampled_from([" ", "\n", "\t", "  ", " / "])
NAMES = st.from_regex(r"[a-z]{1,5}-[0-9]\.[0-9](\.tar\.gz|-py3-none-any\.whl)", fullmatch=True)


@st.composite
def attribute(draw: st.DrawFn, key: str, value: str) -> str:
    key = draw(st.sampled_from([key, key.upper(), key.title()]))
    around = draw(st.sampled_from(["", " ", "\n"]))
    quotes = ['"', "'"]
    if value and not set(value) & set(" >=<\"'\n\t`"):
        quotes.append("")
    quote = draw(st.sampled_from(quotes))
    written = html.escape(value, quote=False).replace('"', "&quot;").replace("'", "&#39;")
    if draw(st.booleans()) and quote:
        written = written.replace("&gt;", ">").replace("&lt;", "<")
    end = " " if not quote else ""
    return f"{key}{around}={around}{quote}{written}{quote}{end}"


@st.composite
def anchor(draw: st.DrawFn) -> str:
    prefix = draw(st.sampled_from(["https://files.example.org/x/", "../../files/", "/p/", ""]))
    fragment = draw(st.sampled_from(["", f"#sha256={SHA}", "#md5=00"]))
    parts = [draw(attribute("href", prefix + draw(NAMES) + fragment))]
    keys = ["data-requires-python", "data-yanked", "rel", "data-upload-time", "title"]
    chosen = draw(st.lists(st.sampled_from(keys), unique=True))
    parts += [draw(attribute(key, draw(SAFE))) for key in chosen]
    if draw(st.booleans()):
        parts.append(draw(st.sampled_from(["data-yanked", "hidden", "data-x"])))
    if draw(st.booleans()):
        parts.append(draw(attribute("href", "second.whl")))
    tag = draw(st.sampled_from(["a", "A"]))
    inner = draw(st.sampled_from(["text", "<b>bold</b>", "<!-- c --> x", "&lt;a&gt;"]))
    space = draw(SPACE)
    body = "".join(space + part for part in draw(st.permutations(parts)) if part != parts[-1])
    return f"<{tag}{body}{space}{parts[-1]}>{inner}</{tag}>"


NOISE = st.sampled_from(
    [
        "<!-- <a href='no-1.0.tar.gz'>no</a> -->",
        "<!---->",
        "<script>var x = \"<a href='no-2.0.tar.gz'>\";</script>",
        "<style>a { color: red }</style>",
        "<abbr title='<a href=x>'>y</abbr>",
        "<br/>",
        "<p class='a>b'>",
        "text & more < text",
        "<link href='style.css'>",
        "<a>no address</a>",
        "<a name='top'></a>",
        "\r\n",
    ]
)
HEAD = st.sampled_from(
    [
        "<!DOCTYPE html><html><head><title>Links for demo</title></head><body>",
        "<title>Links for demo</title><base href='https://mirror.example.org/deep/page/'>",
        "<title>Links for demo</title><BASE target=x HREF=../up/><base href='/second/'>",
        "Links for demo",
    ]
)


@given(HEAD, st.lists(st.one_of(anchor(), NOISE), max_size=8))
def test_sees_what_a_parser_sees(head: str, parts: list[str]) -> None:
    text = head + "\n".join(parts) + "</body></html>"
    assert seen_by_us(text) == seen_by_oracle(text)


@given(st.text(st.sampled_from("<a>!-=\"' /hrefscipt\n&;"), max_size=60))
def test_never_breaks_on_anything(text: str) -> None:
    try:
        page = parse_html(text, "demo", URL)
    except PageError:
        return
    assert all(isinstance(file, PageFile) for file in page.files)


@pytest.mark.parametrize(
    "unit",
    ['<a "', "<a x=", "<a ", '<a x="', "<a x='", "<!--", "<script", "<a x=1 ", "<base ", "<a/"],
)
def test_hostile_pages_cost_linear_time(unit: str) -> None:
    start = time.process_time()
    for text in (unit * 40_000 + ">", "<a" + unit.removeprefix("<a") * 40_000 + ">"):
        try:
            parse_html(text, "demo", URL)
        except PageError:
            continue
    assert time.process_time() - start < 2


# --- what the attributes mean ---


def only(text: str) -> PageFile:
    [file] = parse_html(text, "demo", URL).files
    return file


def test_all_attributes() -> None:
    file = only(
        '<a href="https://u:p@files.example.org/d%2B1.0-py3-none-any.whl?q=1#sha256='
        f'{SHA.upper()}" data-requires-python="&gt;=3.8,&lt;4" data-yanked="a &amp; b"'
        ' data-upload-time="2024-01-02T03:04:05.000006Z"'
        f' data-core-metadata="sha256={SHA}">x</a>'
    )
    assert file == PageFile(
        filename="d+1.0-py3-none-any.whl",
        url="https://files.example.org/d%2B1.0-py3-none-any.whl?q=1",
        sha256=SHA,
        upload_time=datetime(2024, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        requires_python=">=3.8,<4",
        yanked="a & b",
        core_metadata_sha256=SHA,
    )


@pytest.mark.parametrize("text", ["2024-01-02T05:04:05+02:00", "2024-01-02T03:04:05"])
def test_times_are_utc(text: str) -> None:
    file = only(f'<a href="d-1.0.zip" data-upload-time="{text}">x</a>')
    assert file.upload_time == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert file.upload_time.tzinfo is UTC


@pytest.mark.parametrize("text", ["yesterday", "", "2024-13-01T00:00:00Z", "1704164645"])
def test_other_times_are_none(text: str) -> None:
    assert only(f'<a href="d-1.0.zip" data-upload-time="{text}">x</a>').upload_time is None


@pytest.mark.parametrize("value", ["true", "false", "md5=abc", "sha256=abc"])
def test_metadata_without_a_digest_is_no_claim(value: str) -> None:
    file = only(f'<a href="d-1.0-py3-none-any.whl" data-dist-info-metadata="{value}">x</a>')
    assert file.core_metadata_sha256 is None


def test_yanked_without_a_reason() -> None:
    assert only('<a data-yanked href="d-1.0.zip">x</a>').yanked == ""
    assert only('<a href="d-1.0.zip">x</a>').yanked is None


@pytest.mark.parametrize(
    "href", ["mailto:x@example.org", "javascript:x.whl", "file:///x-1.zip", "folder/", "", "#top"]
)
def test_what_is_no_file_is_left_out(href: str) -> None:
    text = f'<a href="d-1.0.zip">x</a><a href="{href}">y</a>'
    assert [file.filename for file in parse_html(text, "demo", URL).files] == ["d-1.0.zip"]


@pytest.mark.parametrize("name", ["a%2Fb.whl", "a%5Cb.whl", "a%00b.whl", "a%0Ab.whl", "%2E%2E"])
def test_names_that_could_leave_a_folder_are_left_out(name: str) -> None:
    text = f'<title>Links for demo</title><a href="/{name}">y</a>'
    assert parse_html(text, "demo", URL).files == ()


def test_addresses_are_written_in_ascii() -> None:
    file = only('<a href="/files/d é-1.0.zip">x</a>')
    assert file.url == "https://example.org/files/d%20%C3%A9-1.0.zip"
    assert file.filename == "d é-1.0.zip"


# --- pages that are none ---


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("<html><body>Please sign in <a href='/login'>here</a></body></html>", "lists no files"),
        ("", "lists no files"),
        ("<a href='d-1.0.zip'>x</a><a href='d-2.0", "cut short"),
        (
            '<meta name="pypi:repository-version" content="2.0"><a href="d-1.0.zip">x</a>',
            "format 2.0",
        ),
    ],
)
def test_pages_that_cannot_be_used(text: str, words: str) -> None:
    with pytest.raises(PageError, match=words):
        parse_html(text, "demo", URL)


@pytest.mark.parametrize("version", ["1.0", "1.9", ""])
def test_known_formats(version: str) -> None:
    text = f'<meta name="pypi:repository-version" content="{version}"><a href="d-1.0.zip">x</a>'
    assert only(text).filename == "d-1.0.zip"


def test_a_project_without_files() -> None:
    assert parse_html("<h1>Links for demo</h1>", "demo", URL).files == ()
