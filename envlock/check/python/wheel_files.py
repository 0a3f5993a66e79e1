"""What a wheel says that it installs: its RECORD, with digests, read from the archive."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import UsageError
from envlock.lock.installed import read_record

_OF_SITE = ("purelib/", "platlib/")


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFiles:
    """``info`` is its ``*.dist-info``; ``site`` what goes below site-packages and ``data`` what
    goes below the environment: path → SHA-256 (hex). Scripts, which installers rewrite, headers
    and RECORD itself are in neither."""

    info: str
    site: Mapping[str, str]
    data: Mapping[str, str]


def wheel_files(path: Path, name: str) -> WheelFiles:
    """The files of the wheel at ``path``; ``name`` is the wheel's, for errors.

    Raises:
        UsageError: it cannot be read, or is no wheel.
    """
    try:
        return _read(path, name)
    except (zipfile.BadZipFile, KeyError, ValueError, OSError) as error:
        raise UsageError(f"the wheel cannot be read: {error}", where=name) from None


def _read(path: Path, name: str) -> WheelFiles:
    with zipfile.ZipFile(path) as archive:
        records = [
            entry
            for entry in archive.namelist()
            if entry.endswith(".dist-info/RECORD") and entry.count("/") == 1
        ]
        if len(records) != 1:
            raise ValueError(f"{name} has {len(records)} RECORDs")
        info = records[0].partition("/")[0]
        record = read_record(archive.read(records[0]))
    if record.problem is not None:
        raise ValueError(record.problem)
    below = f"{info.removesuffix('.dist-info')}.data/"
    site: dict[str, str] = {}
    data: dict[str, str] = {}
    for row in record.rows:
        if row.algorithm != "sha256" or row.digest is None or row.path == f"{info}/RECORD":
            continue
        inner = row.path.removeprefix(below)
        if inner == row.path:
            site[row.path] = row.digest.hex()
        elif inner.startswith("data/"):
            data[inner.removeprefix("data/")] = row.digest.hex()
        else:
            kind = next((kind for kind in _OF_SITE if inner.startswith(kind)), None)
            if kind is not None:
                site[inner.removeprefix(kind)] = row.digest.hex()
    return WheelFiles(info=info, site=site, data=data)
