"""Debian version numbers, ordered as Debian Policy §5.6.12 says (``dpkg --compare-versions``)."""

from __future__ import annotations

import re
from functools import lru_cache

Key = tuple[int, tuple[str | int, ...], tuple[str | int, ...]]

_DIGITS = re.compile(r"([0-9]+)")
_VALID = re.compile(r"(?:[0-9]+:)?[A-Za-z0-9.+~:-]+")

# Where a non-digit part ends; a tilde comes before even that.
_END = "\x02"
_ORDER = str.maketrans(
    {"~": "\x01"} | {c: chr(ord(c) + 0x100) for c in map(chr, range(0x21, 0x7F)) if c in "+-.:_"}
)

# ``<`` and ``>`` are old spellings that Policy §7.1 reads as "or equal".
OPERATORS = ("<<", "<=", "=", ">=", ">>", "<", ">")


@lru_cache(maxsize=65536)
def sort_key(version: str) -> Key:
    """A key that sorts version strings; equal versions (``1.0``, ``0:1.0-0``) have equal keys.

    Takes any string: what is not a version sorts somewhere. See `valid`.
    """
    epoch, colon, rest = version.partition(":")
    number = int(epoch) if colon and epoch.isdecimal() and epoch.isascii() else 0
    if not colon:
        rest = version
    upstream, dash, revision = rest.rpartition("-")
    if not dash:
        upstream, revision = rest, ""
    return number, _part_key(upstream), _part_key(revision)


def _part_key(part: str) -> tuple[str | int, ...]:
    # Alternately non-digits and digits. An absent number counts as 0, so "1." equals "1.0" and
    # an absent revision equals "0"; the final end mark keeps "1.0~" below "1.0".
    pieces = _DIGITS.split(part)
    key: list[str | int] = []
    for at in range(0, len(pieces) - 1, 2):
        key += (pieces[at].translate(_ORDER) + _END, int(pieces[at + 1]))
    last = pieces[-1]
    if last or not key:
        key += (last.translate(_ORDER) + _END, 0)
    key.append(_END)
    return tuple(key)


def compare(left: str, right: str) -> int:
    """-1, 0 or 1 as ``left`` is older than, the same as or newer than ``right``."""
    a, b = sort_key(left), sort_key(right)
    return (a > b) - (a < b)


@lru_cache(maxsize=65536)
def satisfies(version: str, operator: str, bound: str) -> bool:
    """Whether ``version`` stands in ``operator`` (one of `OPERATORS`) to ``bound``.

    Raises:
        ValueError: the operator is unknown.
    """
    order = compare(version, bound)
    match operator:
        case "=":
            return order == 0
        case ">=" | ">":
            return order >= 0
        case "<=" | "<":
            return order <= 0
        case ">>":
            return order > 0
        case "<<":
            return order < 0
    raise ValueError(f"unknown relation {operator!r}")


def valid(version: str) -> bool:
    """Whether the string has the characters of a version: ``[epoch:]upstream[-revision]``."""
    return _VALID.fullmatch(version) is not None
