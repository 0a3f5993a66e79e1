"""Dependency groups (PEP 735), and uv's older ``dev-dependencies``."""

from __future__ import annotations

from typing import Any

from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.project.document import Document, nearest
from envlock.project.formats.extras import Written


def group_items(document: Document, name: str, *, where: str) -> tuple[Written, ...]:
    """The requirements of one group, its ``include-group`` entries resolved.

    Args:
        document: a pyproject.toml.
        name: the group, in any spelling.
        where: the place that names it, for the error when there is none.

    Raises:
        UsageError: an unknown group, groups that include each other, an entry of another shape.
    """
    return tuple(_items(document, group_names(document), name, where=where, inside=()))


def group_names(document: Document) -> dict[str, str | None]:
    """Normalized name → name as written; None for uv's ``dev-dependencies`` without a ``dev``.

    Raises:
        UsageError: ``[dependency-groups]`` is no table, or two names are the same one.
    """
    table = document.get("dependency-groups")
    if table is None:
        table = {}
    if not isinstance(table, dict):
        raise document.wrong(("dependency-groups",), "a table")
    names: dict[str, str | None] = {}
    for written in table:
        name = canonicalize_name(written)
        if name in names:
            raise UsageError(
                f'"{names[name]}" and "{written}" are the same dependency group',
                where=document.place(("dependency-groups", written)),
                remedy="names differ only in case, dots, dashes and underscores: rename one",
            )
        names[name] = written
    if document.get("tool", "uv", "dev-dependencies") is not None:
        names.setdefault("dev", None)
    return names


def reached_groups(document: Document, names: tuple[str, ...]) -> frozenset[str]:
    """``names`` and every group that they include, normalized.

    Raises:
        UsageError: as ``group_names``.
    """
    known = group_names(document)
    reached: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in reached:
            continue
        reached.add(name)
        entries = document.get("dependency-groups", known.get(name) or "")
        waiting += [
            canonicalize_name(entry["include-group"])
            for entry in (entries if isinstance(entries, list) else ())
            if isinstance(entry, dict) and isinstance(entry.get("include-group"), str)
        ]
    return frozenset(reached)


def _items(
    document: Document,
    names: dict[str, str | None],
    name: str,
    *,
    where: str,
    inside: tuple[str, ...],
) -> list[Written]:
    normal = canonicalize_name(name)
    if normal in inside:
        chain = " → ".join([*inside[inside.index(normal) :], normal])
        raise UsageError(
            f"dependency groups include each other in a circle: {chain}",
            where=where,
            remedy="take one of these include-group entries away",
        )
    if normal not in names:
        raise UsageError(
            f'there is no dependency group "{name}"', where=where, remedy=nearest(normal, names)
        )
    found: list[Written] = []
    written = names[normal]
    if written is not None:
        path = ("dependency-groups", written)
        entries = document.get(*path)
        if not isinstance(entries, list):
            raise document.wrong(path, "a list of requirements")
        for i, entry in enumerate(entries):
            if isinstance(entry, str):
                found.append(Written(text=entry, where=document.place(path, entry)))
                continue
            included = _included(document, path, i, entry)
            place = document.place(path, included)
            found += _items(document, names, included, where=place, inside=(*inside, normal))
    if normal == "dev":
        old = ("tool", "uv", "dev-dependencies")
        for entry in document.texts(*old):
            found.append(Written(text=entry, where=document.place(old, entry)))
    return found


def _included(document: Document, path: tuple[str, ...], i: int, entry: Any) -> str:
    name = entry.get("include-group") if isinstance(entry, dict) else None
    if not isinstance(name, str) or len(entry) != 1:
        raise UsageError(
            f'{".".join(path)}[{i}]: expected a requirement or {{ include-group = "name" }}',
            where=document.place(path),
        )
    return name
