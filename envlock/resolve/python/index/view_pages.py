"""How the dated view writes its pages: PEP 691/700 JSON, and PEP 503 HTML for old clients."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable
from datetime import datetime
from urllib.parse import quote

from envlock.resolve.python.index.page import PageFile
from envlock.resolve.python.index.repair import repair_python

SIMPLE_JSON = "application/vnd.pypi.simple.v1+json"
SIMPLE_HTML = "application/vnd.pypi.simple.v1+html"
# Pages hold thousands of entries: put together from texts, they cost a third of what dumping
# dictionaries does. Every text from outside goes through the encoder.
_json = json.encoder.encode_basestring_ascii
_PLAIN = re.compile(r"[A-Za-z0-9._-]+\Z")


def preferred_type(accept: str) -> str:
    """The media type to answer an ``Accept`` header with: JSON wherever it is welcome."""
    welcome = [part.partition(";")[0].strip().lower() for part in accept.split(",")]
    if SIMPLE_JSON in welcome or "application/vnd.pypi.simple.latest+json" in welcome:
        return SIMPLE_JSON
    return SIMPLE_HTML if SIMPLE_HTML in welcome else "text/html"


def file_key(file: PageFile) -> str:
    """What tells files of one name apart in an address: the SHA-256, or ``-`` without one."""
    return file.sha256 or "-"


def json_page(name: str, files: Iterable[PageFile], base: str) -> bytes:
    """The project's page; ``base`` is where its files are served, with a final slash.

    Wheels claim core metadata without a digest: it is read only when someone asks for it. Sizes
    that the index does not state are left out.
    """
    entries = []
    versions = set()
    valid: dict[str, str] = {}
    said_of: dict[str, str] = {}
    start = _json(base)[:-1]
    for filename, _, sha256, uploaded, python, yanked, size, _ in files:
        if _PLAIN.match(filename):
            entry = f'{{"filename":"{filename}","url":{start}{sha256 or "-"}/{filename}","hashes":'
        else:
            address = _json(f"{sha256 or '-'}/{quote(filename)}")
            entry = f'{{"filename":{_json(filename)},"url":{start}{address[1:]},"hashes":'
        entry += f'{{"sha256":"{sha256}"}}' if sha256 else "{}"
        if python is not None:
            said = said_of.get(python)
            if said is None:
                said = f',"requires-python":{_json(_requires_python(python, valid))}'
                said_of[python] = said
            entry += said
        if uploaded is not None:
            entry += f',"upload-time":"{uploaded.isoformat()[:-6]}Z"'
        if size is not None:
            entry += f',"size":{size}'
        if yanked is not None:
            entry += f',"yanked":{_json(yanked) if yanked else "true"}'
        if filename.endswith(".whl"):
            entry += ',"core-metadata":true}'
            versions.add(filename.split("-", 2)[1] if "-" in filename else "")
        else:
            entry += "}"
            versions.add(_sdist_version(filename))
        entries.append(entry)
    head = json.dumps(
        {"meta": {"api-version": "1.1"}, "name": name, "versions": sorted(versions - {""})}
    )
    return f'{head[:-1]},"files":[{",".join(entries)}]}}'.encode()


def html_page(name: str, files: Iterable[PageFile], base: str) -> bytes:
    """The same as PEP 503 HTML (with the attributes of PEP 592, 714 and ``data-upload-time``)."""
    lines = [
        "<!DOCTYPE html>",
        '<html><head><meta name="pypi:repository-version" content="1.1">',
        f"<title>Links for {name}</title></head><body>",
    ]
    valid: dict[str, str] = {}
    for file in files:
        fragment = f"#sha256={file.sha256}" if file.sha256 else ""
        values = {"href": _address(file, base) + fragment}
        if file.requires_python is not None:
            values["data-requires-python"] = _requires_python(file.requires_python, valid)
        if file.upload_time is not None:
            values["data-upload-time"] = _instant(file.upload_time)
        if file.yanked is not None:
            values["data-yanked"] = file.yanked
        if file.filename.endswith(".whl"):
            values["data-core-metadata"] = "true"
        attributes = " ".join(f'{key}="{html.escape(value)}"' for key, value in values.items())
        lines.append(f"<a {attributes}>{html.escape(file.filename)}</a><br>")
    return "\n".join([*lines, "</body></html>", ""]).encode()


def _address(file: PageFile, base: str) -> str:
    name = file.filename
    return f"{base}{file.sha256 or '-'}/{name if _PLAIN.match(name) else quote(name)}"


def _requires_python(text: str, valid: dict[str, str]) -> str:
    """A form that today's resolvers parse, where there is one; pages repeat few values."""
    known = valid.get(text)
    if known is None:
        known = valid[text] = repair_python(text) or text
    return known


def _instant(moment: datetime) -> str:
    return moment.isoformat().removesuffix("+00:00") + "Z"


def _sdist_version(filename: str) -> str:
    stem = filename
    for suffix in (".tar.gz", ".zip", ".tar.bz2", ".tgz", ".tar.xz"):
        if filename.endswith(suffix):
            stem = filename.removesuffix(suffix)
            break
    else:
        return ""
    return stem.rpartition("-")[2]
