"""Folders and files that requirements name by path, as far as the lock's answer depends on them.

A path says nothing of what is there. Of a source tree it is what the tree asks for: its static
``[project]`` table where that says it all, else every file that its build backend may take it from.
Its version and its code are none of it: they change from day to day, and nothing of them is locked.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import tomli
from packaging.requirements import Requirement

from envlock.errors import UsageError
from envlock.io.files import read_bytes
from envlock.lock.canonical import digest
from envlock.lock.request import Wish

_ASKING = ("requires-python", "dependencies", "optional-dependencies")
_SETTINGS = ("pyproject.toml", "setup.cfg", "setup.py")


def local_sources(wishes: Iterable[Wish], root: Path) -> tuple[str, ...]:
    """``PATH sha256:HEX`` for each local path of ``wishes``, sorted; relative to ``root``.

    Archives of which a requirement states the digest are left out.

    Raises:
        UsageError: something cannot be read.
    """
    found = {}
    for wish in wishes:
        if " @ file:" not in wish.text:
            continue
        address, _, fragment = (Requirement(wish.text).url or "").partition("#")
        parts = dict(part.partition("=")[::2] for part in fragment.split("&"))
        path = unquote(address.removeprefix("file:"))
        place = Path(os.path.normpath(root / path))
        if place.is_dir():
            below = unquote(parts.get("subdirectory", ""))
            found[f"{path}#{below}" if below else path] = _asked_by(place / below)
        elif "sha256" not in parts and not wish.hashes:
            found[path] = _sha256(place)
    return tuple(f"{path} sha256:{value}" for path, value in sorted(found.items()))


def _asked_by(folder: Path) -> str:
    """The digest of what a source tree asks for."""
    table = _table(folder / "pyproject.toml")
    project = table.get("project")
    if isinstance(project, dict) and not set(_ASKING) & set(project.get("dynamic", ())):
        static = {key: project[key] for key in _ASKING if key in project}
        sources = _below(table, "tool", "uv").get("sources")
        return digest(static if sources is None else {**static, "sources": sources})
    names = {*_SETTINGS, *_named(table), *(path.name for path in folder.glob("requirements*"))}
    files = {name: folder / name for name in names}
    return digest({name: _sha256(path) for name, path in files.items() if path.is_file()})


def _table(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        return tomli.loads(read_bytes(path).decode())
    except (UnicodeDecodeError, tomli.TOMLDecodeError) as error:
        raise UsageError(f"not TOML: {error}", where=str(path)) from None


def _named(table: dict[str, Any]) -> Iterator[str]:
    """Files that setuptools takes requirements from."""
    dynamic = _below(table, "tool", "setuptools", "dynamic")
    optional = _below(dynamic, "optional-dependencies")
    for part in (dynamic.get("dependencies"), *optional.values()):
        named = part.get("file", ()) if isinstance(part, dict) else ()
        yield from [named] if isinstance(named, str) else map(str, named)


def _below(table: dict[str, Any], *path: str) -> dict[str, Any]:
    for key in path:
        value = table.get(key)
        table = value if isinstance(value, dict) else {}
    return table


def _sha256(path: Path) -> str:
    return hashlib.sha256(read_bytes(path)).hexdigest()
