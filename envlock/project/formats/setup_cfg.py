"""setuptools' setup.cfg: ``install_requires``, ``extras_require`` and ``python_requires``."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.project.formats.extras import Declared, Written, expand
from envlock.project.part import Part
from envlock.project.wishes import wish_of


@dataclass(frozen=True, slots=True, kw_only=True)
class SetupCfg:
    """The parts of a setup.cfg that ask for packages.

    ``files`` are requirements files that ``install_requires = file: …`` names, as written.
    """

    declared: Declared
    dependencies: tuple[Written, ...]
    files: tuple[str, ...]
    requires_python: str | None


def read_setup_cfg(path: Path, *, shown: str) -> SetupCfg:
    """Parse the file.

    Raises:
        UsageError: not an INI file, ``attr:`` values, a malformed ``python_requires``.
    """
    text = read_text(path)
    parser = configparser.RawConfigParser()
    try:
        parser.read_string(text)
    except configparser.Error as error:
        line = getattr(error, "lineno", None) or next(iter(getattr(error, "errors", [])), [None])[0]
        raise UsageError(
            f"not an INI file: {error.message.splitlines()[0]}",
            where=f"{shown}:{line}" if line else shown,
        ) from None
    raw = parser.get("options", "install_requires", fallback="")
    files: tuple[str, ...] = ()
    dependencies: tuple[Written, ...] = ()
    if raw.strip().startswith("file:"):
        files = tuple(re.split(r"\s*,\s*", raw.strip().removeprefix("file:").strip()))
    else:
        dependencies = _items(raw, text, shown, "install_requires")
    extras: dict[str, tuple[Written, ...]] = {}
    if parser.has_section("options.extras_require"):
        for name, value in parser.items("options.extras_require"):
            extras[canonicalize_name(name)] = _items(value, text, shown, name)
    name = parser.get("metadata", "name", fallback="")
    return SetupCfg(
        declared=Declared(name=canonicalize_name(name) if name else None, extras=extras),
        dependencies=dependencies,
        files=files,
        requires_python=_python(parser, text, shown),
    )


def setup_cfg_part(
    setup: SetupCfg, *, root: Path, extras: tuple[str, ...] = (), extras_where: str = ""
) -> Part:
    """What the file asks for, with the chosen ``extras``; ``files`` are left to the caller.

    Raises:
        UsageError: a malformed requirement, an unknown extra.
    """
    chosen: list[tuple[str | None, tuple[Written, ...]]] = [(None, setup.dependencies)]
    chosen += [
        (f"extra:{name}", setup.declared.requirements_of(name, where=extras_where))
        for name in sorted({canonicalize_name(name) for name in extras})
    ]
    wishes = [
        wish_of(requirement, where=where, root=root, group=group)
        for group, items in chosen
        for requirement, where in expand(items, setup.declared)
    ]
    return Part(wishes=tuple(dict.fromkeys(wishes)), requires_python=setup.requires_python)


def _items(value: str, text: str, shown: str, key: str) -> tuple[Written, ...]:
    """setuptools' ``list-semi``: one a line, or several between semicolons on one line."""
    if value.strip().startswith(("file:", "attr:")):
        raise UsageError(
            f"{key} = {value.strip()}: only a build of the project could tell these",
            where=_place(text, shown, value.strip()),
            remedy="write the requirements themselves",
        )
    parts = value.splitlines() if "\n" in value else value.split(";")
    stripped = [part.strip() for part in parts]
    return tuple(
        Written(text=part, where=_place(text, shown, part))
        for part in stripped
        if part and not part.startswith("#")
    )


def _place(text: str, shown: str, item: str) -> str:
    for number, line in enumerate(text.split("\n"), 1):
        if item in line:
            return f"{shown}:{number}"
    return shown


def _python(parser: configparser.RawConfigParser, text: str, shown: str) -> str | None:
    value = parser.get("options", "python_requires", fallback=None)
    if not value:
        return None
    try:
        return str(SpecifierSet(value)) or None
    except InvalidSpecifier:
        raise UsageError(
            f"options.python_requires: expected a specifier such as >=3.11, not {value!r}",
            where=_place(text, shown, "python_requires"),
        ) from None
