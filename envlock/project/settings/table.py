"""``[tool.envlock]`` of pyproject.toml or a script, and the same keys in ``envlock.toml``."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.lock.interpreter import PROVIDERS
from envlock.lock.target import PLATFORMS, Target
from envlock.lock.toolchain import GuixRequest, NixRequest
from envlock.project.dates import check_range, parse_absolute
from envlock.project.document import Document, KeyPath, dotted, nearest
from envlock.project.settings.build import read_build_requires, read_reasons
from envlock.project.settings.check import CheckSettings, read_check
from envlock.project.settings.image import read_image
from envlock.project.settings.os import OsWishes, read_os
from envlock.project.settings.toolchain import read_guix, read_nix

_TEXTS = {
    "allow-undated",
    "build-exceptions",
    "conda-ignore",
    "constraints",
    "extras",
    "groups",
    "no-binary",
    "only-binary",
    "overrides",
    "requirements",
    "targets",
}
_FLAGS = {"prereleases", "sources"}
_Part = OsWishes | NixRequest | GuixRequest | CheckSettings | tuple[str, ...] | str | None
_LAYERS: dict[str, Callable[[Document, KeyPath, Any], _Part]]
_LAYERS = {
    "build-requires": read_build_requires,
    "check": read_check,
    "guix": read_guix,
    "image": read_image,
    "nix": read_nix,
    "os": read_os,
}
_KEYS = _TEXTS | _FLAGS | _LAYERS.keys() | {"as-of", "interpreter", "python"}
_PATTERN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._*-]*")
_PYTHON = re.compile(r"3\.[0-9]+(\.[0-9]+)?")
_MACHINES = {"x86_64": "amd64", "x64": "amd64", "aarch64": "arm64", "darwin": "macos"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The settings of one environment. What is absent is None or empty.

    ``python`` are Pythons (``3.11``), ``targets`` platforms with or without their own Python;
    ``interpreter`` is a key of ``lock.interpreter.PROVIDERS``;
    ``requirements`` is None when the key is absent. ``extras``, ``groups``, ``conda_ignore`` and
    ``build_exceptions`` are normalized names, or patterns of them (``nvidia-*``), sorted;
    ``build_exception_reasons`` and ``build_requires`` as in ``Request``.
    """

    document: Document
    base: KeyPath
    named: KeyPath | None = None
    as_of: dt.datetime | None = None
    python: tuple[str, ...] = ()
    interpreter: str | None = None
    targets: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    extras: tuple[str, ...] = ()
    requirements: tuple[str, ...] | None = None
    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    only_binary: tuple[str, ...] = ()
    no_binary: tuple[str, ...] = ()
    allow_undated: tuple[str, ...] = ()
    conda_ignore: tuple[str, ...] = ()
    prereleases: bool = False
    sources: bool = False
    build_exceptions: tuple[str, ...] = ()
    build_exception_reasons: tuple[str, ...] = ()
    build_requires: tuple[str, ...] = ()
    os: OsWishes | None = None
    nix: NixRequest | None = None
    guix: GuixRequest | None = None
    check: CheckSettings | None = None
    image: str | None = None

    def place(self, key: str, item: str | None = None) -> str:
        """``pyproject.toml:12``: where ``key`` is written, for this environment."""
        base = self.base
        if self.named is not None and key in (self.document.get(*self.named) or {}):
            base = self.named
        return self.document.place((*base, key), item)

    def locked_targets(self, *, platform: str, pythons: tuple[str, ...]) -> tuple[Target, ...]:
        """Every target, sorted: platforms without a Python of their own get each of ``pythons``.

        Args:
            platform: what to lock for when no targets are written.
            pythons: used only where a target names none.
        """
        found: set[Target] = set()
        for text in self.targets or (platform,):
            name, at, own = text.partition("@")
            for python in (own,) if at else pythons:
                found.add(Target(platform=name, python=python))
        return tuple(sorted(found))

    @property
    def needs_python(self) -> bool:
        """Whether some target names no Python of its own."""
        return not self.targets or any("@" not in text for text in self.targets)


def read_settings(
    document: Document, base: KeyPath, *, name: str | None, now: dt.datetime
) -> Settings:
    """Validate the table at ``base`` (empty: the whole file) and take environment ``name``.

    Args:
        document: the file that holds the table; without it, everything is at its default.
        base: the table's path, for messages too.
        name: a named environment, whose ``[…env.NAME]`` keys replace the ones above it.
        now: the present; an as-of after it is refused.

    Raises:
        UsageError: an unknown key, a wrong type or value, an unknown environment.
    """
    table = document.get(*base)
    if table is None:
        table = {}
    if not isinstance(table, dict):
        raise document.wrong(base, "a table")
    values = _Reader(document, base, now).values(table, environments=True)
    environments = _environments(document, base, table)
    named = None
    for known in environments:
        path = (*base, "env", known)
        overriding = _Reader(document, path, now).values(environments[known], environments=False)
        if known == name:
            named = path
            values |= overriding
    if name is not None and named is None:
        raise _unknown_environment(document, base, name, environments)
    return Settings(document=document, base=base, named=named, **values)


def _environments(
    document: Document, base: KeyPath, table: dict[str, Any]
) -> dict[str, dict[str, Any]]:
    environments = table.get("env", {})
    if not isinstance(environments, dict):
        raise document.wrong((*base, "env"), "tables: [tool.envlock.env.NAME]")
    for name, value in environments.items():
        if not isinstance(value, dict):
            raise document.wrong((*base, "env", name), "a table")
        check_name(name, where=document.place((*base, "env", name)))
    return environments


def check_name(name: str, *, where: str | None = None) -> None:
    """Let pass what may stand in ``pylock.NAME.toml`` (PEP 751: no dots).

    Raises:
        UsageError: something else.
    """
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise UsageError(
            f"{name!r} cannot name an environment",
            where=where,
            remedy="use letters, digits, - and _ (its lock is called pylock.NAME.toml, and PEP 751"
            " allows no dots in it)",
        )


def _unknown_environment(
    document: Document, base: KeyPath, name: str, known: dict[str, Any]
) -> UsageError:
    header = dotted((*base, "env", name))
    if known:
        remedy = f"{nearest(name, known)} Known: {', '.join(sorted(known))}"
        if not nearest(name, known).startswith("did"):
            remedy = nearest(name, known)
    else:
        remedy = f'add one with the keys that differ:\n[{header}]\ngroups = ["{name}"]'
    return UsageError(
        f'there is no environment "{name}"',
        where=document.place((*base, "env")),
        remedy=remedy,
    )


class _Reader:
    """Checks one table's keys and values; knows its path for the errors."""

    def __init__(self, document: Document, base: KeyPath, now: dt.datetime) -> None:
        self.document = document
        self.base = base
        self.now = now

    def wrong(self, key: str, expected: str, remedy: str | None = None) -> UsageError:
        return self.document.wrong((*self.base, key), expected, remedy)

    def values(self, table: dict[str, Any], *, environments: bool) -> dict[str, Any]:
        """The table as keyword arguments of ``Settings``; absent keys are absent."""
        values: dict[str, Any] = {}
        for key, value in table.items():
            if key == "env" and environments:
                continue
            if key not in _KEYS:
                raise self._unknown(key, environments)
            if key in _LAYERS:
                values[key.replace("-", "_")] = _LAYERS[key](
                    self.document, (*self.base, key), value
                )
            elif key in _FLAGS:
                if not isinstance(value, bool):
                    raise self.wrong(key, "true or false")
                values[key] = value
            elif key == "build-exceptions" and isinstance(value, dict):
                values["build_exceptions"] = self._texts(key, list(value))
                reasons = read_reasons(self.document, (*self.base, key), value)
                values["build_exception_reasons"] = reasons
            elif key in _TEXTS:
                if key == "build-exceptions":
                    values["build_exception_reasons"] = ()  # not those of the environment below
                values[key.replace("-", "_")] = self._texts(key, value)
            elif key in ("interpreter", "python"):
                read = self._pythons if key == "python" else self._interpreter
                values[key] = read(value)
            else:
                values["as_of"] = self._instant(value)
        return values

    def _unknown(self, key: str, environments: bool) -> UsageError:
        known = _KEYS | ({"env"} if environments else set())
        return UsageError(
            f"unknown key {dotted((*self.base, key))}",
            where=self.document.place((*self.base, key)),
            remedy=nearest(key, known),
        )

    def _texts(self, key: str, value: Any) -> tuple[str, ...]:
        example = {"targets": "linux/amd64", "requirements": "requirements.in"}.get(key, "name")
        if not isinstance(value, list):
            raise self.wrong(key, f'a list of texts such as ["{example}"]')
        for i, item in enumerate(value):
            if not isinstance(item, str) or not item.strip():
                raise UsageError(
                    f"{dotted((*self.base, key))}[{i}]: expected a text",
                    where=self.document.place((*self.base, key)),
                )
        if key == "build-exceptions":
            self._check_patterns(key, value)
        if key in ("build-exceptions", "conda-ignore", "extras", "groups"):
            return tuple(sorted({canonicalize_name(item) for item in value}))
        if key in ("only-binary", "no-binary"):
            return tuple(sorted({i if i == ":all:" else canonicalize_name(i) for i in value}))
        if key == "targets":
            return self._targets(value)
        return tuple(dict.fromkeys(value))

    def _check_patterns(self, key: str, value: list[str]) -> None:
        """Names, in which ``*`` stands for anything; but not for every package."""
        for text in value:
            if not _PATTERN.fullmatch(text):
                raise UsageError(
                    f"{text!r} cannot be the name of packages",
                    where=self.document.place((*self.base, key), text),
                    remedy='write a name or a beginning of names: "torch", "nvidia-*"',
                )

    def _targets(self, value: list[str]) -> tuple[str, ...]:
        if not value:
            raise self.wrong("targets", 'at least one, such as ["linux/amd64"]')
        for text in value:
            where = self.document.place((*self.base, "targets"), text)
            platform, at, python = text.partition("@")
            if platform not in PLATFORMS:
                raise UsageError(
                    f"unknown platform {platform!r}", where=where, remedy=_platform_hint(platform)
                )
            if at and not _PYTHON.fullmatch(python):
                raise UsageError(
                    f"{text!r}: unknown Python {python!r}",
                    where=where,
                    remedy=f'write "{platform}@3.11" or "{platform}@3.11.7"',
                )
        return tuple(dict.fromkeys(value))

    def _interpreter(self, value: Any) -> str:
        if not isinstance(value, str) or value not in PROVIDERS:
            choices = [f'interpreter = "{name}": {what}' for name, what in PROVIDERS.items()]
            remedy = "\n".join(["write one of these:", *choices])
            raise self.wrong("interpreter", "what provides the Python", remedy)
        return value

    def _pythons(self, value: Any) -> tuple[str, ...]:
        listed = value if isinstance(value, list) else [value]
        if isinstance(value, float):
            # TOML reads 3.10 as the number 3.1.
            raise self.wrong("python", "a text, not a number", 'put it in quotes: "3.11"')
        if not listed or not all(isinstance(item, str) for item in listed):
            raise self.wrong("python", 'a text such as "3.11", or a list of them')
        for item in listed:
            if not _PYTHON.fullmatch(item):
                raise self.wrong(
                    "python", f'a CPython such as "3.11" or "3.11.7", not {item!r}', _no_range(item)
                )
        return tuple(dict.fromkeys(listed))

    def _instant(self, value: Any) -> dt.datetime:
        where = self.document.place((*self.base, "as-of"))
        path = dotted((*self.base, "as-of"))
        expected = 'write a date ("2026-03-01", its start in UTC) or an instant with a zone'
        if isinstance(value, dt.datetime) and value.tzinfo is None:
            raise UsageError(f"{path}: an instant without a zone", where=where, remedy=expected)
        if not isinstance(value, dt.date | str):
            raise UsageError(f"{path}: expected a date", where=where, remedy=expected)
        text = value if isinstance(value, str) else value.isoformat()
        try:
            instant = parse_absolute(text)
            if instant is None:
                raise UsageError(
                    f"{text!r} is not an absolute date",
                    remedy=f'{expected}; words such as "2 weeks ago" are for --as-of only, since'
                    " they mean another date each day",
                )
            return check_range(instant, text, now=self.now)
        except UsageError as error:
            raise UsageError(f"{path}: {error.what}", where=where, remedy=error.remedy) from None


def _platform_hint(platform: str) -> str:
    system, _, machine = platform.partition("/")
    other = f"{_MACHINES.get(system, system)}/{_MACHINES.get(machine.lower(), machine)}"
    return f'write "{other}"' if other in PLATFORMS else nearest(platform, PLATFORMS, cutoff=0.8)


def _no_range(text: str) -> str:
    if re.search(r"[<>=~*,]", text):
        return "a range belongs to project.requires-python; a lock is made for stated Pythons"
    return "only CPython 3 can be locked for"
