"""CSV (RFC 4180) and JSON (RFC 8259), cell by cell and value by value."""

from __future__ import annotations

import csv
import itertools
import json
from collections.abc import Iterator
from typing import IO, Any

from envlock.runs.judge.findings import Found, Meter, Tolerance, shown

_MISSING = object()
_LARGEST_CELL = 2**27
_WHEN = ("duration", "end_time", "start_time")


def judge_csv(one: IO[str], other: IO[str], tolerance: Tolerance, *, separator: str) -> Found:
    """Row by row; the first one names the columns in what is told.

    Raises:
        ValueError: one of them is none.
    """
    csv.field_size_limit(_LARGEST_CELL)
    meter = Meter(tolerance)
    how = "tsv" if separator == "\t" else "csv"
    try:
        return meter.found(how, _first_cell(one, other, meter, separator))
    except csv.Error as error:
        raise ValueError(str(error)) from None


def _first_cell(one: IO[str], other: IO[str], meter: Meter, separator: str) -> str | None:
    rows = itertools.zip_longest(
        csv.reader(one, delimiter=separator), csv.reader(other, delimiter=separator)
    )
    names: list[str] = []
    for number, (before, after) in enumerate(rows, 1):
        names = names or before or []
        if before is None or after is None:
            longer = "the first run's" if after is None else "the repeat's"
            return f"row {number}: only in {longer}"
        if before == after:
            continue
        if len(before) != len(after):
            return f"row {number}: {len(before)} → {len(after)} cells"
        for column, (a, b) in enumerate(zip(before, after, strict=True), 1):
            if not _same_cell(a, b, meter):
                name = f" ({shown(names[column - 1])})" if column <= len(names) else ""
                return f"row {number}, column {column}{name}: {shown(a)} → {shown(b)}"
    return None


def _same_cell(one: str, other: str, meter: Meter) -> bool:
    if one == other:
        return True
    numbers = _number(one), _number(other)
    return numbers[0] is not None and numbers[1] is not None and meter.close(*numbers)  # type: ignore[arg-type]


def _number(text: str) -> float | None:
    # Python takes 1_000 for a number; others do not.
    if "_" in text:
        return None
    try:
        return float(text)
    except ValueError:
        return None


def judge_notebook(one: IO[str], other: IO[str], tolerance: Tolerance) -> Found:
    """Jupyter's notebooks (nbformat 4) as JSON, but for when and how long a cell was run, and the
    ids of cells, which are random.

    Raises:
        ValueError: one of them is none.
    """
    meter = Meter(tolerance)
    try:
        before, after = (_lasting(json.load(file)) for file in (one, other))
        return meter.found("notebook", _first_value(before, after, "$", meter))
    except RecursionError:
        raise ValueError("nested too deep") from None


def _lasting(notebook: Any) -> Any:
    """What of a notebook, or a cell, is the same when it is run again."""
    if not isinstance(notebook, dict):
        return notebook
    kept = dict(notebook)
    if isinstance(kept.get("metadata"), dict):
        kept["metadata"] = metadata = dict(kept["metadata"])
        metadata.pop("execution", None)
        if isinstance(metadata.get("papermill"), dict):
            told = metadata["papermill"].items()
            metadata["papermill"] = {name: value for name, value in told if name not in _WHEN}
    if isinstance(kept.get("cells"), list):
        kept["cells"] = [_lasting(cell) for cell in kept["cells"]]
    else:
        kept.pop("id", None)
    return kept


def judge_json(one: IO[str], other: IO[str], tolerance: Tolerance, *, lines: bool) -> Found:
    """Value by value; ``lines``: one document a line.

    Raises:
        ValueError: one of them is none.
    """
    meter = Meter(tolerance)
    where = None
    try:
        pairs = _documents(one, other) if lines else [("$", json.load(one), json.load(other))]
        for path, before, after in pairs:
            where = _first_value(before, after, path, meter)
            if where is not None:
                break
    except RecursionError:
        raise ValueError("nested too deep") from None
    return meter.found("json lines" if lines else "json", where)


def _documents(one: IO[str], other: IO[str]) -> Iterator[tuple[str, Any, Any]]:
    for number, pair in enumerate(itertools.zip_longest(one, other), 1):
        before, after = (
            json.loads(text) if text is not None and text.strip() else _MISSING for text in pair
        )
        if before is not _MISSING or after is not _MISSING:
            yield f"line {number}: $", before, after


def _first_value(one: Any, other: Any, path: str, meter: Meter) -> str | None:
    if isinstance(one, dict) and isinstance(other, dict):
        for name in [*one, *(name for name in other if name not in one)]:
            below = f"{path}.{shown(name)}"
            found = _first_value(one.get(name, _MISSING), other.get(name, _MISSING), below, meter)
            if found is not None:
                return found
        return None
    if isinstance(one, list) and isinstance(other, list):
        for number, (a, b) in enumerate(itertools.zip_longest(one, other, fillvalue=_MISSING)):
            found = _first_value(a, b, f"{path}[{number}]", meter)
            if found is not None:
                return found
        return None
    if _is_number(one) and _is_number(other):
        same = meter.close(one, other)
    else:
        same = type(one) is type(other) and one == other
    return None if same else f"{path}: {_value(one)} → {_value(other)}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _value(value: Any) -> str:
    return "nothing" if value is _MISSING else shown(json.dumps(value, ensure_ascii=False))
