"""A chart as SVG 1.1: no script, no font, no file beside it; the same bytes each time.

Text and lines have the colour of a dark or a light page, as the reader's system says.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from envlock.runs.chart.points import Chart, Line, Scale
from envlock.runs.facts import one_line

_WIDTH, _HEIGHT = 720, 440
_LEFT, _RIGHT, _TOP, _BOTTOM = 76, 20, 40, 64
_LEGEND = 18
"""Pixels of a line of the legend."""
_COLOURS = ("#3b82c4", "#d9822b", "#3f9b5b", "#c2504f", "#8d6cc4", "#997a5f", "#c967a8", "#7f8c8d")
"""Seen on white and on black alike."""
_STYLE = """\
  .back { fill: #ffffff; }
  .ink { fill: #24292f; }
  .axis { stroke: #24292f; fill: none; }
  .grid { stroke: #24292f; stroke-opacity: 0.15; }
  text { font: 13px sans-serif; }
  .title { font-size: 15px; }
  @media (prefers-color-scheme: dark) {
    .back { fill: #0d1117; }
    .ink { fill: #e6edf3; }
    .axis { stroke: #e6edf3; }
    .grid { stroke: #e6edf3; }
  }
"""


def svg(chart: Chart) -> str:
    """The whole file."""
    several = len(chart.lines) > 1
    height = _HEIGHT + (_LEGEND * len(chart.lines) if several else 0)
    return "".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}"'
            f' viewBox="0 0 {_WIDTH} {height}" role="img">\n',
            f"<title>{_text(chart.title)}</title>\n",
            f"<style>\n{_STYLE}</style>\n",
            f'<rect class="back" width="{_WIDTH}" height="{height}"/>\n',
            f'<text class="ink title" x="{_LEFT}" y="24">{_text(_cut(chart.title, 80))}</text>\n',
            *_axes(chart),
            *(piece for n, line in enumerate(chart.lines) for piece in _line(chart, n, line)),
            *(_legend(chart) if several else ()),
            "</svg>\n",
        ]
    )


def _axes(chart: Chart) -> Iterator[str]:
    first, second = chart.scales()
    low, high = _HEIGHT - _BOTTOM, _TOP
    for value, text in second.ticks(6):
        y = _number(_y(second, value))
        yield f'<line class="grid" x1="{_LEFT}" y1="{y}" x2="{_WIDTH - _RIGHT}" y2="{y}"/>\n'
        yield _label(_LEFT - 8, y, text, "end", shift="0.32em")
    for value, text in _first_ticks(chart, first):
        x = _number(_x(first, value))
        yield f'<line class="axis" x1="{x}" y1="{low}" x2="{x}" y2="{low + 5}"/>\n'
        yield _label(x, low + 20, text, "middle")
    yield f'<path class="axis" d="M{_LEFT},{high} V{low} H{_WIDTH - _RIGHT}"/>\n'
    yield _label(_WIDTH - _RIGHT, _HEIGHT - 16, _cut(chart.x_name, 60), "end")
    middle = (low + high) // 2
    yield (
        f'<text class="ink" text-anchor="middle" transform="translate(16,{middle}) rotate(-90)">'
        f"{_text(_cut(chart.y_name, 44))}</text>\n"
    )


def _first_ticks(chart: Chart, scale: Scale) -> list[tuple[float, str]]:
    if not chart.categories:
        return scale.ticks(8)
    count = len(chart.categories)
    room = (_WIDTH - _LEFT - _RIGHT) / count
    stride = max(1, -(-count // 8))
    most = max(4, int(room * stride / 7.5))
    return [(float(n), _cut(chart.categories[n], most)) for n in range(0, count, stride)]


def _line(chart: Chart, number: int, line: Line) -> Iterator[str]:
    first, second = chart.scales()
    colour = _COLOURS[number % len(_COLOURS)]
    places = [(_number(_x(first, p.x)), _number(_y(second, p.y)), p) for p in line.points]
    if line.label and len(places) > 1:
        path = " ".join(f"{x},{y}" for x, y, _ in places)
        yield f'<polyline fill="none" stroke="{colour}" stroke-width="1.5" points="{path}"/>\n'
    radius = 2 if len(places) > 60 else 4
    for x, y, point in places:
        told = chart.categories[int(point.x)] if chart.categories else f"{point.x:.6g}"
        text = f"{point.run}: {chart.x_name} {told}, {chart.y_name} {point.y:.6g}"
        yield f'<circle cx="{x}" cy="{y}" r="{radius}" fill="{colour}">'
        yield f"<title>{_text(text)}</title></circle>\n"


def _legend(chart: Chart) -> Iterator[str]:
    for number, line in enumerate(chart.lines):
        y = _HEIGHT + _LEGEND * number
        colour = _COLOURS[number % len(_COLOURS)]
        yield f'<rect x="{_LEFT}" y="{y - 9}" width="12" height="10" fill="{colour}"/>\n'
        yield _label(_LEFT + 20, y, _cut(line.label, 90), "start")


def _x(scale: Scale, value: float) -> float:
    return _LEFT + scale.place(value) * (_WIDTH - _LEFT - _RIGHT)


def _y(scale: Scale, value: float) -> float:
    return _HEIGHT - _BOTTOM - scale.place(value) * (_HEIGHT - _BOTTOM - _TOP)


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _label(x: object, y: object, text: str, anchor: str, shift: str = "") -> str:
    moved = f' dy="{shift}"' if shift else ""
    return f'<text class="ink" x="{x}" y="{y}"{moved} text-anchor="{anchor}">{_text(text)}</text>\n'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _text(text: str) -> str:
    """For XML, which has no control characters and no lone surrogates."""
    return escape(one_line(text))
