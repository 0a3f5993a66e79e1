"""A chart in a terminal: plain characters, no colours, any width."""

from __future__ import annotations

from dataclasses import dataclass

from envlock.runs.chart.points import Chart, Scale
from envlock.runs.facts import one_line

_NARROWEST = 20
_LABEL = 24
"""Characters of a category's name."""
_SERIES = "•ox+*#@%&=~abcdefghijklmnpqrstuvwyz"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What lines are made of."""

    point: str
    bar: str
    dots: str
    across: str
    down: str
    corner: str
    tick: str


UNICODE = Signs(point="•", bar="━", dots="·", across="─", down="│", corner="└", tick="┬")
ASCII = Signs(point="o", bar="=", dots=".", across="-", down="|", corner="+", tick="+")


def draw(chart: Chart, *, width: int, height: int = 16, plain: bool = False) -> list[str]:
    """Lines of at most ``width`` characters (20 at least).

    Args:
        chart: what to draw.
        width: of the terminal.
        height: rows of a chart with numbers on both axes.
        plain: ASCII only.
    """
    width = max(width, _NARROWEST)
    signs = ASCII if plain else UNICODE
    lines = [one_line(chart.title)[:width]]
    if chart.categories:
        return lines + _bars(chart, signs, width)
    return lines + _grid(chart, signs, width, height)


def _bars(chart: Chart, signs: Signs, width: int) -> list[str]:
    """A row for each point: from zero, or dots from the axis' low end."""
    _, scale = chart.scales()
    names = [one_line(name)[:_LABEL] for name in chart.categories]
    label = min(max(map(len, names)), width // 3)
    values = [f"{point.y:.6g}" for point in chart.points]
    room = width - label - max(map(len, values)) - 3
    if room < 4:
        return [
            f"{names[int(p.x)][:label]:<{label}} {value}"[:width]
            for p, value in zip(chart.points, values, strict=True)
        ]
    start = _column(scale, 0.0, room) if scale.low < 0 < scale.high else 0
    rows = []
    for point, value in zip(chart.points, values, strict=True):
        end = _column(scale, point.y, room)
        cells = [" "] * room
        # A bar's length tells a value only where it starts at zero.
        mark = signs.bar if scale.low <= 0 <= scale.high and not scale.logarithmic else signs.dots
        for column in range(min(start, end), max(start, end)):
            cells[column] = mark
        cells[end] = signs.point
        name = names[int(point.x)][:label]
        rows.append(f"{name:<{label}} {signs.down}{''.join(cells)} {value}".rstrip())
    return [*rows, *_below(scale, signs, label + 1, room)]


def _grid(chart: Chart, signs: Signs, width: int, height: int) -> list[str]:
    first, second = chart.scales()
    ticks = {
        height - 1 - _column(second, value, height): text
        for value, text in second.ticks(max(2, height // 4))
    }
    margin = max(len(text) for text in ticks.values())
    room = max(width - margin - 2, 4)
    cells = [[" "] * room for _ in range(height)]
    several = len(chart.lines) > 1
    for number, line in enumerate(chart.lines):
        sign = _SERIES[number % len(_SERIES)] if several else signs.point
        sign = "." if sign == "•" and signs is ASCII else sign
        for point in line.points:
            row = height - 1 - _column(second, point.y, height)
            cells[row][_column(first, point.x, room)] = sign
    lines = [
        f"{ticks.get(row, ''):>{margin}} {signs.down}{''.join(cells[row])}".rstrip()
        for row in range(height)
    ]
    lines += _below(first, signs, margin + 1, room)
    lines.append(f"{one_line(chart.x_name)[:width]:>{width}}")
    if several:
        for number, line in enumerate(chart.lines):
            sign = _SERIES[number % len(_SERIES)]
            shown = "." if sign == "•" and signs is ASCII else sign
            lines.append(f"{shown} {one_line(line.label)}"[:width])
    return lines


def _below(scale: Scale, signs: Signs, margin: int, room: int) -> list[str]:
    """The axis below, with as many of its ticks as have room beside one another."""
    axis = [signs.across] * room
    texts = [" "] * (margin + 1 + room)
    free = 0
    for value, text in scale.ticks(max(2, room // 10)):
        column = _column(scale, value, room)
        start = min(max(margin + 1 + column - len(text) // 2, 0), margin + 1 + room - len(text))
        if start < free:
            continue
        axis[column] = signs.tick
        texts[start : start + len(text)] = text
        free = start + len(text) + 1
    return [" " * margin + signs.corner + "".join(axis), "".join(texts).rstrip()]


def _column(scale: Scale, value: float, room: int) -> int:
    return min(max(round(scale.place(value) * (room - 1)), 0), room - 1)
