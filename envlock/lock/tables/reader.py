"""Reads the parts of one lockfile's tables into values; for ``codec``.

``packaging.pylock`` has checked the standard part's types before, so that those are taken as they
stand; texts are kept as written, since the environment hash covers them so. What PEP 751 leaves
open, and all of ``[tool.envlock]``, is checked here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import is_normalized_name

from envlock.errors import EnvlockError, UsageError, VerificationError
from envlock.lock.hashing import environment_hash, request_digest
from envlock.lock.interpreter import PROVIDERS
from envlock.lock.model import FORMAT_VERSION, Lock
from envlock.lock.package import (
    Archive,
    Artifact,
    Dependency,
    Directory,
    PythonPackage,
    Repair,
    Vcs,
)
from envlock.lock.request import Request, Wish, parse_wish_line
from envlock.lock.target import Target, parse_target

RELOCK = (
    "restore the file from git, or make it again with `envlock lock --upgrade` (as of now;"
    " with --as-of DATE, as of then)"
)
"""The remedy for a lockfile that cannot be trusted."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TOOL = "tool.envlock"
_REQUEST = "tool.envlock.request"

Table = Mapping[str, Any]


class NewerFormatError(UsageError):
    """The file was made by a later envlock, whose meaning this one cannot know."""


class EditedLockError(VerificationError):
    """A lock whose content is not what its own digests say.

    ``lock`` is the content; ``keys`` name the digests that do not fit, below ``[tool.envlock]``;
    ``declared`` and ``content`` are the first one's, as stated and as computed.
    """

    def __init__(
        self,
        where: str,
        *,
        lock: Lock,
        keys: tuple[str, ...],
        declared: str | None,
        content: str | None,
    ) -> None:
        super().__init__(
            f"{_TOOL}.{keys[0]} says {declared}, the content gives {content}:"
            " the file was edited or damaged",
            where=where,
            remedy=RELOCK,
        )
        self.lock = lock
        self.keys = keys
        self.declared = declared
        self.content = content


class Reader:
    """Reads parts of one lockfile; keeps its name for the errors."""

    def __init__(self, where: str) -> None:
        self.where = where

    def wrong(self, path: str, expected: str) -> UsageError:
        """The error for a value at ``path`` that is not ``expected``."""
        return UsageError(f"{path}: expected {expected}", where=self.where, remedy=RELOCK)

    # --- plain values ---

    def text(self, table: Table, key: str, prefix: str = _TOOL) -> str:
        """A text that is there and not empty."""
        value = table.get(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(f"{prefix}.{key}", "a text")
        return value

    def optional_text(self, table: Table, key: str, prefix: str) -> str | None:
        """A text, or None where the key is absent."""
        return self.text(table, key, prefix) if key in table else None

    def digest(self, table: Table, key: str, prefix: str) -> str:
        """A SHA-256: 64 lower-case hex digits."""
        return self.shaped(table, key, prefix, _SHA256, "64 lower-case hex digits")

    def size(self, table: Table, prefix: str) -> int:
        """``size``, a number of bytes."""
        value = table.get("size")
        if not isinstance(value, int) or isinstance(value, bool) or value < 0:
            raise self.wrong(f"{prefix}.size", "a number of bytes")
        return value

    def texts(self, table: Table, key: str, prefix: str) -> tuple[str, ...]:
        """A list of texts; empty where the key is absent."""
        value = table.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(f"{prefix}.{key}", "a list of texts")
        return tuple(value)

    def shaped(
        self, table: Table, key: str, prefix: str, shape: re.Pattern[str], expected: str
    ) -> str:
        """A text that ``shape`` matches as a whole."""
        value = self.text(table, key, prefix)
        if not shape.fullmatch(value):
            raise self.wrong(f"{prefix}.{key}", expected)
        return value

    def flag(self, table: Table, key: str, prefix: str) -> bool:
        """True or false; false where the key is absent."""
        value = table.get(key, False)
        if not isinstance(value, bool):
            raise self.wrong(f"{prefix}.{key}", "true or false")
        return value

    def tables(self, table: Table, key: str, prefix: str = _TOOL) -> list[tuple[str, Table]]:
        """A list of tables, each with its own path; empty where the key is absent."""
        value = table.get(key, [])
        if not isinstance(value, list):
            raise self.wrong(f"{prefix}.{key}", "a list of tables")
        for i, item in enumerate(value):
            if not isinstance(item, dict):
                raise self.wrong(f"{prefix}.{key}[{i}]", "a table")
        return [(f"{prefix}.{key}[{i}]", item) for i, item in enumerate(value)]

    def instant(self, table: Table, key: str, prefix: str = _TOOL) -> datetime:
        """A date-time with an offset, in UTC."""
        value = table.get(key)
        if isinstance(value, datetime) and value.tzinfo is not None:
            try:
                return value.astimezone(UTC)
            except OverflowError:
                pass  # year 1 or 9999, and beyond it in UTC
        raise self.wrong(f"{prefix}.{key}", "an instant with a zone (2026-03-01T00:00:00Z)")

    # --- [tool.envlock] ---

    def tool_table(self, table: Table) -> Table:
        """``[tool.envlock]``, of a format that this envlock knows."""
        tool = table.get("tool", {}).get("envlock")
        if not isinstance(tool, dict):
            raise UsageError(
                "a pylock.toml without a [tool.envlock] table, made by another tool",
                where=self.where,
                remedy="move it away and run `envlock lock`",
            )
        version = tool.get("format")
        if not isinstance(version, int) or isinstance(version, bool) or version < 1:
            raise self.wrong(f"{_TOOL}.format", "a whole number")
        if version > FORMAT_VERSION:
            raise NewerFormatError(
                f"format {version}; this envlock reads up to {FORMAT_VERSION}",
                where=self.where,
                remedy="upgrade envlock: pip install --upgrade envlock",
            )
        return tool

    def targets(self, tool: Table) -> tuple[Target, ...]:
        """The interpreters that were locked for."""
        found = []
        for path, entry in self.tables(tool, "interpreters"):
            target = self.target(self.text(entry, "target", path), f"{path}.target")
            if (entry.get("implementation"), entry.get("version")) != ("cpython", target.python):
                raise self.wrong(path, f"implementation cpython, version {target.python}")
            found.append(target)
        if not found:
            raise self.wrong(f"{_TOOL}.interpreters", "a list of targets")
        return tuple(sorted(found))

    def target(self, key: str, path: str) -> Target:
        """The target that ``key`` (``linux/amd64@3.11``) names."""
        try:
            return parse_target(key)
        except EnvlockError as error:
            raise self.wrong(path, f"a target such as linux/amd64@3.11 ({error.what})") from None

    def repairs(self, tool: Table) -> tuple[Repair, ...]:
        """Metadata that was read in a stated way."""
        return tuple(
            Repair(
                subject=self.text(entry, "package", path),
                found=self.text(entry, "found", path),
                used=self.text(entry, "used", path),
            )
            for path, entry in self.tables(tool, "repaired-metadata")
        )

    def request(self, tool: Table) -> Request:
        """The request that the lock answers."""
        table = tool.get("request")
        if not isinstance(table, dict):
            raise self.wrong(_REQUEST, "a table")
        targets = self.texts(table, "targets", _REQUEST)
        if not targets:
            raise self.wrong(f"{_REQUEST}.targets", "a list of targets")
        return Request(
            wishes=self._wishes(table, "requirements"),
            constraints=self._wishes(table, "constraints"),
            overrides=self._wishes(table, "overrides"),
            targets=tuple(self.target(key, f"{_REQUEST}.targets") for key in targets),
            extras=self.texts(table, "extras", _REQUEST),
            groups=self.texts(table, "groups", _REQUEST),
            requires_python=self._specifier(table),
            as_of=self.instant(table, "as-of", _REQUEST) if "as-of" in table else None,
            prereleases=self.flag(table, "prereleases", _REQUEST),
            only_binary=self.texts(table, "only-binary", _REQUEST),
            no_binary=self.texts(table, "no-binary", _REQUEST),
            default_index=self.optional_text(table, "default-index", _REQUEST),
            index_urls=self.texts(table, "index-urls", _REQUEST),
            find_links=self.texts(table, "find-links", _REQUEST),
            no_index=self.flag(table, "no-index", _REQUEST),
            allow_undated=self.texts(table, "allow-undated", _REQUEST),
            os_base=self.optional_text(table, "os-base", _REQUEST),
            os_packages=self.texts(table, "os-packages", _REQUEST),
            os_build_packages=self.texts(table, "os-build-packages", _REQUEST),
            os_components=self.texts(table, "os-components", _REQUEST),
            os_recommends=self.flag(table, "os-recommends", _REQUEST),
            sources=self.flag(table, "sources", _REQUEST),
            os_libraries=not self.flag(table, "os-no-libraries", _REQUEST),
            os_auto=self.flag(table, "os-auto", _REQUEST),
            os_ignore_libraries=self.texts(table, "os-ignore-libraries", _REQUEST),
            build_exceptions=self.texts(table, "build-exceptions", _REQUEST),
            build_exception_reasons=self.texts(table, "build-exception-reasons", _REQUEST),
            build_requires=self.texts(table, "build-requires", _REQUEST),
            interpreter=self._interpreter(table),
            image_base=self.optional_text(table, "image-base", _REQUEST),
            local_sources=self.texts(table, "local-sources", _REQUEST),
        )

    def _interpreter(self, table: Table) -> str | None:
        value = self.optional_text(table, "interpreter", _REQUEST)
        if value is not None and value not in PROVIDERS:
            raise self.wrong(f"{_REQUEST}.interpreter", f"one of {', '.join(PROVIDERS)}")
        return value

    def _wishes(self, table: Table, key: str) -> tuple[Wish, ...]:
        wishes = []
        for i, line in enumerate(self.texts(table, key, _REQUEST)):
            wish = parse_wish_line(line, origin="lock")
            try:
                Requirement(wish.text)
            except InvalidRequirement:
                raise self.wrong(f"{_REQUEST}.{key}[{i}]", "a requirement (PEP 508)") from None
            wishes.append(wish)
        return tuple(wishes)

    def _specifier(self, table: Table) -> str | None:
        value = self.optional_text(table, "requires-python", _REQUEST)
        try:
            SpecifierSet(value or "")
        except InvalidSpecifier:
            path = f"{_REQUEST}.requires-python"
            raise self.wrong(path, "a version specifier (PEP 440)") from None
        return value

    # --- packages ---

    def packages(self, entries: list[Table], prefix: str = "packages") -> tuple[PythonPackage, ...]:
        """Every ``[[packages]]`` entry; no two alike in name, version and marker."""
        found: dict[tuple[str, str, str], PythonPackage] = {}
        for i, entry in enumerate(entries):
            package = self._package(f"{prefix}[{i}]", entry)
            if package.sort_key in found:
                expected = f"one entry only for this version and marker of {package.name}"
                raise self.wrong(f"{prefix}[{i}]", expected)
            found[package.sort_key] = package
        return tuple(found.values())

    def _package(self, path: str, entry: Table) -> PythonPackage:
        sdist, archive = entry.get("sdist"), entry.get("archive")
        vcs, directory = entry.get("vcs"), entry.get("directory")
        return PythonPackage(
            name=entry["name"],
            version=entry.get("version"),
            marker=entry.get("marker"),
            requires_python=entry.get("requires-python"),
            index=entry.get("index"),
            dependencies=tuple(
                self._dependency(table, where)
                for where, table in self.tables(entry, "dependencies", path)
            ),
            sdist=None if sdist is None else self._artifact(sdist, f"{path}.sdist"),
            wheels=tuple(
                self._artifact(wheel, f"{path}.wheels[{n}]")
                for n, wheel in enumerate(entry.get("wheels", ()))
            ),
            archive=None if archive is None else self._archive(archive, f"{path}.archive"),
            vcs=None if vcs is None else self._vcs(vcs, f"{path}.vcs"),
            directory=None if directory is None else _directory(directory),
        )

    def _dependency(self, table: Table, path: str) -> Dependency:
        name = self.text(table, "name", path)
        if not is_normalized_name(name):
            raise self.wrong(f"{path}.name", "a normalized name (PEP 503)")
        return Dependency(name=name, version=self.optional_text(table, "version", path))

    def _artifact(self, table: Table, path: str) -> Artifact:
        timed = "upload-time" in table
        return Artifact(
            name=table.get("name") or _file_name(table),
            url=table.get("url"),
            path=table.get("path"),
            sha256=self._sha256(table, path),
            size=table.get("size"),
            upload_time=self.instant(table, "upload-time", path) if timed else None,
        )

    def _archive(self, table: Table, path: str) -> Archive:
        return Archive(
            url=table.get("url"),
            path=table.get("path"),
            sha256=self._sha256(table, path),
            size=table.get("size"),
            subdirectory=table.get("subdirectory"),
        )

    def _vcs(self, table: Table, path: str) -> Vcs:
        return Vcs(
            kind=table["type"],
            url=self.text(table, "url", path),
            commit=table["commit-id"],
            requested=table.get("requested-revision"),
            subdirectory=table.get("subdirectory"),
        )

    def _sha256(self, table: Table, path: str) -> str:
        value = table["hashes"].get("sha256")
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise self.wrong(f"{path}.hashes.sha256", "64 lower-case hex digits")
        return value

    # --- digests ---

    def verify(self, lock: Lock, tool: Table) -> None:
        """Hold the digests that the file states to the content beside them."""
        found = environment_hash(lock)
        digests = tool.get("digests")
        if not isinstance(digests, dict):
            raise self.wrong(f"{_TOOL}.digests", "a table")
        # A branch that the lock does not have is None on both sides.
        held = (
            ("environment-hash", self.text(tool, "environment-hash"), found.root),
            ("digests.python", digests.get("python"), found.python),
            ("digests.os", digests.get("os"), found.os),
            ("digests.toolchain", digests.get("toolchain"), found.toolchain),
            ("request.digest", tool["request"].get("digest"), request_digest(lock.request)),
        )
        wrong = [one for one in held if one[1] != one[2]]
        if wrong:
            raise EditedLockError(
                self.where,
                lock=lock,
                keys=tuple(key for key, _, _ in wrong),
                declared=wrong[0][1],
                content=wrong[0][2],
            )


def _directory(table: Table) -> Directory:
    return Directory(
        path=table["path"],
        editable=table.get("editable", False),
        subdirectory=table.get("subdirectory"),
    )


def _file_name(table: Table) -> str:
    """PEP 751: without ``name``, the last part of the path or URL is the file's name."""
    path: str | None = table.get("path")
    if path:
        return re.split(r"[/\\]", path)[-1]
    return unquote(urlsplit(table["url"]).path.rpartition("/")[2])
