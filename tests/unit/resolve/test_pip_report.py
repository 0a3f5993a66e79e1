"""Reading pip-compile's output and pip's report: pins, who needs whom, where a file is from."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.errors import SourceError
from envlock.resolve.python.engines.pip_report import Pin, read_compiled, read_report

COMPILED = """\
#
# a comment
#
App[fast]==1.0            # via -r requirements.in, other[x]
direct @ file:///a/b%20c#subdirectory=x  # via -r requirements.in
lib.one==2.0+cpu          # via -c constraints.txt, app, direct
other==3.0 ; python_version >= "3.8"  # via -r requirements.in
alone==4
"""


def test_pins_and_their_needs() -> None:
    assert read_compiled(COMPILED) == (
        Pin(name="alone", line="alone==4", version="4"),
        Pin(name="app", line="App[fast]==1.0", version="1.0", needs=("lib-one",)),
        Pin(
            name="direct",
            line="direct @ file:///a/b%20c#subdirectory=x",
            version=None,
            needs=("lib-one",),
        ),
        Pin(name="lib-one", line="lib.one==2.0+cpu", version="2.0+cpu"),
        Pin(
            name="other",
            line='other==3.0 ; python_version >= "3.8"',
            version="3.0",
            needs=("app",),
        ),
    )


def test_nothing_asked_for() -> None:
    assert read_compiled("\n") == ()


def test_a_line_that_is_no_pin() -> None:
    with pytest.raises(SourceError, match="no pin"):
        read_compiled("app>=1\n")


_NAMES = st.from_regex(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", fullmatch=True)


@given(st.dictionaries(_NAMES, st.frozensets(_NAMES, max_size=4), max_size=8))
def test_every_edge_survives_its_way_through_the_comments(graph: dict[str, frozenset[str]]) -> None:
    """``graph`` is package → parents; unnormalized doubles (``a--b``) are left out."""
    graph = {name: parents for name, parents in graph.items() if "--" not in name}
    lines = [
        f"{name}==1  # via " + ", ".join(["-r requirements.in", *sorted(parents)])
        for name, parents in graph.items()
    ]
    pins = read_compiled("\n".join(lines))
    assert [pin.name for pin in pins] == sorted(graph)
    for pin in pins:
        expected = {n for n, parents in graph.items() if pin.name in parents and n != pin.name}
        assert set(pin.needs) == expected


def report(**entry: object) -> str:
    found = {
        "download_info": {"url": "https://example.org/app-1.tar.gz"},
        "metadata": {"name": "App", "version": "1"},
    } | entry
    return json.dumps({"version": "1", "install": [found]})


def test_a_report() -> None:
    [(name, found)] = read_report(report()).items()
    assert name == "app"
    assert (found.url, found.sha256, found.version) == (
        "https://example.org/app-1.tar.gz",
        None,
        "1",
    )
    hashed = {"url": "https://x.example.org/", "archive_info": {"hashes": {"sha256": "ab"}}}
    assert read_report(report(download_info=hashed))["app"].sha256 == "ab"


def test_a_report_of_the_future() -> None:
    with pytest.raises(SourceError, match="version 2"):
        read_report('{"version": "2", "install": []}')
