"""``[tool.envlock.os]``: the distribution, and its packages that the project asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from envlock.errors import UsageError
from envlock.project.document import Document, KeyPath, dotted, nearest

_KEYS = (
    "auto",
    "base",
    "build-packages",
    "components",
    "ignore-libraries",
    "keyring",
    "libraries",
    "mirrors",
    "packages",
    "recommends",
)
# Debian Policy §5.6.7 (names) and §5.6.12 (versions), `name` or `name=version` as apt takes it.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+(=[0-9A-Za-z.+:~-]+)?")
_BASE = re.compile(r"[a-z][a-z0-9-]*(:[a-z0-9][a-z0-9.-]*)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class OsWishes:
    """The table's values.

    ``base`` is ``debian:bookworm``, or ``debian`` for the release of the date; ``packages``, and
    ``build_packages``, which are only needed to build, are sorted, ``name`` or ``name=version``;
    ``components`` are the distribution's defaults when empty; ``mirrors`` are URLs, tried in order;
    ``keyring`` is a path from the project's folder.
    ``libraries``: find out what wheels need of the system, but not the sonames in
    ``ignore_libraries``; ``auto``: lock it, too.
    """

    base: str
    packages: tuple[str, ...] = ()
    build_packages: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    recommends: bool = False
    libraries: bool = True
    auto: bool = False
    ignore_libraries: tuple[str, ...] = ()
    mirrors: tuple[str, ...] = ()
    keyring: str | None = None


def read_os(document: Document, path: KeyPath, value: Any) -> OsWishes | None:
    """The table at ``path``; an empty one asks for nothing.

    Raises:
        UsageError: no base, an unknown key, a wrong type or a name that no package can have.
    """
    if not isinstance(value, dict):
        raise document.wrong(path, "a table")
    if not value:
        return None
    for key in value:
        if key not in _KEYS:
            raise UsageError(
                f"unknown key {dotted((*path, key))}",
                where=document.place((*path, key)),
                remedy=nearest(key, _KEYS),
            )
    if "base" not in value:
        raise UsageError(
            f"{dotted(path)} names no base",
            where=document.place(path),
            remedy='add the distribution: base = "debian:bookworm"',
        )
    base = value["base"]
    if not isinstance(base, str) or not _BASE.fullmatch(base):
        raise document.wrong((*path, "base"), 'a distribution such as "debian:bookworm"')
    libraries = _flag(document, (*path, "libraries"), value.get("libraries", True))
    auto = _flag(document, (*path, "auto"), value.get("auto", False))
    if auto and not libraries:
        raise UsageError(
            "auto = true adds what libraries = false does not look for",
            where=document.place((*path, "auto")),
            remedy="remove one of them",
        )
    return OsWishes(
        base=base,
        packages=_packages(document, (*path, "packages"), value.get("packages", [])),
        build_packages=_packages(
            document, (*path, "build-packages"), value.get("build-packages", [])
        ),
        components=_texts(document, (*path, "components"), value.get("components", []), "main"),
        mirrors=_texts(
            document,
            (*path, "mirrors"),
            value.get("mirrors", []),
            "https://mirror.example.org/debian",
        ),
        keyring=_keyring(document, (*path, "keyring"), value.get("keyring")),
        recommends=_flag(document, (*path, "recommends"), value.get("recommends", False)),
        libraries=libraries,
        auto=auto,
        ignore_libraries=_texts(
            document,
            (*path, "ignore-libraries"),
            value.get("ignore-libraries", []),
            "libcuda.so.1",
        ),
    )


def _flag(document: Document, path: KeyPath, value: Any) -> bool:
    if not isinstance(value, bool):
        raise document.wrong(path, "true or false")
    return value


def _texts(document: Document, path: KeyPath, value: Any, example: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) and item for item in value):
        raise document.wrong(path, f'a list of texts such as ["{example}"]')
    return tuple(dict.fromkeys(value))


def _keyring(document: Document, path: KeyPath, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise document.wrong(path, 'a path such as "keys/archive.asc"')
    return value


def _packages(document: Document, path: KeyPath, value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise document.wrong(path, 'a list of package names such as ["libgomp1"]')
    for item in value:
        if not _PACKAGE.fullmatch(item):
            raise UsageError(
                f"{item!r} cannot be a package of a distribution",
                where=document.place(path, item),
                remedy="write its name in lower case, or name=version",
            )
    return tuple(sorted(set(value)))
