"""In what two files of a wheel's metadata differ, in words; and in nothing but these words.

METADATA and WHEEL are email headers (core metadata, PEP 427). What means the same may still be
written in another order or with other ends of lines: that is said, and it stays a difference.
"""

from __future__ import annotations

from collections import Counter
from email.parser import HeaderParser

_PARSED = ("METADATA", "WHEEL")
_SHOWN = 4
_LONG = 60


def in_words(name: str, built: bytes, published: bytes) -> str | None:
    """The difference between two files called ``name``; None for what is no email header.

    Fields are named with their values where they have one each, and counted else.
    """
    if name.rpartition("/")[2] not in _PARSED:
        return None
    ends = published.count(b"\r\n"), built.count(b"\r\n")
    ours, theirs = _parsed(built), _parsed(published)
    told = []
    if bool(ends[0]) is not bool(ends[1]):
        told.append(f"{'published' if ends[0] else 'built'} with Windows's ends of lines")
    fields, others = Counter(ours[0]), Counter(theirs[0])
    names = {field for field, _ in (fields - others) + (others - fields)}
    if names:
        told += [_field(field, ours[0], theirs[0]) for field in sorted(names)[:_SHOWN]]
        more = len(names) - _SHOWN
        told += [f"and {more} more fields"] if more > 0 else []
    elif ours[0] != theirs[0]:
        moved = {a[0] for a, b in zip(ours[0], theirs[0], strict=True) if a != b}
        told.append(f"the same fields in another order ({', '.join(sorted(moved))})")
    if ours[1].split() != theirs[1].split():
        told.append("another description")
    elif ours[1] != theirs[1]:
        told.append("other white space in the description")
    return "; ".join(told) or "the same fields, written otherwise"


def _parsed(content: bytes) -> tuple[list[tuple[str, str]], str]:
    """Fields in their order, and the body; with ends of lines alike."""
    text = content.decode("utf-8", "replace").replace("\r\n", "\n")
    message = HeaderParser().parsestr(text)
    fields = [(name, " ".join(str(value).split())) for name, value in message.items()]
    return fields, str(message.get_payload())


def _field(name: str, built: list[tuple[str, str]], published: list[tuple[str, str]]) -> str:
    ours, theirs = ([v for n, v in fields if n == name] for fields in (built, published))
    if not theirs or not ours:
        return f"{name} only {'built' if ours else 'published'}"
    if len(ours) == len(theirs) == 1:
        return f"{name} {_short(ours[0])}, published {_short(theirs[0])}"
    return f"{name} ({len(ours)}, published {len(theirs)})"


def _short(value: str) -> str:
    return value if len(value) <= _LONG else value[: _LONG - 1] + "…"
