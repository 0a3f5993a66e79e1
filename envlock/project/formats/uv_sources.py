"""``[tool.uv.sources]``: where uv takes a dependency from, instead of an index."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.project.document import Document

_BASE = ("tool", "uv", "sources")
_ALLOWED = {
    "git": {"git", "rev", "tag", "branch", "subdirectory"},
    "url": {"url", "subdirectory"},
    "path": {"path", "editable", "subdirectory"},
}
_WHY = {
    "workspace": 'uv workspaces are not supported: write { path = "../name", editable = true }',
    "index": "a package cannot be tied to one index: name the index in [[tool.uv.index]] for all",
    "marker": "sources under a marker are not supported: write `name @ URL ; marker`",
    "extra": "sources for one extra are not supported: write `name @ URL` in that extra",
    "group": "sources for one group are not supported: write `name @ URL` in that group",
    "package": "folders that are not packages cannot be installed: take `package` away",
    "lfs": "Git LFS is not supported: take `lfs` away",
}


def with_source(requirement: Requirement, document: Document) -> tuple[Requirement, bool]:
    """``requirement`` with the URL or path that uv's table gives it, and whether it is editable.

    As in uv, a source replaces the version bound.

    Raises:
        UsageError: the source has a shape that a lock cannot keep.
    """
    found = _entry(requirement.name, document)
    if found is None:
        return requirement, False
    path, source = found
    kind = _kind(path, source, document)
    if requirement.url is not None:
        raise UsageError(
            f"{requirement.name} has a URL of its own and one in tool.uv.sources",
            where=document.place(path),
            remedy="keep one of them",
        )
    changed = Requirement(str(requirement))
    changed.specifier = type(changed.specifier)()
    changed.url = _url(kind, path, source, document)
    editable = source.get("editable", False)
    if not isinstance(editable, bool):
        raise document.wrong((*path, "editable"), "true or false")
    return changed, editable


def _entry(name: str, document: Document) -> tuple[tuple[str, ...], dict[str, Any]] | None:
    table = document.get(*_BASE)
    if table is None:
        return None
    if not isinstance(table, dict):
        raise document.wrong(_BASE, "a table")
    for written, source in table.items():
        if canonicalize_name(written) != canonicalize_name(name):
            continue
        path = (*_BASE, written)
        if isinstance(source, list):
            if len(source) != 1:
                raise _refused(path, "marker", document)
            source = source[0]
        if not isinstance(source, dict):
            raise document.wrong(path, 'a table such as { git = "https://…" }')
        return path, source
    return None


def _kind(path: tuple[str, ...], source: dict[str, Any], document: Document) -> str:
    kinds = [kind for kind in _ALLOWED if kind in source]
    for key in source:
        if len(kinds) == 1 and key in _ALLOWED[kinds[0]]:
            continue
        raise _refused(path, key, document)
    if len(kinds) != 1:
        raise document.wrong(path, "one of git, url and path")
    for key, value in source.items():
        if key != "editable" and not isinstance(value, str):
            raise document.wrong((*path, key), "a text")
    return kinds[0]


def _refused(path: tuple[str, ...], key: str, document: Document) -> UsageError:
    what, _, remedy = _WHY.get(key, "is not known: take it away").partition(": ")
    return UsageError(
        f"{'.'.join((*path, key))}: {what}", where=document.place(path), remedy=remedy
    )


def _url(kind: str, path: tuple[str, ...], source: dict[str, str], document: Document) -> str:
    subdirectory = source.get("subdirectory")
    fragment = f"#subdirectory={quote(subdirectory)}" if subdirectory else ""
    if kind == "url":
        return source["url"] + (
            "&" + fragment[1:] if "#" in source["url"] and fragment else fragment
        )
    if kind == "path":
        return "file:" + quote(source["path"], safe="/+~:\\") + fragment
    references = [key for key in ("rev", "tag", "branch") if key in source]
    if len(references) > 1:
        raise UsageError(
            f"{'.'.join(path)}: {' and '.join(references)} at once",
            where=document.place(path),
            remedy="keep one of them",
        )
    address = source["git"]
    url = address if address.startswith("git+") else f"git+{address}"
    reference = f"@{source[references[0]]}" if references else ""
    return url + reference + fragment
