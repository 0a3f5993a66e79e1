"""OSV records as they are published: a JSON or YAML file, a folder of them, a zip, or its address.

A database of an ecosystem has 100,000 records. Only those are parsed that name a wanted package.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import zipfile
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from envlock.errors import SourceError, UsageError
from envlock.io.http.client import Http
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter

MAX_RECORD_BYTES = 64 * 1024 * 1024
MAX_ZIP_BYTES = 4 * 1024 * 1024 * 1024
_NAME = re.compile(rb"""["']?name["']?\s*:\s*["']?([^"'\s,}]+)""")
_SEPARATORS = re.compile(rb"[-_.]+")
_SUFFIXES = (".json", ".yaml", ".yml")
_STEP = 1000
_FORMAT = "give OSV records: a .json or .yaml file, a folder of them, or a database's all.zip"


def read_records(
    place: str, directory: Path, names: Collection[str], http: Http, reporter: Reporter
) -> Iterator[tuple[str, dict[str, Any]]]:
    """The records that name one of ``names`` (lower case), each with where it is.

    Args:
        place: a file, a folder, or an http(s) address of a file.
        directory: what a relative path starts from.
        names: packages, normalized as PEP 503 says.
        http: fetches an address.
        reporter: told how many were looked at.

    Raises:
        UsageError: there is nothing, or something there is no record.
        SourceError: the address gives no such file.
    """
    wanted = {_normalized(name.encode()) for name in names}
    if place.startswith(("http://", "https://")):
        yield from _fetched(place, wanted, http, reporter)
        return
    path = directory / place
    if path.is_dir():
        yield from _chosen(_folder(path), wanted, reporter)
    elif path.is_file():
        yield from _file(path, str(path), wanted, reporter)
    else:
        raise UsageError("no such file or folder", where=place, remedy=_FORMAT)


def _fetched(
    url: str, wanted: Collection[bytes], http: Http, reporter: Reporter
) -> Iterator[tuple[str, dict[str, Any]]]:
    folder = cache_dir() / "advisories"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        reporter.step(f"fetching {url}")
        path = Path(scratch, url.partition("?")[0].rpartition("/")[2] or "records")
        http.download(url, path, sha256=None, max_bytes=MAX_ZIP_BYTES)
        try:
            yield from _file(path, url, wanted, reporter)
        except UsageError as error:
            raise SourceError(error.what, where=error.where, remedy=error.remedy) from None


def _file(
    path: Path, where: str, wanted: Collection[bytes], reporter: Reporter
) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        if zipfile.is_zipfile(path) or path.suffix == ".zip":
            yield from _chosen(_zipped(path, where), wanted, reporter)
        else:
            yield from _chosen(iter([(where, _bounded(path))]), wanted, reporter)
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise UsageError(f"cannot be read: {error}", where=where, remedy=_FORMAT) from None


def _bounded(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(MAX_RECORD_BYTES + 1)
    if len(content) > MAX_RECORD_BYTES:
        raise UsageError("too large for a record", where=str(path), remedy=_FORMAT)
    return content


def _folder(folder: Path) -> Iterator[tuple[str, bytes]]:
    found = False
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.endswith(_SUFFIXES) and not name.startswith("."):
                found = True
                path = Path(parent, name)
                try:
                    yield str(path), _bounded(path)
                except OSError as error:
                    raise UsageError(f"cannot be read: {error.strerror}", where=str(path)) from None
    if not found:
        raise UsageError("no record is in it", where=str(folder), remedy=_FORMAT)


def _zipped(path: Path, where: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        members = [m for m in archive.infolist() if m.filename.endswith(_SUFFIXES)]
        if not members:
            raise UsageError("no record is in it", where=where, remedy=_FORMAT)
        for member in members:
            place = f"{where}: {member.filename[:200]}"
            with archive.open(member) as file:
                content = file.read(MAX_RECORD_BYTES + 1)
            if len(content) > MAX_RECORD_BYTES:
                raise UsageError("too large for a record", where=place, remedy=_FORMAT)
            yield place, content


def _chosen(
    texts: Iterable[tuple[str, bytes]], wanted: Collection[bytes], reporter: Reporter
) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, (where, content) in enumerate(texts):
        if number % _STEP == 0:
            reporter.progress(number, None)
        # Whatever is cut or no record is told; of whole ones most name no wanted package.
        whole = content.rstrip()[-1:] == b"}" or where.endswith((".yaml", ".yml"))
        if whole and b"affected" in content and not _names(content) & set(wanted):
            continue
        yield from _records(where, content)


def _names(content: bytes) -> set[bytes]:
    return {_normalized(name) for name in _NAME.findall(content)}


def _normalized(name: bytes) -> bytes:
    return _SEPARATORS.sub(b"-", name).lower()


def _records(where: str, content: bytes) -> Iterator[tuple[str, dict[str, Any]]]:
    value = _parsed(where, content)
    # A service's answer, saved as it came, has several.
    several = value.get("vulns") if isinstance(value, dict) else value
    for record in several if isinstance(several, list) else [value]:
        if not isinstance(record, dict):
            raise UsageError("no OSV record", where=where, remedy=_FORMAT)
        yield where, record


def _parsed(where: str, content: bytes) -> Any:
    if where.endswith((".yaml", ".yml")):
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            return YAML(typ="safe").load(content)
        except (YAMLError, ValueError, RecursionError) as error:
            told = str(error).splitlines()[0]
            raise UsageError(f"not YAML: {told}", where=where, remedy=_FORMAT) from None
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise UsageError("not JSON, or cut short", where=where, remedy=_FORMAT) from None
