"""pylock.toml text ⇄ Lock.

The standard part goes through ``packaging.pylock`` (PEP 751); the ``[tool.envlock]`` table stands
beside it and is validated here. ``packaging`` accepts digests of any length, so they are checked
here too. Each error names the path in the file (``packages[3].wheels[0].hashes``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import tomli
import tomli_w
from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

from envlock.errors import EnvlockError, UsageError, VerificationError
from envlock.lock.hashing import environment_hash, request_digest
from envlock.lock.model import (
    FORMAT_VERSION,
    Archive,
    Artifact,
    Dependency,
    Directory,
    Lock,
    PythonPackage,
    Repair,
    Vcs,
)
from envlock.lock.request import Request, parse_wish_line
from envlock.lock.target import Target, parse_target

HEADER = (
    "# Made by envlock: a standard pylock.toml (PEP 751) with a [tool.envlock] table.\n"
    "# Change what you ask for in pyproject.toml and run `envlock lock`; do not edit by hand.\n\n"
)
LOCK_VERSION = "1.0"
_SHA256 = re.compile(r"[0-9a-f]{64}")
_RELOCK = "restore the file from git, or make it again with `envlock lock --upgrade`"


# --- value → file -------------------------------------------------------------------------------


def dump(lock: Lock) -> str:
    """The lockfile's text: valid by PEP 751, entries sorted, same lock same bytes."""
    table = _lock_table(lock)
    Pylock.from_dict(table).validate()
    return HEADER + tomli_w.dumps(table, multiline_strings=False)


def _lock_table(lock: Lock) -> dict[str, Any]:
    table: dict[str, Any] = {
        "lock-version": LOCK_VERSION,
        "environments": sorted(target.marker for target in lock.targets),
        "requires-python": requires_python(lock.targets),
        "extras": sorted(lock.request.extras),
        "dependency-groups": sorted(lock.request.groups),
        "default-groups": sorted(lock.request.groups),
        "created-by": "envlock",
        "packages": [
            _package_table(p) for p in sorted(lock.packages, key=lambda p: p.sort_key)
        ],
        "tool": {"envlock": _tool_table(lock)},
    }
    return table


def requires_python(targets: Iterable[Target]) -> str:
    """The tightest PEP 440 specifier of the form ``>=3.11,<3.13`` that covers the targets."""
    series = sorted({tuple(int(n) for n in t.series.split(".")) for t in targets})
    (major, first), (_, last) = series[0], series[-1]
    return f">={major}.{first},<{major}.{last + 1}"


def _package_table(package: PythonPackage) -> dict[str, Any]:
    table: dict[str, Any] = {"name": package.name}
    for key, value in (
        ("version", package.version),
        ("marker", package.marker),
        ("requires-python", package.requires_python),
    ):
        if value is not None:
            table[key] = value
    if package.dependencies:
        table["dependencies"] = [
            {"name": d.name} if d.version is None else {"name": d.name, "version": d.version}
            for d in sorted(package.dependencies, key=lambda d: (d.name, d.version or ""))
        ]
    if package.vcs is not None:
        table["vcs"] = _present(
            {
                "type": package.vcs.kind,
                "url": package.vcs.url,
                "requested-revision": package.vcs.requested,
                "commit-id": package.vcs.commit,
                "subdirectory": package.vcs.subdirectory,
            }
        )
    if package.directory is not None:
        table["directory"] = _present(
            {
                "path": package.directory.path,
                "editable": package.directory.editable or None,
                "subdirectory": package.directory.subdirectory,
            }
        )
    if package.archive is not None:
        table["archive"] = _present(
            {
                "url": package.archive.url,
                "path": package.archive.path,
                "size": package.archive.size,
                "hashes": {"sha256": package.archive.sha256},
                "subdirectory": package.archive.subdirectory,
            }
        )
    if package.index is not None:
        table["index"] = package.index
    if package.sdist is not None:
        table["sdist"] = _artifact_table(package.sdist)
    if package.wheels:
        table["wheels"] = [
            _artifact_table(w) for w in sorted(package.wheels, key=lambda w: w.name)
        ]
    return table


def _artifact_table(artifact: Artifact) -> dict[str, Any]:
    return _present(
        {
            "name": artifact.name,
            "upload-time": artifact.upload_time,
            "url": artifact.url,
            "path": artifact.path,
            "size": artifact.size,
            "hashes": {"sha256": artifact.sha256},
        }
    )


def _tool_table(lock: Lock) -> dict[str, Any]:
    hashed = environment_hash(lock)
    table: dict[str, Any] = {
        "format": FORMAT_VERSION,
        "as-of": lock.as_of,
        "engine": lock.engine,
        "environment-hash": hashed.root,
        "digests": {"python": hashed.python},
        "interpreters": [
            {"target": t.key, "implementation": "cpython", "version": t.python}
            for t in sorted(lock.targets)
        ],
    }
    if lock.built:
        table["built-for-metadata"] = sorted(lock.built)
    if lock.repairs:
        table["repaired-metadata"] = [
            {"package": r.subject, "found": r.found, "used": r.used}
            for r in sorted(lock.repairs, key=lambda r: (r.subject, r.found))
        ]
    request: dict[str, Any] = {"digest": request_digest(lock.request)}
    if lock.request.as_of is not None:
        request["as-of"] = lock.request.as_of
    table["request"] = request | lock.request.canonical()
    return table


def _present(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


# --- file → value -------------------------------------------------------------------------------


def load(text: str, *, where: str) -> Lock:
    """The lock that ``text`` holds; ``where`` names the file in errors.

    Raises:
        UsageError: not TOML, not PEP 751, no ``[tool.envlock]`` table, or a newer format.
        VerificationError: the environment hash or request digest is not that of the content.
    """
    try:
        table = tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        raise UsageError(f"not a whole TOML file: {error}", where=where, remedy=_RELOCK) from None
    try:
        pylock = Pylock.from_dict(table)
    except PylockUnsupportedVersionError as error:
        raise UsageError(str(error), where=where, remedy="upgrade envlock") from None
    except PylockValidationError as error:
        raise UsageError(f"not a valid pylock.toml: {error}", where=where, remedy=_RELOCK) from None
    reader = _Reader(where)
    tool = reader.tool_table(table)
    lock = Lock(
        as_of=reader.instant(tool, "as-of"),
        engine=reader.text(tool, "engine"),
        request=reader.request(tool),
        targets=reader.targets(tool),
        packages=tuple(reader.package(i, entry) for i, entry in enumerate(pylock.packages)),
        built=tuple(tool.get("built-for-metadata", ())),
        repairs=tuple(
            Repair(subject=r["package"], found=r["found"], used=r["used"])
            for r in tool.get("repaired-metadata", ())
        ),
    )
    reader.verify(lock, tool)
    return lock


class _Reader:
    """Reads parts of one lockfile; keeps its name for the errors."""

    def __init__(self, where: str) -> None:
        self.where = where

    def wrong(self, path: str, expected: str) -> UsageError:
        return UsageError(f"{path}: expected {expected}", where=self.where, remedy=_RELOCK)

    def tool_table(self, table: dict[str, Any]) -> dict[str, Any]:
        tool = table.get("tool", {}).get("envlock")
        if not isinstance(tool, dict):
            raise UsageError(
                "a pylock.toml without a [tool.envlock] table, made by another tool",
                where=self.where,
                remedy="move it away and run `envlock lock`",
            )
        version = tool.get("format")
        if not isinstance(version, int) or version < 1:
            raise self.wrong("tool.envlock.format", "a whole number")
        if version > FORMAT_VERSION:
            raise UsageError(
                f"format {version}; this envlock reads up to {FORMAT_VERSION}",
                where=self.where,
                remedy="upgrade envlock: pip install --upgrade envlock",
            )
        return tool

    def text(self, table: dict[str, Any], key: str, prefix: str = "tool.envlock") -> str:
        value = table.get(key)
        if not isinstance(value, str) or not value:
            raise self.wrong(f"{prefix}.{key}", "a text")
        return value

    def instant(
        self, table: dict[str, Any], key: str, prefix: str = "tool.envlock"
    ) -> datetime:
        value = table.get(key)
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.wrong(f"{prefix}.{key}", "an instant with a zone (2026-03-01T00:00:00Z)")
        return value.astimezone(UTC)

    def targets(self, tool: dict[str, Any]) -> tuple[Target, ...]:
        entries = tool.get("interpreters")
        if not isinstance(entries, list) or not entries:
            raise self.wrong("tool.envlock.interpreters", "a list of targets")
        found = []
        for i, entry in enumerate(entries):
            path = f"tool.envlock.interpreters[{i}]"
            if not isinstance(entry, dict):
                raise self.wrong(path, "a table")
            found.append(self._target(self.text(entry, "target", path), f"{path}.target"))
        return tuple(sorted(found))

    def _target(self, key: str, path: str) -> Target:
        try:
            return parse_target(key)
        except EnvlockError as error:
            raise self.wrong(path, f"a target such as linux/amd64@3.11 ({error.what})") from None

    def request(self, tool: dict[str, Any]) -> Request:
        table = tool.get("request")
        if not isinstance(table, dict):
            raise self.wrong("tool.envlock.request", "a table")
        path = "tool.envlock.request"

        def texts(key: str) -> tuple[str, ...]:
            value = table.get(key, [])
            if not isinstance(value, list) or not all(isinstance(x, str) for x in value):
                raise self.wrong(f"{path}.{key}", "a list of texts")
            return tuple(value)

        return Request(
            wishes=tuple(parse_wish_line(x, origin="lock") for x in texts("requirements")),
            constraints=tuple(parse_wish_line(x, origin="lock") for x in texts("constraints")),
            overrides=tuple(parse_wish_line(x, origin="lock") for x in texts("overrides")),
            targets=tuple(self._target(x, f"{path}.targets") for x in texts("targets")),
            extras=texts("extras"),
            groups=texts("groups"),
            requires_python=table.get("requires-python"),
            as_of=self.instant(table, "as-of", path) if "as-of" in table else None,
            prereleases=bool(table.get("prereleases", False)),
            only_binary=texts("only-binary"),
            no_binary=texts("no-binary"),
            default_index=table.get("default-index"),
            index_urls=texts("index-urls"),
            find_links=texts("find-links"),
            no_index=bool(table.get("no-index", False)),
            allow_undated=texts("allow-undated"),
        )

    def package(self, i: int, entry: Any) -> PythonPackage:
        path = f"packages[{i}]"
        return PythonPackage(
            name=str(entry.name),
            version=None if entry.version is None else str(entry.version),
            marker=None if entry.marker is None else str(entry.marker),
            requires_python=(
                None if entry.requires_python is None else str(entry.requires_python)
            ),
            index=entry.index,
            dependencies=tuple(
                Dependency(
                    name=d["name"],
                    version=None if d.get("version") is None else str(d["version"]),
                )
                for d in entry.dependencies or ()
            ),
            sdist=None if entry.sdist is None else self._artifact(entry.sdist, f"{path}.sdist"),
            wheels=tuple(
                self._artifact(w, f"{path}.wheels[{n}]") for n, w in enumerate(entry.wheels or ())
            ),
            archive=(
                None
                if entry.archive is None
                else Archive(
                    url=entry.archive.url,
                    path=entry.archive.path,
                    sha256=self._sha256(entry.archive.hashes, f"{path}.archive"),
                    size=entry.archive.size,
                    subdirectory=entry.archive.subdirectory,
                )
            ),
            vcs=(
                None
                if entry.vcs is None
                else Vcs(
                    kind=entry.vcs.type,
                    url=entry.vcs.url,
                    commit=entry.vcs.commit_id,
                    requested=entry.vcs.requested_revision,
                    subdirectory=entry.vcs.subdirectory,
                )
            ),
            directory=(
                None
                if entry.directory is None
                else Directory(
                    path=entry.directory.path,
                    editable=bool(entry.directory.editable),
                    subdirectory=entry.directory.subdirectory,
                )
            ),
        )

    def _artifact(self, entry: Any, path: str) -> Artifact:
        location = entry.url or entry.path
        return Artifact(
            name=entry.name or location.rsplit("/", 1)[-1],
            url=entry.url,
            path=entry.path,
            sha256=self._sha256(entry.hashes, path),
            size=entry.size,
            upload_time=(
                None if entry.upload_time is None else entry.upload_time.astimezone(UTC)
            ),
        )

    def _sha256(self, hashes: Any, path: str) -> str:
        value = hashes.get("sha256") if hashes else None
        if not isinstance(value, str) or not _SHA256.fullmatch(value):
            raise self.wrong(f"{path}.hashes.sha256", "64 lower-case hex digits")
        return value

    def verify(self, lock: Lock, tool: dict[str, Any]) -> None:
        declared = self.text(tool, "environment-hash")
        found = environment_hash(lock)
        if declared != found.root:
            raise VerificationError(
                f"the environment hash says {declared}, the content gives {found.root}:"
                " the file was edited or damaged",
                where=self.where,
                remedy=_RELOCK,
            )
        declared = tool["request"].get("digest")
        if declared != request_digest(lock.request):
            raise VerificationError(
                "tool.envlock.request.digest is not the digest of the request beside it:"
                " the file was edited or damaged",
                where=self.where,
                remedy=_RELOCK,
            )
