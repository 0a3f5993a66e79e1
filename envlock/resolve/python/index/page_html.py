"""Reads HTML index pages (PEP 503, 592, 629, 658, 714, 792 and ``data-upload-time``).

Pages of thousands of anchors are common, so the tags are found by one regular expression, a
hundred times faster than a parser; the tests hold it to ``html.parser`` as an oracle.
"""

from __future__ import annotations

import html
import re

from envlock.resolve.python.index.page import (
    PageError,
    PageFile,
    ProjectPage,
    absolute,
    hex_digest,
    name_of,
    parse_time,
)

# No "<" outside of quotes, and possessive throughout: each character is looked at a bounded number
# of times, whatever the page is.
_VALUE = r"""(?:"[^"]*"|'[^']*'|[^\s<>"'][^\s<>]*+)"""
_ATTRIBUTES = rf"""(?:[\s/]++|[^\s<>/=][^\s<>/=]*+(?:\s*+=\s*+{_VALUE})?+)*+"""
_TAG = re.compile(
    # What looks like a tag in these is none.
    r"<(?:!--(?:-?>|.*?(?:--!?>|\Z))"
    r"|(?P<raw>script|style|textarea|title)\b.*?(?:</(?P=raw)\b|\Z)"
    rf"|(a|base|meta)(?=[\s/])({_ATTRIBUTES})>"
    # Other tags are passed over whole: their attributes may hold what looks like a tag.
    rf"|[a-z][^\s<>/]*+{_ATTRIBUTES}>)",
    re.IGNORECASE | re.DOTALL,
)
_ATTRIBUTE = re.compile(
    r"""([^\s<>/=][^\s<>/=]*+)(?:\s*+=\s*+(?:"([^"]*)"|'([^']*)'|([^\s<>"'][^\s<>]*+)))?+"""
)
_DIGEST = re.compile(r"(?:^|&)sha256=([0-9a-fA-F]{64})(?:&|$)")
_DISTRIBUTION = re.compile(r"\.(?:whl|zip|tgz|tbz|txz|tlz|egg|exe|tar(?:\.\w+)?)$", re.IGNORECASE)


def parse_html(text: str, name: str, url: str) -> ProjectPage:
    """The page that ``url`` answered for project ``name`` (normalized).

    Anchors that lead to no file (to folders, to other schemes) are no files and are left out.

    Raises:
        PageError: a newer major version of the format, a page cut within a tag, or a web page
            that is not one of an index.
    """
    if text.rfind("<") > text.rfind(">"):
        raise PageError("the page ends within a tag: it was cut short")
    files: list[PageFile] = []
    said: dict[str, str] = {}
    base = url
    for _, tag, attributes in _TAG.findall(text):
        if tag in ("a", "A"):
            file = _file(_values(attributes), base)
            if file is not None:
                files.append(file)
        elif tag:
            values = _values(attributes)
            if tag.lower() == "base" and base is url and "href" in values:
                base = absolute(values["href"].strip(), url) or url
            else:
                said.setdefault(values.get("name", "").lower(), values.get("content", ""))
    _check_version(said.get("pypi:repository-version", ""))
    if not any(_DISTRIBUTION.search(file.filename) for file in files) and not re.search(
        r"links\s+for|pypi:repository-version", text, re.IGNORECASE
    ):
        raise PageError("the answer is a web page that lists no files")
    return ProjectPage(
        name=name,
        files=tuple(files),
        status=said.get("pypi:project-status") or None,
        reason=said.get("pypi:project-status-reason") or None,
    )


def _values(attributes: str) -> dict[str, str]:
    """A tag's attributes, character references decoded; of repeated ones the first counts."""
    values: dict[str, str] = {}
    for key, double, single, bare in reversed(_ATTRIBUTE.findall(attributes)):
        value = double or single or bare
        values[key.lower()] = html.unescape(value) if "&" in value else value
    return values


def _file(values: dict[str, str], base: str) -> PageFile | None:
    reference, _, fragment = values.get("href", "").strip().partition("#")
    if not reference:
        return None
    url = absolute(reference, base)
    filename = name_of(url) if url else None
    if url is None or filename is None:
        return None
    digest = _DIGEST.search(fragment)
    uploaded = values.get("data-upload-time")
    claimed = values.get("data-core-metadata", values.get("data-dist-info-metadata"))
    return PageFile(
        filename,
        url,
        digest[1].lower() if digest else None,
        parse_time(uploaded.strip()) if uploaded else None,
        values.get("data-requires-python") or None,
        values.get("data-yanked"),
        None,
        hex_digest(claimed.partition("sha256=")[2]) if claimed else None,
    )


def _check_version(text: str) -> None:
    """PEP 629: a client must not go on with a newer major version."""
    major = text.partition(".")[0]
    if major.isdigit() and int(major) > 1:
        raise PageError(f"the page has format {text}; this envlock reads 1.x")
