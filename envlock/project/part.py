"""What one file contributes to a request."""

from __future__ import annotations

from dataclasses import dataclass, fields

from packaging.specifiers import SpecifierSet

from envlock.errors import UsageError
from envlock.lock.request import Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The share of one file (or table) in a ``Request``; the fields mean what they mean there.

    ``pythons`` are Pythons that the file fixes (``3.11``), ``requires_python`` is a bound.
    ``extra_indexes`` come before the default index, first one preferred. ``index_origin`` says
    where ``default_index`` was written.
    """

    wishes: tuple[Wish, ...] = ()
    constraints: tuple[Wish, ...] = ()
    overrides: tuple[Wish, ...] = ()
    requires_python: str | None = None
    pythons: tuple[str, ...] = ()
    prereleases: bool = False
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    default_index: str | None = None
    index_origin: str = ""
    extra_indexes: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False


def merge(parts: list[Part]) -> Part:
    """All parts as one: lists in order, without repetition; every bound on Python holds.

    Raises:
        UsageError: two parts name different default indexes.
    """
    merged: dict[str, object] = {}
    for field in fields(Part):
        values = [getattr(part, field.name) for part in parts]
        if isinstance(field.default, tuple):
            merged[field.name] = tuple(dict.fromkeys(item for value in values for item in value))
        elif isinstance(field.default, bool):
            merged[field.name] = any(values)
        else:
            merged[field.name] = next((value for value in values if value), field.default)
    merged["requires_python"] = _all_bounds([part.requires_python for part in parts])
    _same_index(parts)
    if merged["no_index"]:
        merged |= {"default_index": None, "extra_indexes": ()}
    return Part(**merged)  # type: ignore[arg-type]


def _all_bounds(bounds: list[str | None]) -> str | None:
    return str(SpecifierSet(",".join(bound for bound in bounds if bound))) or None


def _same_index(parts: list[Part]) -> None:
    named = [part for part in parts if part.default_index is not None]
    for part in named[1:]:
        if part.default_index != named[0].default_index:
            raise UsageError(
                f"two default indexes: {named[0].default_index} ({named[0].index_origin}) and"
                f" {part.default_index} ({part.index_origin})",
                where=part.index_origin,
                remedy="keep one of them; name the other one as an extra index",
            )
