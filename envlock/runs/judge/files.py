"""One file against another: by what its name says that it is, else by bytes."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from envlock.errors import SourceError
from envlock.io import process
from envlock.runs.judge.findings import Found, Tolerance, Verdict, shown
from envlock.runs.judge.text import judge_csv, judge_json, judge_notebook

_INSIDE = Path(__file__).with_name("inside.py")
_OPENED: dict[str, Callable[[Path], Any]] = {
    ".gz": gzip.open,
    ".bz2": bz2.open,
    ".xz": lzma.open,
}
_LIBRARIES = {
    ".npy": "npy",
    ".npz": "npz",
    ".parquet": "parquet",
    ".pq": "parquet",
    ".h5": "hdf5",
    ".hdf5": "hdf5",
    ".he5": "hdf5",
    ".png": "image",
    ".jpg": "image",
    ".jpeg": "image",
    ".gif": "image",
    ".bmp": "image",
    ".tif": "image",
    ".tiff": "image",
    ".webp": "image",
}
"""Suffix → what ``inside.py`` calls it."""
_PIECE = 1024 * 1024


def judge_files(
    before: Path, after: Path, tolerance: Tolerance, *, name: str, pythons: tuple[str, ...]
) -> Found:
    """What the second file is, beside the first.

    Args:
        before: the one of the first run.
        after: the one of the repeat.
        tolerance: for numbers.
        name: its name says what it is (``scores.csv.gz``).
        pythons: interpreters that may have libraries to read it, the best first.

    Raises:
        OSError: one of them cannot be read.
    """
    place = _first_byte(before, after)
    if place is None:
        return Found(verdict=Verdict.IDENTICAL, how="bytes")
    suffixes = [suffix.lower() for suffix in Path(name).suffixes]
    packed = suffixes.pop() if suffixes and suffixes[-1] in _OPENED else None
    found = None
    note = ""
    if packed is None:
        found, note = _typed(before, after, tolerance, suffixes, pythons)
    else:
        with tempfile.TemporaryDirectory(prefix="envlock-judge-") as folder:
            pair = Path(folder) / "before", Path(folder) / "after"
            try:
                for source, target in zip((before, after), pair, strict=True):
                    with _OPENED[packed](source) as packed_file, target.open("wb") as plain:
                        shutil.copyfileobj(packed_file, plain)
            except (OSError, EOFError, lzma.LZMAError) as error:
                note = f"; cannot be unpacked: {error}"
            else:
                if _first_byte(*pair) is None:
                    return Found(verdict=Verdict.CLOSE, how=f"bytes in {packed}")
                found, note = _typed(*pair, tolerance, suffixes, pythons)
    if found is not None:
        return found
    return Found(verdict=Verdict.DIFFERENT, how="bytes", where=_told(before, after, place) + note)


def _typed(
    before: Path, after: Path, tolerance: Tolerance, suffixes: list[str], pythons: tuple[str, ...]
) -> tuple[Found | None, str]:
    """What a comparison by type says; None and why, where there is none."""
    suffix = suffixes[-1] if suffixes else ""
    try:
        if suffix in (".csv", ".tsv"):
            separator = "\t" if suffix == ".tsv" else ","
            with _text(before) as one, _text(after) as other:
                return judge_csv(one, other, tolerance, separator=separator), ""
        if suffix == ".ipynb":
            with _text(before) as one, _text(after) as other:
                return judge_notebook(one, other, tolerance), ""
        if suffix in (".json", ".geojson", ".jsonl", ".ndjson"):
            with _text(before) as one, _text(after) as other:
                lines = suffix in (".jsonl", ".ndjson")
                return judge_json(one, other, tolerance, lines=lines), ""
    except ValueError as error:
        return None, f"; not to be read as {suffix[1:]}: {error}"
    if suffix in _LIBRARIES:
        return _by_library(before, after, tolerance, _LIBRARIES[suffix], pythons)
    return None, ""


def _text(path: Path) -> IO[str]:
    return path.open(encoding="utf-8-sig", newline="")


def _by_library(
    before: Path, after: Path, tolerance: Tolerance, kind: str, pythons: tuple[str, ...]
) -> tuple[Found | None, str]:
    order = json.dumps(
        {
            "kind": kind,
            "before": str(before),
            "after": str(after),
            "relative": tolerance.relative,
            "absolute": tolerance.absolute,
        }
    )
    note = ""
    for python in pythons:
        try:
            done = process.run([python, "-I", str(_INSIDE), order])
            answer = json.loads(done.stdout)
        except (SourceError, ValueError):
            continue
        if "missing" in answer:
            note = note or f"; not compared as {kind}: {answer['missing']} is not installed"
        elif "problem" in answer:
            return None, f"; not to be read as {kind}: {shown(answer['problem'])}"
        else:
            where = answer["where"]
            return Found(
                verdict=Verdict.CLOSE if where is None else Verdict.DIFFERENT,
                how=kind,
                where=where,
                absolute=answer["absolute"] if where is None else None,
                relative=answer["relative"] if where is None else None,
            ), ""
    return None, note or f"; not compared as {kind}: no Python to do it"


def _first_byte(before: Path, after: Path) -> int | None:
    """Where two files begin to differ; None where they do not."""
    place = 0
    with before.open("rb") as one, after.open("rb") as other:
        while True:
            a, b = one.read(_PIECE), other.read(_PIECE)
            if a != b:
                pairs = enumerate(zip(a, b, strict=False))
                return place + next((n for n, (x, y) in pairs if x != y), min(len(a), len(b)))
            if not a:
                return None
            place += len(a)


def _told(before: Path, after: Path, place: int) -> str:
    """The first difference of two files: by line where they are text, else by byte."""
    texts = []
    for path in (before, after):
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(place)
            line = head.count(b"\n") + 1
            file.seek(head.rfind(b"\n") + 1)
            texts.append(file.readline(300).rstrip(b"\r\n") if place < size else b"")
            if b"\0" in head[-_PIECE:]:
                break
    sizes = " → ".join(str(path.stat().st_size) for path in (before, after))
    try:
        shown_ = [shown(text.decode()) for text in texts]
    except UnicodeDecodeError:
        shown_ = []
    if len(shown_) < 2 or any("\0" in text.decode("utf-8", "replace") for text in texts):
        return f"byte {place} ({sizes} bytes)"
    return f"line {line}: {shown_[0] or 'nothing'} → {shown_[1] or 'nothing'}"
