"""A damaged, edited or foreign lockfile gives one clear error, and never a wrong lock.

The sample has every feature of the format, so that each reading path meets each damage.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
import tomli
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from support import strategies
from support.samples import full_lock

from envlock.errors import EnvlockError
from envlock.lock import codec
from envlock.lock.hashing import environment_hash, request_digest
from envlock.lock.model import Lock

LOCK = full_lock()
TEXT = codec.dump(LOCK)


def refused_or_equivalent(text: str) -> bool:
    """Whether ``load`` refused; otherwise what it gave installs the same, for the same request."""
    refusal = None
    try:
        lock = codec.load(text, where="pylock.toml")
    except EnvlockError as error:
        refusal = error
    else:
        assert_same_meaning(lock)
        return False
    assert refusal.where == "pylock.toml"
    assert refusal.remedy
    assert refusal.exit_code in (2, 4)
    return True


def assert_same_meaning(lock: Lock) -> None:
    assert environment_hash(lock) == environment_hash(LOCK)
    assert request_digest(lock.request) == request_digest(LOCK.request)
    assert codec.dump(codec.load(codec.dump(lock), where="again")) == codec.dump(lock)


def test_a_file_cut_at_any_byte_is_refused() -> None:
    data = TEXT.encode()
    for end in range(len(data.rstrip())):
        assert refused_or_equivalent(data[:end].decode(errors="ignore")), f"cut at byte {end}"


def test_a_file_without_any_one_line_is_refused_or_says_the_same() -> None:
    lines = TEXT.splitlines(keepends=True)
    refused = sum(
        refused_or_equivalent("".join(lines[:i] + lines[i + 1 :])) for i in range(len(lines))
    )
    # Sizes, times, URLs and the standard part's summary are not covered by a digest; most is.
    assert refused > len(lines) // 3


@given(st.data())
@settings(deadline=None, max_examples=150)
def test_lines_lost_doubled_or_swapped(data: st.DataObject) -> None:
    lines = TEXT.splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 4))):
        i, j = (data.draw(st.integers(0, len(lines) - 1)) for _ in range(2))
        match data.draw(st.sampled_from(["lose", "double", "swap", "block"])):
            case "lose":
                del lines[i]
            case "double":
                lines.insert(j, lines[i])
            case "swap":
                lines[i], lines[j] = lines[j], lines[i]
            case "block":
                del lines[min(i, j) : max(i, j)]
        if not lines:
            break
    refused_or_equivalent("".join(lines))


def test_letters_changed_anywhere() -> None:
    chance = random.Random(20240601)
    for _ in range(600):
        letters = list(TEXT)
        for _ in range(chance.randint(1, 3)):
            letters[chance.randrange(len(letters))] = chance.choice("\"'[]{}=.,#0aZ -\n\x00é")
        refused_or_equivalent("".join(letters))


OTHER_VALUES: tuple[Any, ...] = (
    "",
    "x",
    "/",
    0,
    1,
    -1,
    2**70,
    1.5,
    float("nan"),
    True,
    False,
    [],
    [1],
    [""],
    ["x"],
    [["x"]],
    [{}],
    [{"name": 1}],
    {},
    {"x": 1},
    {"sha256": "abc"},
    {"sha256": 1},
    {"md5": "abc"},
    date(2024, 1, 1),
    time(1, 2),
    datetime(2024, 1, 1),
    datetime(1, 1, 1, tzinfo=UTC),
    datetime.fromisoformat("0001-01-01T00:00:00+14:00"),
    datetime.fromisoformat("9999-12-31T23:59:59-14:00"),
)

Path = tuple[str | int, ...]


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    """The path of every value in a table, itself left out."""
    items: Any = ()
    if isinstance(value, dict):
        items = value.items()
    elif isinstance(value, list):
        items = enumerate(value)
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def changed(table: dict[str, Any], path: Path, value: Any) -> dict[str, Any]:
    fresh = copy.deepcopy(table)
    place: Any = fresh
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return fresh


def without(table: dict[str, Any], path: Path) -> dict[str, Any]:
    fresh = copy.deepcopy(table)
    place: Any = fresh
    for key in path[:-1]:
        place = place[key]
    del place[path[-1]]
    return fresh


TABLE = tomli.loads(TEXT)
PLACES = list(places(TABLE))


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_every_value_of_another_type_or_missing(path: Path) -> None:
    for value in OTHER_VALUES:
        refused_or_equivalent(tomli_w.dumps(changed(TABLE, path, value)))
    refused_or_equivalent(tomli_w.dumps(without(TABLE, path)))


def test_every_value_of_the_digests_is_checked() -> None:
    for path in (
        ("tool", "envlock", "environment-hash"),
        ("tool", "envlock", "digests", "python"),
        ("tool", "envlock", "request", "digest"),
    ):
        assert refused_or_equivalent(tomli_w.dumps(changed(TABLE, path, "env1-" + "0" * 64)))
        assert refused_or_equivalent(tomli_w.dumps(without(TABLE, path)))


def test_every_value_of_the_request_is_covered_by_its_digest() -> None:
    # The date of a request is not in its digest: it is compared on its own.
    own = [p for p in PLACES if p[:3] == ("tool", "envlock", "request") and p[-1] != "as-of"]
    assert len(own) > 20
    for path in own:
        if len(path) > 3:
            assert refused_or_equivalent(tomli_w.dumps(without(TABLE, path))), path


toml_values = st.recursive(
    st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | strategies.hostile_texts
    | strategies.instants
    | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc-", min_size=1), inner),
    max_leaves=5,
)
keys = st.sampled_from(sorted({str(p[-1]) for p in PLACES}))


@given(st.dictionaries(keys, toml_values), st.dictionaries(keys, toml_values))
@settings(deadline=None, max_examples=100)
def test_any_toml_at_all(top: dict[str, Any], tool: dict[str, Any]) -> None:
    valid = {"lock-version": "1.0", "created-by": "x", "packages": []}
    for table in (top, {**valid, "tool": {"envlock": {"format": 1, **tool}}}):
        with pytest.raises(EnvlockError):
            codec.load(tomli_w.dumps(table), where="pylock.toml")


@given(st.text(max_size=200) | strategies.hostile_texts)
@settings(deadline=None, max_examples=100)
def test_any_text_at_all(text: str) -> None:
    with pytest.raises(EnvlockError):
        codec.load(text, where="pylock.toml")


@pytest.mark.parametrize(
    "text",
    [
        "x = " + "[" * 5000,
        "x = " + "{x=" * 5000,
        "x = " + "9" * 5000,
        "x." * 5000 + "x = 1",
        "lock-version = '1.0'\n" * 2,
        "\x00",
    ],
    ids=["arrays", "tables", "number", "dots", "twice", "nul"],
)
def test_toml_made_to_hurt(text: str) -> None:
    with pytest.raises(EnvlockError):
        codec.load(text, where="pylock.toml")
