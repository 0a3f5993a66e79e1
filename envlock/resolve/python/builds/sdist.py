"""What an sdist's own files say about building it: its ``[build-system]`` and its languages."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import tomli
from packaging.requirements import InvalidRequirement, Requirement

from envlock.lock.builds import LEGACY_BACKEND
from envlock.project.wishes import spelled

LEGACY_REQUIRES: tuple[str, ...] = ("setuptools>=40.8.0",)
"""What a source tree needs that does not say it: the first setuptools with the legacy backend."""

_LANGUAGES = {
    ".c": "c",
    ".pyx": "c",
    ".cc": "c++",
    ".cpp": "c++",
    ".cxx": "c++",
    ".f": "fortran",
    ".f90": "fortran",
    ".for": "fortran",
}
_MESON = "meson.build"
_ASIDE = ("benchmark", "doc", "example", "test", "vendored")
"""Beginnings of the names of folders whose files are not what the wheel is compiled from."""


class BuildSystemError(ValueError):
    """An sdist whose way of being built cannot be known; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFacts:
    """What an unpacked sdist says.

    ``requires``, ``backend`` and ``backend_path`` are ``[build-system]`` (PEP 517, PEP 518) with
    its defaults; requirements are normalized PEP 508 texts, sorted. ``languages`` (``c``, ``c++``,
    ``fortran``) are those of its files, ``finds_libraries`` is whether its meson files
    look for libraries of the system.
    """

    requires: tuple[str, ...]
    backend: str
    backend_path: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    finds_libraries: bool = False

    def to_json(self) -> bytes:
        """For a cache."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_json(cls, text: bytes) -> SourceFacts:
        """The inverse of ``to_json``."""
        values: dict[str, Any] = json.loads(text)
        return cls(
            requires=tuple(values["requires"]),
            backend=values["backend"],
            backend_path=tuple(values["backend_path"]),
            languages=tuple(values["languages"]),
            finds_libraries=values["finds_libraries"],
        )


def read_facts(root: Path) -> SourceFacts:
    """The facts of the source tree at ``root``.

    Raises:
        BuildSystemError: its pyproject.toml is not TOML, or says something that PEP 518 forbids.
    """
    system = _build_system(root)
    if system and "requires" not in system:
        raise BuildSystemError("[build-system] of its pyproject.toml has no requires (PEP 518)")
    requires = _requirements(_texts(system, "requires")) if system else LEGACY_REQUIRES
    backend = system.get("build-backend", LEGACY_BACKEND)
    if not isinstance(backend, str) or not backend:
        raise BuildSystemError("build-backend of its pyproject.toml is not a text")
    backend_path = _texts(system, "backend-path")
    inside = os.path.realpath(root)
    for folder in backend_path:
        real = os.path.realpath(root / folder)
        if real != inside and not real.startswith(inside + os.sep):
            raise BuildSystemError(f"its backend-path {folder!r} leads out of it (PEP 517)")
    languages, meson = _languages(root)
    return SourceFacts(
        requires=requires,
        backend=backend,
        backend_path=backend_path,
        languages=languages,
        finds_libraries=any("dependency(" in _read(path) for path in meson),
    )


def requirement_text(text: str) -> str:
    """The normalized PEP 508 text of a build requirement.

    Raises:
        BuildSystemError: it is not one, or names an address instead of a version.
    """
    try:
        requirement = Requirement(text)
    except InvalidRequirement:
        raise BuildSystemError(f"{text!r} is not a requirement (PEP 508)") from None
    if requirement.url is not None:
        raise BuildSystemError(f"{text!r} names an address, which no date bounds")
    return spelled(requirement)


def _requirements(texts: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({requirement_text(text) for text in texts}))


def _build_system(root: Path) -> dict[str, Any]:
    try:
        text = (root / "pyproject.toml").read_bytes().decode()
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except UnicodeDecodeError:
        raise BuildSystemError("its pyproject.toml is not UTF-8") from None
    except OSError as error:
        raise BuildSystemError(f"its pyproject.toml: {error.strerror}") from None
    try:
        system = tomli.loads(text).get("build-system", {})
    except (ValueError, RecursionError) as error:
        raise BuildSystemError(f"its pyproject.toml is not TOML: {error}") from None
    if not isinstance(system, dict):
        raise BuildSystemError("build-system of its pyproject.toml is not a table")
    return system


def _texts(table: dict[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise BuildSystemError(f"{key} of its pyproject.toml is not a list of texts")
    return tuple(value)


def _languages(root: Path) -> tuple[tuple[str, ...], list[Path]]:
    """The languages of the files, and the meson files."""
    found: set[str] = set()
    meson: list[Path] = []
    for path in _files(root):
        language = _LANGUAGES.get(path.suffix.lower())
        if language is not None:
            found.add(language)
        elif path.name == _MESON:
            meson.append(path)
    return tuple(sorted(found)), meson


def _files(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        folders[:] = [name for name in folders if not name.startswith(_ASIDE)]
        for name in names:
            yield Path(folder, name)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8", "replace")
    except OSError:
        return ""
