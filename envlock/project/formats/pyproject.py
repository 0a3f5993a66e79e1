"""pyproject.toml: PEP 621 dependencies, extras and groups, with uv's sources."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.lock.request import Wish
from envlock.project.document import Document
from envlock.project.formats.extras import Declared, Written, expand
from envlock.project.formats.groups import group_items
from envlock.project.formats.uv_sources import with_source
from envlock.project.part import Part
from envlock.project.wishes import wish_of

_EXTRAS = ("project", "optional-dependencies")


def read_project(
    document: Document,
    *,
    root: Path,
    extras: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    extras_where: str = "",
    groups_where: str = "",
    files_given: bool = False,
) -> Part:
    """What ``[project]`` and ``[dependency-groups]`` ask for.

    Args:
        document: the file.
        root: the project's folder.
        extras: the extras to take, in any spelling; ``extras_where`` is the place naming them.
        groups: the same for dependency groups.
        files_given: whether the settings name requirements files, which then stand for
            dependencies that only a build could tell.

    Raises:
        UsageError: a malformed requirement, an unknown extra or group, dynamic or Poetry's
            dependencies without ``files_given``.
    """
    _refuse_poetry(document, files_given=files_given)
    dynamic = document.texts("project", "dynamic")
    if "dependencies" in dynamic and not files_given:
        raise _dynamic(document, "dependencies")
    declared = _declared(document)
    items = _written(document, ("project", "dependencies"))
    wishes = list(_wishes(items, declared, document, root=root, group=None))
    for extra in sorted({canonicalize_name(name) for name in extras}):
        if "optional-dependencies" in dynamic and not files_given:
            raise _dynamic(document, "optional-dependencies")
        found = declared.requirements_of(extra, where=extras_where)
        wishes += _wishes(found, declared, document, root=root, group=f"extra:{extra}")
    for group in sorted({canonicalize_name(name) for name in groups}):
        found = group_items(document, group, where=groups_where)
        wishes += _wishes(found, declared, document, root=root, group=f"group:{group}")
    return Part(wishes=tuple(dict.fromkeys(wishes)), requires_python=requires_python(document))


def requires_python(document: Document, *path: str) -> str | None:
    """The normalized specifier of ``project.requires-python`` (or of another ``path``), or None.

    Raises:
        UsageError: it is not a PEP 440 specifier.
    """
    path = path or ("project", "requires-python")
    value = document.get(*path)
    if value is None:
        return None
    if not isinstance(value, str):
        raise document.wrong(path, 'a text such as ">=3.11"')
    try:
        return str(SpecifierSet(value)) or None
    except InvalidSpecifier:
        raise document.wrong(path, f'a version specifier such as ">=3.11", not {value!r}') from None


def is_project(document: Document) -> bool:
    """Whether the file says anything that can be locked, rather than only configures tools."""
    return any(
        document.get(*path) is not None
        for path in (("project",), ("dependency-groups",), ("tool", "envlock"), ("tool", "poetry"))
    )


def dynamic_files(document: Document) -> tuple[str, ...]:
    """The requirements files from which setuptools takes dynamic dependencies, as written."""
    value = _maybe(document, "tool", "setuptools", "dynamic", "dependencies", "file")
    if isinstance(value, str):
        return (value,)
    return tuple(v for v in value if isinstance(v, str)) if isinstance(value, list) else ()


def _maybe(document: Document, *path: str) -> Any:
    try:
        return document.get(*path)
    except UsageError:
        return None


def _declared(document: Document) -> Declared:
    name = document.get("project", "name")
    if name is not None and not isinstance(name, str):
        raise document.wrong(("project", "name"), "a text")
    table = document.get(*_EXTRAS)
    if table is None:
        table = {}
    if not isinstance(table, dict):
        raise document.wrong(_EXTRAS, "a table of lists")
    return Declared(
        name=canonicalize_name(name) if name else None,
        extras={
            canonicalize_name(extra): tuple(_written(document, (*_EXTRAS, extra)))
            for extra in table
        },
    )


def _written(document: Document, path: tuple[str, ...]) -> Iterable[Written]:
    return [Written(text=t, where=document.place(path, t)) for t in document.texts(*path)]


def _wishes(
    items: Iterable[Written],
    declared: Declared,
    document: Document,
    *,
    root: Path,
    group: str | None,
) -> Iterable[Wish]:
    for requirement, where in expand(items, declared):
        sourced, editable = with_source(requirement, document)
        yield wish_of(sourced, where=where, root=root, group=group, editable=editable)


def _dynamic(document: Document, key: str) -> UsageError:
    names = dynamic_files(document) or ("requirements.in",)
    files = ", ".join(f'"{name}"' for name in names)
    return UsageError(
        f"project.{key} are dynamic: only a build of the project could tell them",
        where=document.place(("project", "dynamic")),
        remedy="write them into [project], or name the files that hold them:\n"
        f"[tool.envlock]\nrequirements = [{files}]",
    )


def _refuse_poetry(document: Document, *, files_given: bool) -> None:
    if document.get("project") is not None or files_given:
        return
    poetry = _maybe(document, "tool", "poetry")
    if isinstance(poetry, dict) and ("dependencies" in poetry or "group" in poetry):
        raise UsageError(
            "the dependencies are in [tool.poetry], in a form of Poetry's own",
            where=document.place(("tool", "poetry", "dependencies")),
            remedy="move them to [project] (Poetry 2 reads it; `poetry check` helps), or export"
            " them to a file and name it:\n"
            "[tool.envlock]\n"
            'requirements = ["requirements.txt"]',
        )
