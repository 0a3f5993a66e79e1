"""Metrics as points: axes, ticks, text for terminals, SVG."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree

import pytest

from envlock.errors import UsageError
from envlock.runs.chart.points import Scale, chart
from envlock.runs.chart.svg import svg
from envlock.runs.chart.text import draw

SVG = "{http://www.w3.org/2000/svg}"


def runs(*pairs: tuple[Any, Any], name: str = "loss") -> list[dict[str, Any]]:
    return [
        {
            "id": f"20231114T2213{n:02}Z-{n:012x}",
            "duration": 2.0 * n,
            "metrics": {name: y} if y is not None else {},
            "parameters": {"lr": {"value": x, "from": "given"}},
            "resources": {"max-resident": 5_000_000},
        }
        for n, (x, y) in enumerate(pairs)
    ]


SWEEP = runs((0.1, 3.0), (0.01, 1.0), (0.001, 2.0))


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 5, ["0", "0.25", "0.5", "0.75", "1"]),
        (-1, 1, 5, ["-1", "-0.5", "0", "0.5", "1"]),
        (0, 1e9, 3, ["0", "5e+08", "1e+09"]),
        (0, 3e-6, 4, ["0", "1e-06", "2e-06", "3e-06"]),
        (10, 25, 4, ["10", "15", "20", "25"]),
    ],
)
def test_ticks_are_round(low: float, high: float, most: int, expected: list[str]) -> None:
    assert [text for _, text in Scale(low=low, high=high).ticks(most)] == expected


def test_ticks_of_powers() -> None:
    scale = Scale(low=1e-3, high=10, logarithmic=True)
    assert [text for _, text in scale.ticks(9)] == ["0.001", "0.01", "0.1", "1", "10"]
    assert [scale.place(value) for value in (1e-3, 0.1, 10)] == pytest.approx([0, 0.5, 1])


def test_a_number_on_the_first_axis() -> None:
    found = chart(SWEEP, "loss", by="lr", logarithmic=(True, False))
    [line] = found.lines
    assert [(point.x, point.y) for point in line.points] == [(0.001, 2), (0.01, 1), (0.1, 3)]
    rows = draw(found, width=60)
    assert sum(row.count("•") for row in rows) == 3
    assert max(map(len, rows)) <= 60
    assert all(text in rows[-2] for text in ("0.001", "0.01", "0.1"))


def test_words_and_runs_on_the_first_axis() -> None:
    words = runs(("adam", 1), ("sgd", -2), ("adam", 3))
    found = chart(words, "loss", by="lr")
    assert found.categories == ("adam", "sgd")
    assert [point.x for point in found.points] == [0, 1, 0]
    assert len([row for row in draw(found, width=50) if row.startswith("adam")]) == 2
    by_run = chart(words, "loss")
    assert by_run.categories == tuple(one["id"][-12:] for one in words)


def test_series_are_a_line_each() -> None:
    series = {SWEEP[0]["id"]: [4, 3.5, "nan", 3], SWEEP[1]["id"]: [2, 1]}
    found = chart(SWEEP, "loss", series=series)
    assert [[p.y for p in line.points] for line in found.lines] == [[4, 3.5, 3], [2, 1], [2]]
    image = ElementTree.fromstring(svg(found))
    assert len(list(image.iter(f"{SVG}polyline"))) == 2


def test_what_records_tell_by_themselves_has_a_unit() -> None:
    found = chart(SWEEP, "duration")
    assert (found.y_name, [p.y for p in found.points]) == ("duration (s)", [0, 2, 4])
    found = chart(SWEEP, "max-resident")
    assert (found.y_name, found.points[0].y) == ("max-resident (MB)", 5)
    assert chart(runs((1, 7), name="duration"), "duration").y_name == "duration", "their own one"


def test_what_is_no_number_is_left_out_and_named() -> None:
    mixed = runs((1, 1), (2, "inf"), (3, None), (4, True))
    found = chart(mixed, "loss", by="lr")
    assert len(found.points) == 1
    assert found.left_out == tuple(one["id"] for one in mixed[1:])
    for wrong in ({"metric": "other"}, {"metric": "loss", "by": "other"}):
        with pytest.raises(UsageError):
            chart(SWEEP, **wrong)
    with pytest.raises(UsageError, match="above zero"):
        chart(runs((0, 1)), "loss", by="lr", logarithmic=(True, False))


@pytest.mark.parametrize("width", [1, 20, 27, 40, 79, 200])
@pytest.mark.parametrize("by", [None, "lr"])
def test_any_terminal(width: int, by: str | None) -> None:
    for pairs in (SWEEP, runs((1, 5)), runs((1, 1e-12), (2, 1e12)), runs((1, -3), (2, 4))):
        rows = draw(chart(pairs, "loss", by=by), width=width, plain=True)
        assert max(map(len, rows)) <= max(width, 20)
        assert all(row.isascii() for row in rows)


def test_svg_is_plain_and_the_same_each_time() -> None:
    name = "<script>&\"'\x00\x1b\ud800"
    found = chart(runs((1, 2), (3, 4), name=name), name, by="lr")
    text = svg(found)
    assert text == svg(found)
    text.encode()
    image = ElementTree.fromstring(text)
    assert {element.tag.removeprefix(SVG) for element in image.iter()} <= {
        *("svg", "title", "style", "rect", "text", "line", "path", "circle", "polyline"),
    }
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"https?://(?!www\.w3\.org/2000/svg)", text)
    shown = ["".join(element.itertext()) for element in image.iter(f"{SVG}text")]
    assert any(one.startswith("<script>") for one in shown)
    circles = list(image.iter(f"{SVG}circle"))
    assert len(circles) == 2
    for circle in circles:
        assert 0 < float(circle.get("cx", "")) < 720
        assert 0 < float(circle.get("cy", "")) < 440
