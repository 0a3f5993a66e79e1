"""pylock.toml text ⇄ Lock.

The standard part goes through ``packaging.pylock`` (PEP 751) both ways; the ``[tool.envlock]``
table stands beside it. ``packaging`` accepts digests of any length and drops what it does not
know, so ``reader`` checks and takes the values itself. Each error names the path in the file
(``packages[3].wheels[0].hashes``).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tomli
import tomli_w
from packaging.pylock import Pylock, PylockUnsupportedVersionError, PylockValidationError

from envlock.errors import SourceError, UsageError
from envlock.lock.hashing import environment_hash, request_digest
from envlock.lock.model import FORMAT_VERSION, Artifact, Lock, PythonPackage
from envlock.lock.reader import RELOCK, Reader
from envlock.lock.reader import NewerFormatError as NewerFormatError
from envlock.lock.target import Target

HEADER = (
    "# Made by envlock: a standard pylock.toml (PEP 751) with a [tool.envlock] table.\n"
    "# Change what you ask for in pyproject.toml and run `envlock lock`; do not edit by hand.\n\n"
)
LOCK_VERSION = "1.0"


# --- value → file -------------------------------------------------------------------------------


def dump(lock: Lock) -> str:
    """The lockfile's text: valid by PEP 751, entries sorted, same lock same bytes.

    Raises:
        SourceError: something in the lock has no place in PEP 751 (an old sdist's file name).
    """
    table = _lock_table(lock)
    try:
        Pylock.from_dict(table)
    except PylockValidationError as error:
        raise SourceError(
            f"what was resolved does not fit a pylock.toml: {_problem(error)}",
            remedy="constrain that package to another version",
        ) from None
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
        "digests": {"python": hashed.python},
        "interpreters": [
            {"target": t.key, "implementation": "cpython", "version": t.python}
            for t in sorted(lock.targets)
        ],
    }
    if lock.built:
        table["built-from-source"] = sorted(lock.built)
    if lock.repairs:
        table["repaired-metadata"] = [
            {"package": r.subject, "found": r.found, "used": r.used}
            for r in sorted(lock.repairs, key=lambda r: (r.subject, r.found, r.used))
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
        UsageError: not TOML, not PEP 751, no ``[tool.envlock]`` table, or a newer format
            (``NewerFormatError``).
        VerificationError: the environment hash or request digest is not that of the content.
    """
    table = _parse(text, where)
    reader = Reader(where)
    tool = reader.tool_table(table)
    lock = Lock(
        as_of=reader.instant(tool, "as-of"),
        engine=reader.text(tool, "engine"),
        request=reader.request(tool),
        targets=reader.targets(tool),
        packages=reader.packages(table["packages"]),
        built=reader.texts(tool, "built-from-source", "tool.envlock"),
        repairs=reader.repairs(tool),
    )
    reader.verify(lock, tool)
    return lock


def _parse(text: str, where: str) -> dict[str, Any]:
    """The file's tables, their standard part valid by PEP 751."""
    try:
        table = tomli.loads(text)
    except (ValueError, RecursionError) as error:
        # TOMLDecodeError is a ValueError; numbers and nesting without measure are the others.
        raise UsageError(f"not a whole TOML file: {error}", where=where, remedy=RELOCK) from None
    try:
        Pylock.from_dict(table)
    except PylockUnsupportedVersionError as error:
        raise NewerFormatError(
            str(error), where=where, remedy="upgrade envlock: pip install --upgrade envlock"
        ) from None
    except PylockValidationError as error:
        raise UsageError(
            f"not a valid pylock.toml: {_problem(error)}", where=where, remedy=RELOCK
        ) from None
    return table


def _problem(error: PylockValidationError) -> str:
    """Path in the file first, as everywhere; of a drawn message (markers) only the sentence."""
    sentence = error.message.partition("\n")[0]
    return f"{error.context}: {sentence}" if error.context else sentence
