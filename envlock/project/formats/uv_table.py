"""``[tool.uv]`` and ``uv.toml``: what decides the resolution is honoured or refused by name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.lock.request import Wish
from envlock.project.document import Document, KeyPath, dotted
from envlock.project.formats.uv_sources import with_source
from envlock.project.indexes import find_links, index_url
from envlock.project.part import Part, merge
from envlock.project.wishes import parse_requirement, wish_of

PYPROJECT_BASE: KeyPath = ("tool", "uv")

# Key → the values that change nothing here, and what to do about the others.
_REFUSED: dict[str, tuple[tuple[Any, ...], str]] = {
    "resolution": (("highest",), "take it away: the newest versions as of the date are locked"),
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


def read_uv_dependencies(document: Document, *, root: Path) -> Part:
    """uv's constraints and overrides, which only a pyproject.toml or a script may hold.

    Raises:
        UsageError: a malformed requirement, or a source that cannot be honoured.
    """
    return Part(
        constraints=_wishes(document, "constraint-dependencies", root, sources=False),
        overrides=_wishes(document, "override-dependencies", root, sources=True),
    )


def read_uv_options(document: Document, base: KeyPath, *, root: Path) -> Part:
    """uv's options under ``base``: pre-releases, formats and, where they are shared, indexes.

    The indexes of a ``uv.toml`` (an empty ``base``) are the resolver's to read: they may carry
    credentials, as a file that need not be shared.

    Raises:
        UsageError: a key with a value that cannot be honoured, or of the wrong type.
    """
    table = document.get(*base)
    if table is None:
        return Part()
    if not isinstance(table, dict):
        raise document.wrong(base, "a table")
    for key, (harmless, remedy) in _REFUSED.items():
        if key in table and table[key] not in harmless:
            raise UsageError(
                f"{dotted((*base, key))} cannot be honoured",
                where=document.place((*base, key)),
                remedy=remedy,
            )
    formats = Part(
        prereleases=_prereleases(document, base),
        only_binary=_formats(document, base, "no-build"),
        no_binary=_formats(document, base, "no-binary"),
    )
    return merge([formats, _indexes(document, root)]) if base else formats


def exclude_newer(document: Document, base: KeyPath) -> tuple[str, str] | None:
    """uv's own bound, as written, and its place; None when there is none.

    Raises:
        UsageError: it is not a text.
    """
    value = document.get(*base, "exclude-newer")
    if value is None:
        return None
    if not isinstance(value, str):
        raise document.wrong((*base, "exclude-newer"), "a text")
    return value, document.place((*base, "exclude-newer"))


def _wishes(document: Document, key: str, root: Path, *, sources: bool) -> tuple[Wish, ...]:
    found = []
    for text in document.texts(*PYPROJECT_BASE, key):
        where = document.place((*PYPROJECT_BASE, key), text)
        requirement = parse_requirement(text, where=where)
        editable = False
        if sources:
            requirement, editable = with_source(requirement, document)
        found.append(wish_of(requirement, where=where, root=root, editable=editable))
    return tuple(found)


def _prereleases(document: Document, base: KeyPath) -> bool:
    value = document.get(*base, "prerelease")
    if value in (None, "if-necessary-or-explicit"):
        return False
    if value != "allow":
        raise UsageError(
            f"{dotted((*base, 'prerelease'))} = {value!r} cannot be honoured",
            where=document.place((*base, "prerelease")),
            remedy='write "allow", or take it away: pre-releases are taken where asked for by'
            " version, or where there is nothing else",
        )
    return True


def _flag(document: Document, path: KeyPath) -> bool:
    value = document.get(*path)
    if value is not None and not isinstance(value, bool):
        raise document.wrong(path, "true or false")
    return bool(value)


def _formats(document: Document, base: KeyPath, flag: str) -> tuple[str, ...]:
    if _flag(document, (*base, flag)):
        return (":all:",)
    names = document.texts(*base, f"{flag}-package")
    return tuple(canonicalize_name(name) for name in names)


def _indexes(document: Document, root: Path) -> Part:
    """Indexes and find-links of ``[tool.uv]``, in uv's order of preference."""
    base = PYPROJECT_BASE
    default: tuple[str, str] | None = None
    extra: list[str] = []
    flat: list[str] = []
    for entry in _index_tables(document):
        where = document.place((*base, "index"), entry["url"])
        if entry.get("format", "simple") == "flat":
            flat.append(find_links(entry["url"], folder=root, root=root, where=where))
            continue
        url = index_url(entry["url"], where=where)
        if entry.get("default", False):
            default = url, where
        elif not entry.get("explicit", False):
            # Only packages tied to an explicit one would use it; uv_sources refuses ties.
            extra.append(url)
    extra += [
        index_url(text, where=document.place((*base, "extra-index-url"), text))
        for text in document.texts(*base, "extra-index-url")
    ]
    old = document.get(*base, "index-url")
    if old is not None and not isinstance(old, str):
        raise document.wrong((*base, "index-url"), "a text")
    if old is not None and default is None:
        where = document.place((*base, "index-url"))
        default = index_url(old, where=where), where
    for text in document.texts(*base, "find-links"):
        where = document.place((*base, "find-links"), text)
        flat.append(find_links(text, folder=root, root=root, where=where))
    return Part(
        default_index=default[0] if default else None,
        index_origin=default[1] if default else "",
        extra_indexes=tuple(extra),
        find_links=tuple(flat),
        no_index=_flag(document, (*base, "no-index")),
    )


def _index_tables(document: Document) -> list[dict[str, Any]]:
    path = (*PYPROJECT_BASE, "index")
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
