"""What a folder already has that ``envlock init`` can name in its settings."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.project.document import Document
from envlock.project.formats.environment_yml import read_environment
from envlock.project.formats.groups import group_names, reached_groups
from envlock.project.formats.pyproject import dynamic_files, is_project, requires_python
from envlock.project.load import python_version_file
from envlock.project.locate import PLAIN_FILES, PYPROJECT, locate, nothing_found, plain_files


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The keys to write, and what to say about them: what is there, what is left out and why."""

    requires_python: str | None = None
    python: str | None = None
    groups: tuple[str, ...] = ()
    requirements: tuple[str, ...] = ()
    found: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def block(self, python: str, platforms: Iterable[str]) -> list[str]:
        """The settings' lines. Python and targets are always written, to mean the same anywhere."""
        lines = [f'python = "{python}"', f"targets = {toml_list(platforms)}"]
        if self.groups:
            lines.append(f"groups = {toml_list(self.groups)}")
        if self.requirements:
            lines.append(f"requirements = {toml_list(self.requirements)}")
        return lines


def survey(root: Path, document: Document | None) -> Wanted:
    """What the folder has, and which of it to name in the settings.

    Args:
        root: the folder.
        document: its pyproject.toml, or None.

    Raises:
        UsageError: there is nothing to lock.
    """
    found: list[str] = []
    groups: tuple[str, ...] = ()
    asks = False
    bound = None
    if document is not None and is_project(document):
        dependencies = document.texts("project", "dependencies")
        names = sorted(group_names(document))
        groups = _groups(document, names)
        asks = bool(dependencies or groups)
        bound = requires_python(document)
        found.append(_describe(document, len(dependencies), names))
    plain = plain_files(root)
    requirements: tuple[str, ...] = ()
    if not asks or _is_dynamic(document):
        requirements = _existing_dynamic(root, document) or tuple(p.name for p in plain[:1])
    if not asks and not requirements and not (document is not None and is_project(document)):
        raise _nothing(root)
    found += [path.name for path in plain] + [r for r in requirements if Path(r).name not in found]
    return Wanted(
        requires_python=bound,
        python=_named_python(root, requirements),
        groups=groups,
        requirements=requirements,
        found=tuple(dict.fromkeys(found)),
        notes=tuple(_notes(root, plain, requirements, groups, document)),
    )


def _describe(document: Document, dependencies: int, groups: list[str]) -> str:
    extras = document.get("project", "optional-dependencies")
    parts = []
    if document.get("project") is not None:
        parts.append(
            "dynamic dependencies"
            if _is_dynamic(document)
            else count_of(dependencies, "dependency", "dependencies")
        )
    if isinstance(extras, dict) and extras:
        parts.append(f"extras {', '.join(extras)}")
    if groups:
        parts.append(f"groups {', '.join(groups)}")
    return f"{PYPROJECT}: {', '.join(parts)}" if parts else PYPROJECT


def count_of(number: int, one: str, many: str) -> str:
    """``1 dependency`` or ``3 dependencies``."""
    return f"{number} {one if number == 1 else many}"


def _groups(document: Document, names: list[str]) -> tuple[str, ...]:
    """The groups that uv installs by default; all, where groups are all the project has."""
    path = ("tool", "uv", "default-groups")
    default = document.get(*path)
    if default == "all" or (default is None and document.get("project") is None):
        return tuple(names)
    if default is not None:
        return tuple(canonicalize_name(name) for name in document.texts(*path))
    return ("dev",) if "dev" in names else ()


def _is_dynamic(document: Document | None) -> bool:
    return document is not None and "dependencies" in document.texts("project", "dynamic")


def _existing_dynamic(root: Path, document: Document | None) -> tuple[str, ...]:
    if document is None or not _is_dynamic(document):
        return ()
    return tuple(name for name in dynamic_files(document) if (root / name).is_file())


def _nothing(root: Path) -> UsageError:
    """The error for an empty folder; it names a project further up, if there is one."""
    try:
        above = locate(root.parent) if root.parent != root else None
    except UsageError:
        above = None
    if above is None or above.kind == "requirements":
        return nothing_found(root)
    return UsageError(
        "nothing to lock in this folder itself",
        where=str(root),
        remedy=f"there is {above.source}: run `envlock -C {above.root} init` for that project",
    )


def _named_python(root: Path, requirements: tuple[str, ...]) -> str | None:
    named = python_version_file(root)
    for name in requirements:
        if named is None and name.endswith((".yml", ".yaml")):
            named = read_environment(root / name, shown=name).python
    return named


def _notes(
    root: Path,
    plain: tuple[Path, ...],
    requirements: tuple[str, ...],
    groups: tuple[str, ...],
    document: Document | None,
) -> Iterable[str]:
    holder = requirements[0] if requirements else PYPROJECT
    for path in plain:
        if path.name not in requirements:
            yield f"{path.name} is not read: {holder} says what is asked for"
    for row in PLAIN_FILES:
        for name in row[1:]:
            if row[0] in requirements and (root / name).is_file():
                yield f"{name} is not read: {row[0]} says what is asked for"
    if document is not None:
        for name in sorted(set(group_names(document)) - reached_groups(document, groups)):
            yield f'group "{name}" is not locked; add it to `groups` to have it'


def toml_list(items: Iterable[str]) -> str:
    """``["a", "b"]``, for plain items."""
    return f"[{', '.join(json.dumps(item, ensure_ascii=False) for item in items)}]"
