"""``[tool.uv]``: the parts that decide what is resolved, honoured or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.lock.request import Wish
from envlock.project.document import Document, KeyPath
from envlock.project.indexes import find_links, index_url
from envlock.project.part import Part
from envlock.project.uv_sources import with_source
from envlock.project.wishes import parse_requirement, wish_of

_BASE: KeyPath = ("tool", "uv")

# Key → the values that change nothing here, and what to do about the others.
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "resolution": (("highest",), "take it away: the newest versions as of the date are locked"),
    "index-strategy": (
        ("first-index",),
        "take it away, or set it for this machine in uv's own configuration",
    ),
    "dependency-metadata": (([],), "take it away: metadata comes from the packages themselves"),
    "exclude-newer-package": (({},), "take it away: one as-of date bounds everything"),
    "exclude-dependencies": (([],), "take it away, or override them: overrides = […]"),
    "build-constraint-dependencies": (([],), "take it away: build requirements go by the date"),
    "config-settings": (({},), "take it away: build settings are not in the lock yet"),
    "config-settings-package": (({},), "take it away: build settings are not in the lock yet"),
    "extra-build-dependencies": (({},), "take it away: builds use what packages declare"),
    "extra-build-variables": (({},), "take it away: builds use a clean environment"),
    "no-build-isolation": ((False,), "take it away: builds are isolated"),
    "no-build-isolation-package": (([],), "take it away: builds are isolated"),
}
_INDEX_KEYS = {
    "name",
    "url",
    "default",
    "explicit",
    "format",
    # These say how to reach, publish to or cache an index, not what it holds.
    "publish-url",
    "authenticate",
    "cache-control",
}


def read_uv_table(document: Document, *, root: Path) -> Part:
    """What ``[tool.uv]`` adds: constraints, overrides, pre-releases, formats and indexes.

    Raises:
        UsageError: a key with a value that cannot be honoured, or of the wrong type.
    """
    table = document.get(*_BASE)
    if table is None:
        return Part()
    if not isinstance(table, dict):
        raise document.wrong(_BASE, "a table")
    for key, (harmless, remedy) in _REFUSED.items():
        if key in table and table[key] not in harmless:
            raise UsageError(
                f"tool.uv.{key} cannot be honoured",
                where=document.place((*_BASE, key)),
                remedy=remedy,
            )
    default, origin, extra, flat = _indexes(document, root)
    return Part(
        constraints=_wishes(document, "constraint-dependencies", root, sources=False),
        overrides=_wishes(document, "override-dependencies", root, sources=True),
        prereleases=_prereleases(document),
        only_binary=_formats(document, "no-build", "no-build-package"),
        no_binary=_formats(document, "no-binary", "no-binary-package"),
        default_index=default,
        index_origin=origin,
        extra_indexes=extra,
        find_links=flat,
        no_index=_flag(document, "no-index"),
    )


def exclude_newer(document: Document) -> tuple[str, str] | None:
    """uv's own bound, as written, and its place; None when there is none.

    Raises:
        UsageError: it is not a text.
    """
    value = document.get(*_BASE, "exclude-newer")
    if value is None:
        return None
    if not isinstance(value, str):
        raise document.wrong((*_BASE, "exclude-newer"), "a text")
    return value, document.place((*_BASE, "exclude-newer"))


def _wishes(document: Document, key: str, root: Path, *, sources: bool) -> tuple[Wish, ...]:
    found = []
    for text in document.texts(*_BASE, key):
        where = document.place((*_BASE, key), text)
        requirement = parse_requirement(text, where=where)
        editable = False
        if sources:
            requirement, editable = with_source(requirement, document)
        found.append(wish_of(requirement, where=where, root=root, editable=editable))
    return tuple(found)


def _prereleases(document: Document) -> bool:
    value = document.get(*_BASE, "prerelease")
    if value in (None, "if-necessary-or-explicit"):
        return False
    if value != "allow":
        raise UsageError(
            f"tool.uv.prerelease = {value!r} cannot be honoured",
            where=document.place((*_BASE, "prerelease")),
            remedy='write "allow", or take it away: pre-releases are taken where asked for by'
            " version, or where there is nothing else",
        )
    return True


def _flag(document: Document, key: str) -> bool:
    value = document.get(*_BASE, key)
    if value is not None and not isinstance(value, bool):
        raise document.wrong((*_BASE, key), "true or false")
    return bool(value)


def _formats(document: Document, flag: str, packages: str) -> tuple[str, ...]:
    if _flag(document, flag):
        return (":all:",)
    return tuple(canonicalize_name(name) for name in document.texts(*_BASE, packages))


def _indexes(
    document: Document, root: Path
) -> tuple[str | None, str, tuple[str, ...], tuple[str, ...]]:
    """Default index and its place, extra indexes, find-links, in uv's order of preference."""
    default: str | None = None
    origin = ""
    extra: list[str] = []
    flat: list[str] = []
    for entry in _index_tables(document):
        path = (*_BASE, "index")
        where = document.place(path, entry["url"])
        if entry.get("format", "simple") == "flat":
            flat.append(find_links(entry["url"], folder=root, root=root, where=where))
        elif entry.get("default", False):
            default, origin = index_url(entry["url"], where=where), where
        elif entry.get("explicit", False):
            # Only packages tied to it would use it, and ties are refused in uv_sources.
            index_url(entry["url"], where=where)
        else:
            extra.append(index_url(entry["url"], where=where))
    extra += [
        index_url(text, where=document.place((*_BASE, "extra-index-url"), text))
        for text in document.texts(*_BASE, "extra-index-url")
    ]
    old = document.get(*_BASE, "index-url")
    if old is not None and default is None:
        origin = document.place((*_BASE, "index-url"))
        if not isinstance(old, str):
            raise document.wrong((*_BASE, "index-url"), "a text")
        default = index_url(old, where=origin)
    for text in document.texts(*_BASE, "find-links"):
        where = document.place((*_BASE, "find-links"), text)
        flat.append(find_links(text, folder=root, root=root, where=where))
    return default, origin, tuple(extra), tuple(flat)


def _index_tables(document: Document) -> list[dict[str, Any]]:
    path = (*_BASE, "index")
    entries = document.get(*path)
    if entries is None:
        return []
    if not isinstance(entries, list):
        raise document.wrong(path, "a list of tables: [[tool.uv.index]]")
    for i, entry in enumerate(entries):
        if not isinstance(entry, dict) or not isinstance(entry.get("url"), str):
            raise document.wrong(path, f"a table with a url ([[tool.uv.index]] number {i + 1})")
        for key in entry:
            if key not in _INDEX_KEYS:
                raise UsageError(
                    f"tool.uv.index[{i}].{key} cannot be honoured",
                    where=document.place(path, key),
                    remedy="take it away",
                )
    return entries
