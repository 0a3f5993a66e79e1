"""The version order is an order, and the sort key says what Policy's algorithm read aloud says."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from envlock.resolve.os.packages.version import compare, satisfies, sort_key

# Few different characters: what is alike up to one place is where orders go wrong.
PART = st.text(alphabet="0019aZ~~+.", max_size=8)
VERSIONS = st.builds(
    lambda epoch, upstream, revision: f"{epoch}{upstream}{revision}",
    st.sampled_from(["", "", "0:", "1:", "10:"]),
    PART,
    st.one_of(st.just(""), PART.map(lambda part: f"-{part}")),
)


def _spelled_out(left: str, right: str) -> int:
    """§5.6.12, step by step, on whole versions."""
    a, b = _fields(left), _fields(right)
    if a[0] != b[0]:
        return 1 if a[0] > b[0] else -1
    return _strings(a[1], b[1]) or _strings(a[2], b[2])


def _fields(version: str) -> tuple[int, str, str]:
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, dash, revision = rest.rpartition("-")
    return (int(epoch), upstream, revision) if dash else (int(epoch), rest, "")


def _strings(a: str, b: str) -> int:
    while a or b:
        a_text, a = _leading(a, digits=False)
        b_text, b = _leading(b, digits=False)
        for position in range(max(len(a_text), len(b_text))):
            weights = [_weight(t[position : position + 1]) for t in (a_text, b_text)]
            if weights[0] != weights[1]:
                return 1 if weights[0] > weights[1] else -1
        a_number, a = _leading(a, digits=True)
        b_number, b = _leading(b, digits=True)
        numbers = int(a_number or "0"), int(b_number or "0")
        if numbers[0] != numbers[1]:
            return 1 if numbers[0] > numbers[1] else -1
    return 0


def _leading(text: str, *, digits: bool) -> tuple[str, str]:
    end = 0
    while end < len(text) and text[end].isdigit() is digits:
        end += 1
    return text[:end], text[end:]


def _weight(character: str) -> int:
    if character == "~":
        return -1
    if not character:
        return 0
    return ord(character) if character.isalpha() else ord(character) + 256


@given(VERSIONS, VERSIONS)
def test_the_key_says_what_policy_says(left: str, right: str) -> None:
    assert compare(left, right) == _spelled_out(left, right)


@given(VERSIONS, VERSIONS)
def test_turned_round(left: str, right: str) -> None:
    assert compare(left, right) == -compare(right, left)


@given(st.lists(VERSIONS, max_size=6))
def test_sorting_agrees_with_comparing(versions: list[str]) -> None:
    ordered = sorted(versions, key=sort_key)
    for position, left in enumerate(ordered):
        assert all(compare(left, right) <= 0 for right in ordered[position:])


@given(VERSIONS, VERSIONS)
def test_the_operators_divide_all_pairs(left: str, right: str) -> None:
    held = [satisfies(left, operator, right) for operator in ("<<", "=", ">>")]
    assert held.count(True) == 1
    assert satisfies(left, "<=", right) is (held[0] or held[1])
    assert satisfies(left, ">=", right) is (held[1] or held[2])


@given(st.text())
def test_any_text_has_a_place(text: str) -> None:
    assert compare(text, text) == 0
