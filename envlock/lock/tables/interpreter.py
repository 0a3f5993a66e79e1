"""``[[tool.envlock.interpreters]]`` ⇄ the Pythons of a lock; for ``codec``."""

from __future__ import annotations

import re
from typing import Any

from envlock.lock.interpreter import StandalonePython
from envlock.lock.model import Lock
from envlock.lock.provider import provider, standalone
from envlock.lock.tables.reader import Reader, Table
from envlock.lock.target import Target

_BUILD = re.compile(r"[0-9]{8}")
_URL = re.compile(r"https?://[^\s@]+")


def interpreter_table(lock: Lock, target: Target) -> dict[str, Any]:
    """One target's entry: what provides its Python is left out where the lock does not say."""
    table: dict[str, Any] = {
        "target": target.key,
        "implementation": "cpython",
        "version": target.python,
    }
    provided = provider(lock, target)
    if provided is not None:
        table["provider"] = provided
    build = standalone(lock, target)
    if build is not None:
        table["standalone"] = {
            "version": build.version,
            "build": build.build,
            "url": build.url,
            "size": build.size,
            "sha256": build.sha256,
        }
    return table


def read_standalone(reader: Reader, tool: Table) -> tuple[StandalonePython, ...]:
    """The archives of Python that the lock has.

    Raises:
        UsageError: a value has another shape, or is of another Python than its target.
    """
    found = []
    for path, entry in reader.tables(tool, "interpreters"):
        if "standalone" not in entry:
            continue
        table, path = entry["standalone"], f"{path}.standalone"
        if not isinstance(table, dict):
            raise reader.wrong(path, "a table")
        target = reader.target(entry["target"], path)
        version = reader.text(table, "version", path)
        patch = "" if target.python != target.series else r"\.[0-9]+"
        if not re.fullmatch(re.escape(target.python) + patch, version):
            raise reader.wrong(f"{path}.version", f"a release of CPython {target.python}")
        found.append(
            StandalonePython(
                target=target,
                version=version,
                build=reader.shaped(table, "build", path, _BUILD, "a day such as 20250723"),
                url=reader.shaped(table, "url", path, _URL, "an address without credentials"),
                size=reader.size(table, path),
                sha256=reader.digest(table, "sha256", path),
            )
        )
    return tuple(sorted(found))
