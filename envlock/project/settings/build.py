"""``[tool.envlock.build-requires]``: what builds need that nobody can ask their backends for; and
``[tool.envlock.build-exceptions]``: why packages are not built."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.project.document import Document, KeyPath, dotted
from envlock.project.wishes import spelled

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")


def read_build_requires(document: Document, path: KeyPath, value: Any) -> tuple[str, ...]:
    """The table at ``path`` as lines for ``Request.build_requires``, sorted.

    Raises:
        UsageError: no table, no name of a package, or what is not a requirement with a version.
    """
    if not isinstance(value, dict):
        raise document.wrong(path, "a table of packages, such as psycopg2 = []")
    lines: set[str] = set()
    for package, listed in value.items():
        here = (*path, package)
        if not _NAME.fullmatch(package):
            raise UsageError(
                f"{package!r} cannot be the name of a package", where=document.place(here)
            )
        if not isinstance(listed, list) or not all(isinstance(text, str) for text in listed):
            raise document.wrong(here, 'a list of requirements such as ["cython<3"], or []')
        name = canonicalize_name(package)
        lines.update(f"{name}: {_requirement(document, here, text)}" for text in listed)
        if not listed:
            lines.add(f"{name}:")
    return tuple(sorted(lines))


def _requirement(document: Document, path: KeyPath, text: str) -> str:
    requirement = None
    with suppress(InvalidRequirement):
        requirement = Requirement(text)
    if requirement is None or requirement.url is not None:
        raise UsageError(
            f"{dotted(path)}: {text!r} is no requirement by name and version",
            where=document.place(path, text),
            remedy='write it as in [build-system]: "cython<3"',
        )
    return spelled(requirement)


def read_reasons(document: Document, path: KeyPath, table: Mapping[str, Any]) -> tuple[str, ...]:
    """The table at ``path`` as lines for ``Request.build_exception_reasons``, sorted.

    Raises:
        UsageError: a reason is no text of one line.
    """
    lines = set()
    for name, reason in table.items():
        here = (*path, name)
        if not isinstance(reason, str) or not reason.isprintable():
            raise document.wrong(here, 'a reason in one line, such as torch = "needs CUDA"')
        if reason.strip():
            lines.add(f"{canonicalize_name(name)}: {reason.strip()}")
    return tuple(sorted(lines))
