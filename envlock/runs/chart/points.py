"""A metric of several runs as points on axes, for whoever draws it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envlock.errors import UsageError
from envlock.runs.facts import fact_value

_UNITS = {
    "cpu-system": ("s", 1.0),
    "cpu-user": ("s", 1.0),
    "duration": ("s", 1.0),
    "max-resident": ("MB", 1e-6),
    "read": ("MB", 1e-6),
    "written": ("MB", 1e-6),
}
"""What every record tells: its unit, and what to multiply it by."""
_LABELLED = 3
"""Parameters beside a run's name."""
_STEPS = (1.0, 2.0, 2.5, 5.0, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A value of a run. ``x`` is a number, or the index of a category."""

    run: str
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """Points that belong together: one run's values in order, or one value of each run."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """Numbers on an axis: its ends, and whether equal factors have equal lengths."""

    low: float
    high: float
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value is: 0 at the low end, 1 at the high one."""
        low, high, value = (self._flat(one) for one in (self.low, self.high, value))
        return (value - low) / (high - low)

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """Round values on the axis with their texts; about ``most``, two at least."""
        if self.logarithmic:
            return self._powers(most)
        while True:
            step = _step((self.high - self.low) / max(most - 1, 1))
            first = math.ceil(self.low / step - 1e-9)
            last = math.floor(self.high / step + 1e-9)
            if last > first:
                return [(n * step, _told(n * step, step)) for n in range(first, last + 1)]
            most += 1

    def _powers(self, most: int) -> list[tuple[float, str]]:
        first = math.ceil(math.log10(self.low) - 1e-9)
        last = math.floor(math.log10(self.high) + 1e-9)
        stride = max(1, math.ceil((last - first + 1) / max(most, 1)))
        return [(10.0**n, f"{10.0**n:g}") for n in range(first, last + 1, stride)]

    def _flat(self, value: float) -> float:
        return math.log10(value) if self.logarithmic else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Lines on two axes. With ``categories``, the first axis has these in place of numbers."""

    title: str
    x_name: str
    y_name: str
    lines: tuple[Line, ...]
    categories: tuple[str, ...] = ()
    logarithmic: tuple[bool, bool] = (False, False)
    left_out: tuple[str, ...] = ()
    """Runs of which there is no number to draw."""

    @property
    def points(self) -> tuple[Point, ...]:
        """All of them."""
        return tuple(point for line in self.lines for point in line.points)

    def scales(self) -> tuple[Scale, Scale]:
        """Of the first axis and the second one, with room for all points."""
        if self.categories:
            first = Scale(low=-0.5, high=len(self.categories) - 0.5)
        else:
            first = _scale([point.x for point in self.points], self.logarithmic[0])
        return first, _scale([point.y for point in self.points], self.logarithmic[1])


def chart(
    records: Sequence[Mapping[str, Any]],
    metric: str,
    *,
    by: str | None = None,
    series: Mapping[str, Sequence[Any]] | None = None,
    logarithmic: tuple[bool, bool] = (False, False),
) -> Chart:
    """A metric of runs.

    Args:
        records: the runs.
        metric: a metric's name, or ``duration`` and what stands in ``resources``.
        by: the parameter on the first axis; None: the runs themselves.
        series: of each run's id, all values of the metric in their order: they are drawn in place
            of the last ones.
        logarithmic: of the axes.

    Raises:
        UsageError: no run has a number of that name, or the parameter; a logarithm of what is not
            above zero is asked for.
    """
    own = any(metric in (record.get("metrics") or {}) for record in records)
    unit, factor = ("", 1.0) if own else _UNITS.get(metric, ("", 1.0))
    name = f"{metric} ({unit})" if unit else metric
    values = {
        record["id"]: [y * factor for y in _values(record, metric, series)] for record in records
    }
    having = [record for record in records if values[record["id"]]]
    if not having:
        raise UsageError(f"no run has a number called {metric}", remedy=_known(records))
    lines, x_name, categories = _lines(having, values, by, series is not None)
    drawn = {point.run for line in lines for point in line.points}
    found = Chart(
        title=f"{name} by {x_name}",
        x_name=x_name,
        y_name=name,
        lines=lines,
        categories=categories,
        logarithmic=(logarithmic[0] and not categories, logarithmic[1]),
        left_out=tuple(record["id"] for record in records if record["id"] not in drawn),
    )
    _require_logarithms(found)
    return found


def _require_logarithms(found: Chart) -> None:
    axes = (
        (found.x_name, [point.x for point in found.points]),
        (found.y_name, [point.y for point in found.points]),
    )
    for wanted, (name, values) in zip(found.logarithmic, axes, strict=True):
        if wanted and min(values) <= 0:
            raise UsageError(f"{name} is not always above zero: it has no logarithm")


_Found = tuple[tuple[Line, ...], str, tuple[str, ...]]


def _lines(
    records: Sequence[Mapping[str, Any]],
    values: Mapping[str, list[float]],
    by: str | None,
    series: bool,
) -> _Found:
    """The lines, what their first axis is called, and its categories."""
    if series:
        labels = _labels(records)
        return (
            tuple(_series(r["id"], labels[r["id"]], values[r["id"]]) for r in records),
            "step",
            (),
        )
    last = [(record["id"], values[record["id"]][-1]) for record in records]
    if by is None:
        return (
            _by_category([(run, run[-12:], y) for run, y in last]),
            "run",
            tuple(run[-12:] for run, _ in last),
        )
    given = {
        record["id"]: record["parameters"][by]["value"]
        for record in records
        if by in (record.get("parameters") or {})
    }
    if not given:
        raise UsageError(f"no run has a parameter called {by}", remedy="envlock runs show RUN")
    last = [(run, y) for run, y in last if run in given]
    if all(_is_number(value) for value in given.values()):
        points = [Point(run=run, x=float(given[run]), y=y) for run, y in last]
        line = Line(label="", points=tuple(sorted(points, key=lambda p: (p.x, p.y, p.run))))
        return (line,), by, ()
    told = [(run, fact_value(given[run]), y) for run, y in last]
    return _by_category(told), by, tuple(dict.fromkeys(text for _, text, _ in told))


def _by_category(told: Sequence[tuple[str, str, float]]) -> tuple[Line]:
    index = {text: n for n, text in enumerate(dict.fromkeys(text for _, text, _ in told))}
    points = (Point(run=run, x=float(index[text]), y=y) for run, text, y in told)
    return (Line(label="", points=tuple(points)),)


def _series(run: str, label: str, values: Sequence[float]) -> Line:
    points = tuple(Point(run=run, x=float(n), y=y) for n, y in enumerate(values, 1))
    return Line(label=label, points=points)


def _labels(records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The runs' names, with the first parameters in which they differ."""
    given = {
        record["id"]: {
            name: fact_value(one["value"]) for name, one in (record.get("parameters") or {}).items()
        }
        for record in records
    }
    names = sorted({name for one in given.values() for name in one})
    differ = [n for n in names if len({one.get(n) for one in given.values()}) > 1][:_LABELLED]
    return {
        run: " ".join([run[-12:], *(f"{name}={one[name]}" for name in differ if name in one)])
        for run, one in given.items()
    }


def _values(
    record: Mapping[str, Any], metric: str, series: Mapping[str, Sequence[Any]] | None
) -> list[float]:
    if series is not None and series.get(record["id"]):
        return [float(value) for value in series[record["id"]] if _is_number(value)]
    metrics = record.get("metrics") or {}
    told = {"duration": record.get("duration")} | (record.get("resources") or {})
    value: Any = metrics[metric] if metric in metrics else told.get(metric)
    return [float(value)] if _is_number(value) else []


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _known(records: Sequence[Mapping[str, Any]]) -> str:
    names = sorted({name for record in records for name in record.get("metrics") or {}})
    return f"known: {', '.join([*names, *sorted(_UNITS)])}"


def _scale(values: Sequence[float], logarithmic: bool) -> Scale:
    """From a round value at or below the lowest to one at or above the highest."""
    low, high = min(values), max(values)
    if logarithmic:
        first = math.floor(math.log10(low) + 1e-9)
        last = math.ceil(math.log10(high) - 1e-9)
        return Scale(low=10.0**first, high=10.0 ** max(last, first + 1), logarithmic=True)
    if high - low <= abs(high) * 1e-12:
        room = abs(high) / 10 or 1.0
        low, high = low - room, high + room
    step = _step((high - low) / 4)
    return Scale(low=math.floor(low / step) * step, high=math.ceil(high / step) * step)


def _step(rough: float) -> float:
    """The next round number: 1, 2, 2.5 or 5 with zeros."""
    size = 10.0 ** math.floor(math.log10(rough))
    return next(size * one for one in _STEPS if size * one >= rough * (1 - 1e-9))


def _told(value: float, step: float) -> str:
    if value and not 1e-4 <= max(abs(value), step) < 1e7:
        return f"{value:.3g}"
    places = max(0, -math.floor(math.log10(step) + 1e-9))
    text = f"{value:.{places + 1}f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text
