"""pylock.toml text ⇄ Lock.

The standard part goes through ``packaging.pylock`` (PEP 751) both ways; the ``[tool.envlock]``
table stands beside it. ``packaging`` accepts digests of any length and drops what it does not
know, so ``reader`` checks and takes the values itself. Each error names the path in the file
(``packages[3].wheels[0].hashes``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import tomli
import tomli_w

from envlock.errors import SourceError, UsageError
from envlock.lock.conflict import conflict_line
from envlock.lock.hashing import environment_hash, request_digest
from envlock.lock.model import FORMAT_VERSION, Lock
from envlock.lock.package import Artifact, PythonPackage
from envlock.lock.tables.interpreter import interpreter_table, read_standalone
from envlock.lock.tables.reader import RELOCK, Reader
from envlock.lock.tables.reader import NewerFormatError as NewerFormatError
from envlock.lock.target import Target

if TYPE_CHECKING:
    from envlock.lock.builds import Build, Seed
    from envlock.lock.os import OsLayer
    from envlock.lock.request import Request

HEADER = (
    "# Made by envlock: a standard pylock.toml (PEP 751) with a [tool.envlock] table.\n"
    "# Change what the project asks for and run `envlock lock`; do not edit by hand.\n\n"
)
LOCK_VERSION = "1.0"
_TOOLCHAIN = frozenset({"nix", "nixpkgs", "guix"})


# --- value → file -------------------------------------------------------------------------------


def _read_os(reader: Reader, tool: Mapping[str, Any], request: Request) -> OsLayer | None:
    if "os" not in tool:
        return None
    from envlock.lock.tables.os import read_os

    return read_os(reader, tool, sources=request.sources)


def _read_builds(reader: Reader, tool: Mapping[str, Any]) -> tuple[Build, ...]:
    if "builds" not in tool:
        return ()
    from envlock.lock.tables.builds import read_builds

    return read_builds(reader, tool)


def _read_bootstrap(reader: Reader, tool: Mapping[str, Any]) -> tuple[Seed, ...]:
    if "bootstrap" not in tool:
        return ()
    from envlock.lock.tables.bootstrap import read_bootstrap

    return read_bootstrap(reader, tool)


def _read_build_packages(
    reader: Reader, tool: Mapping[str, Any], *, known_valid: bool
) -> tuple[PythonPackage, ...]:
    entries = [table for _, table in reader.tables(tool, "build-packages")]
    if entries and not known_valid:
        # They have the shape of the standard's packages, so the standard's judge serves.
        own = {"lock-version": LOCK_VERSION, "created-by": "envlock", "packages": entries}
        _check_standard(own, reader.where, prefix="tool.envlock.build-")
    return reader.packages(entries, "tool.envlock.build-packages")


def dump(lock: Lock) -> str:
    """The lockfile's text: valid by PEP 751, entries sorted, same lock same bytes.

    Raises:
        SourceError: something in the lock has no place in PEP 751 (an old sdist's file name).
    """
    from envlock.lock.tables.standard import problem

    table = _lock_table(lock)
    found = problem(table)
    if found is not None:
        raise SourceError(
            f"what was resolved does not fit a pylock.toml: {found.text}",
            remedy="constrain that package to another version",
        )
    return HEADER + tomli_w.dumps(table, multiline_strings=False)


def _lock_table(lock: Lock) -> dict[str, Any]:
    table: dict[str, Any] = {
        "lock-version": LOCK_VERSION,
        "environments": sorted(target.marker for target in lock.targets),
        "requires-python": requires_python(lock.targets),
        "extras": sorted(set(lock.request.extras)),
        "dependency-groups": sorted(set(lock.request.groups)),
        "default-groups": sorted(set(lock.request.groups)),
        "created-by": "envlock",
        "packages": [_package_table(p) for p in sorted(lock.packages, key=lambda p: p.sort_key)],
        "tool": {"envlock": _tool_table(lock)},
    }
    return table


def requires_python(targets: Iterable[Target]) -> str:
    """The tightest PEP 440 specifier of the form ``>=3.11,<3.13`` that covers the targets."""
    series = sorted({tuple(int(n) for n in t.series.split(".")) for t in targets})
    (major, first), (_, last) = series[0], series[-1]
    return f">={major}.{first},<{major}.{last + 1}"


def _package_table(package: PythonPackage) -> dict[str, Any]:
    table = _present(
        {
            "name": package.name,
            "version": package.version,
            "marker": package.marker,
            "requires-python": package.requires_python,
        }
    )
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
            _artifact_table(w) for w in sorted(package.wheels, key=lambda w: (w.name, w.sha256))
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
        "digests": _present(
            {"python": hashed.python, "os": hashed.os, "toolchain": hashed.toolchain}
        ),
        "interpreters": [interpreter_table(lock, t) for t in sorted(lock.targets)],
    }
    if lock.built:
        table["built-from-source"] = sorted(lock.built)
    if lock.repairs:
        table["repaired-metadata"] = [
            {"package": r.subject, "found": r.found, "used": r.used}
            for r in sorted(lock.repairs, key=lambda r: (r.subject, r.found, r.used))
        ]
    if lock.os is not None:
        from envlock.lock.tables.os import os_table

        table["os"] = os_table(lock.os)
    if lock.nixpkgs is not None or lock.guix is not None:
        from envlock.lock.tables.toolchain import toolchain_tables

        table |= toolchain_tables(lock)
    if lock.image is not None:
        from envlock.lock.tables.image import image_table

        table["image"] = image_table(lock.image)
    if lock.builds:
        from envlock.lock.tables.builds import builds_tables

        table |= builds_tables(lock.builds)
        table["build-packages"] = [
            _package_table(p) for p in sorted(lock.build_packages, key=lambda p: p.sort_key)
        ]
    if lock.bootstrap:
        from envlock.lock.tables.bootstrap import bootstrap_tables

        table["bootstrap"] = bootstrap_tables(lock.bootstrap)
    request: dict[str, Any] = {"digest": request_digest(lock.request)}
    if lock.request.as_of is not None:
        request["as-of"] = lock.request.as_of
    table["request"] = request | lock.request.canonical()
    return table


def _present(table: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in table.items() if value is not None}


# --- file → value -------------------------------------------------------------------------------


def load(text: str, *, where: str, known_valid: bool = False) -> Lock:
    """The lock that ``text`` holds; ``where`` names the file in errors.

    Whether a text is valid depends on the text alone: a caller that remembers its digest from an
    earlier ``load`` or ``dump`` says ``known_valid``, which saves most of the time.

    Raises:
        UsageError: not TOML, not PEP 751, no ``[tool.envlock]`` table, or a newer format
            (``NewerFormatError``).
        VerificationError: the environment hash or request digest is not that of the content.
    """
    table = _parse(text, where)
    if not known_valid:
        _check_standard(table, where)
    reader = Reader(where)
    tool = reader.tool_table(table)
    request = reader.request(tool)
    lock = Lock(
        as_of=reader.instant(tool, "as-of"),
        engine=reader.text(tool, "engine"),
        request=request,
        targets=reader.targets(tool),
        packages=reader.packages(table["packages"]),
        built=reader.texts(tool, "built-from-source", "tool.envlock"),
        repairs=reader.repairs(tool),
        os=_read_os(reader, tool, request),
        builds=_read_builds(reader, tool),
        build_packages=_read_build_packages(reader, tool, known_valid=known_valid),
        bootstrap=_read_bootstrap(reader, tool),
        standalone=read_standalone(reader, tool),
    )
    if "image" in tool:
        from envlock.lock.tables.image import read_image

        lock = replace(lock, image=read_image(reader, tool, lock.targets))
    if not _TOOLCHAIN.isdisjoint([*tool, *tool["request"]]):
        from envlock.lock.tables.toolchain import with_toolchain

        lock = with_toolchain(reader, tool, lock)
    if not known_valid:
        reader.verify(lock, tool)
        if lock.builds or lock.request.sources:
            from envlock.lock.tables.builds import check_builds

            check_builds(reader, lock)
        if lock.bootstrap:
            from envlock.lock.tables.bootstrap import check_bootstrap

            check_bootstrap(reader, lock)
    return lock


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        return tomli.loads(text)
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError is a ValueError; numbers and nesting without measure are the others.
        line = conflict_line(text)
        if line is not None:
            name = where.replace("\\", "/").rsplit("/", 1)[-1]
            raise UsageError(
                "git's marks of an unfinished merge are in it",
                where=f"{where}:{line}",
                remedy=f"take one side, `git checkout --ours {name}` (or --theirs), then run"
                " `envlock lock`: it keeps what still answers the merged project",
            ) from None
        raise UsageError(f"not a whole TOML file: {error}", where=where, remedy=RELOCK) from None


def _check_standard(table: dict[str, Any], where: str, *, prefix: str = "") -> None:
    # Imported here: it costs as much as all the rest of reading a lock that is known.
    from envlock.lock.tables.standard import problem

    found = problem(table)
    if found is None:
        return
    if found.newer:
        raise NewerFormatError(
            found.text, where=where, remedy="upgrade envlock: pip install --upgrade envlock"
        )
    raise UsageError(f"not a valid pylock.toml: {prefix}{found.text}", where=where, remedy=RELOCK)
