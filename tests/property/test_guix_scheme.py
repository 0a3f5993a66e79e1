"""Guile's own reader finds the lock's texts in the Guix files, whatever they hold."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from support.guix import CHANNEL, guile_strings
from support.strategies import HOSTILE, hostile_texts

from envlock.export.guix.definition import Definition, Inputs, Plan, Source
from envlock.export.guix.exporter import CHANNELS, MODULE, Heading, scheme_files
from envlock.export.guix.scheme import identifier, scheme_string
from envlock.export.store import store_name
from envlock.lock.toolchain import GuixChannel

SCHEME = (
    '")',
    "#|",
    "|#",
    "#;",
    "'()",
    "(",
    ")",
    "|",
    ";",
    "\\x41;",
    "#{",
    "}#",
    ",@x",
    "#.(exit)",
)
SCHEME += ("; coding: latin-1", "-*- coding: utf-16 -*-", "\\\n", "~a", "#$output")
texts = hostile_texts | st.lists(st.sampled_from(SCHEME + HOSTILE), min_size=1, max_size=3).map(
    "".join
)
HEADING = Heading(
    environment="env1-" + "0" * 64,
    as_of="2024-06-01T00:00:00Z",
    targets=("linux/amd64@3.11",),
    systems=("x86_64-linux",),
)
# Each example starts Guile once, and reads a whole batch with it.
few = settings(
    max_examples=8,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@few
@given(st.lists(texts, min_size=100, max_size=200))
def test_strings_are_read_back(tmp_path: Path, found: list[str]) -> None:
    text = "\n".join(scheme_string(one) for one in found).encode("ascii")
    assert guile_strings(tmp_path, [text]) == [found]


def test_every_character_of_the_first_plane_is_read_back(tmp_path: Path) -> None:
    found = [chr(code) for code in [*range(0xD800), *range(0xE000, 0x10000), 0x10FFFF]]
    assert guile_strings(tmp_path, [scheme_string("".join(found)).encode()]) == [["".join(found)]]


@given(st.lists(texts, max_size=5, unique=True))
def test_identifiers_are_plain_and_stay_apart(found: list[str]) -> None:
    names = [identifier(one) for one in found]
    assert len(set(names)) == len(names)
    for name in names:
        assert not set(name) - set("abcdefghijklmnopqrstuvwxyz0123456789.@:+-_")


@st.composite
def definitions(draw: st.DrawFn) -> Definition:
    name = draw(texts)
    version = draw(texts)
    file = store_name(draw(texts) + draw(st.sampled_from([".tar.gz", ".zip"])))
    return Definition(
        identifier=identifier(f"python-{name}"),
        name=store_name(name),
        version=store_name(version),
        label=f"{name} {version}",
        source=Source(url=draw(texts), file=file, digest="0" * 52),
        directory=draw(st.none() | texts),
        inputs=Inputs(
            tools=("python-tool",) * draw(st.integers(0, 2)),
            programs=tuple(draw(st.lists(texts, max_size=2))),
            backends=draw(st.booleans()),
            libraries=draw(st.booleans()),
        ),
        wheel=draw(st.booleans()),
        propagated=(identifier(draw(texts)),) * draw(st.integers(0, 2)),
        cut=(identifier(draw(texts)),) * draw(st.integers(0, 1)),
    )


plans = st.builds(
    Plan,
    python=texts,
    packages=st.lists(definitions(), max_size=3).map(tuple),
    tools=st.lists(definitions(), max_size=1).map(tuple),
    os=st.lists(texts, max_size=3).map(tuple),
)
channels = st.builds(
    lambda name, url, branch: replace(CHANNEL, name=name, url=url, branch=branch),
    texts,
    texts,
    texts,
)


def _expected(definition: Definition) -> list[str]:
    parts = [definition.name, definition.version, definition.source.url, definition.source.file]
    parts.append(definition.source.digest)
    if definition.directory is not None and not definition.wheel:
        parts.append(definition.directory)
    parts += definition.inputs.programs
    return [*parts, definition.label, f"{definition.label}, as locked by envlock"]


def _channel(channel: GuixChannel) -> list[str]:
    introduction = [
        channel.introduction_commit,
        "BBB0 2DDF 2CEA F6A8 0D1D  E643 A2A0 6DF2 A33A 54FA",
    ]
    return [channel.name, channel.url, channel.branch, channel.commit, *introduction]


@few
@given(st.lists(st.tuples(channels, plans), min_size=5, max_size=15))
def test_the_files_hold_the_texts_and_no_others(
    tmp_path: Path, cases: list[tuple[GuixChannel, Plan]]
) -> None:
    trees = [scheme_files(HEADING, channel, plan) for channel, plan in cases]
    empty = Plan(python="3.11", packages=(), tools=(), os=())
    plain = scheme_files(HEADING, CHANNEL, empty)[MODULE]
    files = [plain, *(tree[name] for tree in trees for name in (CHANNELS, MODULE))]
    assert all(file.isascii() for file in files)
    own, *rest = guile_strings(tmp_path, files)
    for (channel, plan), found, module in zip(cases, rest[::2], rest[1::2], strict=True):
        assert found == _channel(channel)
        texts = [text for one in (*plan.tools, *plan.packages) for text in _expected(one)]
        assert sorted(module) == sorted([plan.python, *plan.os, *texts, *_rest(own)])


def _rest(own: list[str]) -> list[str]:
    """The module's own strings, without the Python's version."""
    left = list(own)
    left.remove("3.11")
    return left
