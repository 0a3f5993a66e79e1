"""uv's configuration, as far as it says where packages come from.

Read are ``UV_*`` variables, ``uv.toml`` (or ``[tool.uv]``) of the project, of the user and of the
system, in uv's order. See https://docs.astral.sh/uv/concepts/configuration-files/.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.resolve.python.config.settings import Settings, make_find_links, make_index
from envlock.resolve.python.sources import FindLinks, Index

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

STRATEGIES = ("first-index", "unsafe-first-match", "unsafe-best-match")
_CORRECT = "correct the file"
_TRUE = frozenset({"1", "true", "t", "yes", "y", "on"})


def read_uv(root: Path, environ: Mapping[str, str], home: Path) -> tuple[Settings, ...]:
    """uv's settings for a project in ``root``, most preferred first.

    Raises:
        UsageError: a variable or file is malformed; names it.
    """
    found = [_environment(environ, root)]
    for path, project in _files(root, environ, home):
        table = _table(path)
        if table:
            found.append(_settings(table, path, project=project))
    return tuple(found)


def _environment(environ: Mapping[str, str], root: Path) -> Settings:
    def indexes(variable: str) -> tuple[Index, ...]:
        return tuple(
            _named(text, variable, root, default=False)
            for text in environ.get(variable, "").split()
        )

    def default(variable: str) -> Index | None:
        text = environ.get(variable, "").strip()
        return _named(text, variable, root, default=True) if text else None

    return Settings(
        indexes=indexes("UV_INDEX"),
        extra_indexes=indexes("UV_EXTRA_INDEX_URL"),
        default=default("UV_DEFAULT_INDEX"),
        old_default=default("UV_INDEX_URL"),
        find_links=tuple(
            make_find_links(text, "UV_FIND_LINKS", base=root)
            for text in environ.get("UV_FIND_LINKS", "").split(",")
            if text.strip()
        ),
        strategy=_strategy(environ.get("UV_INDEX_STRATEGY") or None, "UV_INDEX_STRATEGY"),
    )


def _named(text: str, origin: str, base: Path, *, default: bool) -> Index:
    """An index written ``URL`` or ``NAME=URL``."""
    name, equals, url = text.partition("=")
    if equals and name.replace("-", "").replace("_", "").replace(".", "").isalnum():
        return make_index(url, origin, base=base, name=name, default=default)
    return make_index(text, origin, base=base, default=default)


def places(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Where configuration may be, outside of the project, whether it is there or not."""
    if environ.get("UV_CONFIG_FILE"):
        return (Path(environ["UV_CONFIG_FILE"]),)
    return (*_user_files(environ, home), *_system_files(environ))


def _files(root: Path, environ: Mapping[str, str], home: Path) -> Iterator[tuple[Path, bool]]:
    """The files that exist, most preferred first, each with whether it is the project's."""
    if environ.get("UV_CONFIG_FILE"):
        yield Path(environ["UV_CONFIG_FILE"]), False
        return
    if environ.get("UV_NO_CONFIG", "").lower() in _TRUE:
        return
    own = root / "uv.toml"
    yield from _existing((own if own.exists() else root / "pyproject.toml",), project=True)
    yield from _existing(_user_files(environ, home), project=False)
    yield from _existing(_system_files(environ), project=False)


def _existing(paths: tuple[Path, ...], *, project: bool) -> Iterator[tuple[Path, bool]]:
    """The first of ``paths`` that is a file."""
    for path in paths:
        if path.is_file():
            yield path, project
            return


def _user_files(environ: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    if sys.platform == "win32":
        return (Path(environ.get("APPDATA", home / "AppData/Roaming")) / "uv" / "uv.toml",)
    base = environ.get("XDG_CONFIG_HOME")
    return ((Path(base) if base else home / ".config") / "uv" / "uv.toml",)


def _system_files(environ: Mapping[str, str]) -> tuple[Path, ...]:
    if sys.platform == "win32":
        return (Path(environ.get("PROGRAMDATA", "C:/ProgramData")) / "uv" / "uv.toml",)
    folders = [f for f in environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(os.pathsep) if f]
    return (*(Path(f) / "uv" / "uv.toml" for f in folders), Path("/etc/uv/uv.toml"))


def _table(path: Path) -> dict[str, Any]:
    """uv's table of a file: all of ``uv.toml``, ``[tool.uv]`` of ``pyproject.toml``."""
    import tomli

    try:
        document: dict[str, Any] = tomli.loads(read_text(path))
    except tomli.TOMLDecodeError as error:
        line = getattr(error, "lineno", None)
        raise UsageError(
            f"not valid TOML: {error}",
            where=f"{path}:{line}" if line else str(path),
            remedy=_CORRECT,
        ) from None
    if path.name != "pyproject.toml":
        return document
    tool = document.get("tool", {})
    table = tool.get("uv", {}) if isinstance(tool, dict) else {}
    return _Keys(path).expect({"tool.uv": table}, "tool.uv", dict) or {}


class _Keys:
    """Typed reading of a table; errors name file and key."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def expect(self, table: Mapping[str, Any], key: str, kind: type, at: str = "") -> Any:
        """The value of ``key``, or None; an error when it is no ``kind``."""
        value = table.get(key)
        if value is not None and not isinstance(value, kind):
            words = {str: "a string", list: "an array", bool: "true or false", dict: "a table"}
            raise UsageError(
                f"{at}{key} must be {words[kind]}", where=str(self.path), remedy=_CORRECT
            )
        return value

    def texts(self, table: Mapping[str, Any], key: str) -> list[str]:
        """The strings of an array; empty without the key."""
        values: list[Any] = self.expect(table, key, list) or []
        for position, value in enumerate(values):
            self.expect({f"{key}[{position}]": value}, f"{key}[{position}]", str)
        return values


def _settings(table: Mapping[str, Any], path: Path, *, project: bool) -> Settings:
    keys = _Keys(path)
    base = path.parent
    listed = _listed(keys, table)
    old_default = keys.expect(table, "index-url", str)
    extra = f"{path}: extra-index-url"
    links = f"{path}: find-links"
    return Settings(
        indexes=listed.indexes,
        default=listed.default,
        extra_indexes=tuple(
            make_index(t, extra, base=base) for t in keys.texts(table, "extra-index-url")
        ),
        old_default=None
        if old_default is None
        else make_index(old_default, f"{path}: index-url", base=base, default=True),
        closed=listed.closed,
        find_links=(
            *listed.find_links,
            *(make_find_links(t, links, base=base) for t in keys.texts(table, "find-links")),
        ),
        no_index=bool(keys.expect(table, "no-index", bool)),
        strategy=_strategy(keys.expect(table, "index-strategy", str), f"{path}: index-strategy"),
        project=project,
    )


def _listed(keys: _Keys, table: Mapping[str, Any]) -> Settings:
    """What the ``[[index]]`` tables say.

    An explicit index serves only packages that ``[tool.uv.sources]`` sends there: it is no place
    to look in for others. As the default one, it leaves the others without a default.
    """
    indexes: list[Index] = []
    links: list[FindLinks] = []
    default: Index | None = None
    closed = False
    base = keys.path.parent
    for position, entry in enumerate(keys.expect(table, "index", list) or []):
        at = f"index[{position}]"
        keys.expect({at: entry}, at, dict)
        url = keys.expect(entry, "url", str, f"{at}.")
        if url is None:
            raise UsageError(f"{at}.url is missing", where=str(keys.path), remedy=_CORRECT)
        name = keys.expect(entry, "name", str, f"{at}.")
        is_default = bool(keys.expect(entry, "default", bool, f"{at}."))
        explicit = bool(keys.expect(entry, "explicit", bool, f"{at}."))
        origin = f"{keys.path}: {at}"
        if is_default and (closed or default is not None):
            continue  # uv takes the first of several defaults
        if explicit:
            closed = closed or is_default
        elif entry.get("format") == "flat":
            links.append(make_find_links(url, origin, base=base))
        elif is_default:
            default = make_index(url, origin, base=base, name=name, default=True)
        else:
            indexes.append(make_index(url, origin, base=base, name=name))
    return Settings(indexes=tuple(indexes), default=default, closed=closed, find_links=tuple(links))


def _strategy(text: str | None, origin: str) -> str | None:
    if text is not None and text not in STRATEGIES:
        raise UsageError(
            f"unknown index strategy {text!r}",
            where=origin,
            remedy=f"one of {', '.join(STRATEGIES)}",
        )
    return text
