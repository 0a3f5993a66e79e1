"""``pylock.realised.json``: what was made from a lock, beside it.

A lock says what shall be; this file says what came out of it where that has a name of its own, so
that another machine, or the same one later, can tell whether it gets the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, TypeVar

from envlock.errors import UsageError

FORMAT = 1

_PathT = TypeVar("_PathT", bound=PurePath)
_SHAPES = {
    "environment-hash": re.compile(r"env1-[0-9a-f]{64}"),
    "nar-hash": re.compile(r"sha256-[A-Za-z0-9+/]{43}="),
    "output": re.compile(r"[a-z-]+"),
    "store-path": re.compile(r"/[^\0\n]+/[0-9a-z]{32}-[A-Za-z0-9+._?=-]+"),
    "target": re.compile(r"[a-z0-9/]+@[0-9.]+"),
}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class NixOutput:
    """One output of the lock's flake, as Nix built it.

    ``target`` is ``linux/amd64@3.11``; ``output`` one of ``environment``, ``from-source`` and
    ``image``; ``environment_hash`` that of the lock it was built from. ``nar_hash`` is the SRI
    digest of the path's content as a Nix archive.
    """

    target: str
    output: str
    environment_hash: str
    store_path: str
    nar_hash: str


def realised_path(lock_path: _PathT) -> _PathT:
    """``pylock.docs.toml`` → ``pylock.docs.realised.json``."""
    return lock_path.with_name(lock_path.name.removesuffix(".toml") + ".realised.json")


def dump(outputs: Iterable[NixOutput]) -> str:
    """The file's text: entries sorted, same outputs same bytes."""
    entries = [
        {
            "environment-hash": o.environment_hash,
            "nar-hash": o.nar_hash,
            "output": o.output,
            "store-path": o.store_path,
            "target": o.target,
        }
        for o in sorted(outputs)
    ]
    return json.dumps({"format": FORMAT, "nix": entries}, indent=2) + "\n"


def parse(text: str, *, where: str) -> tuple[NixOutput, ...]:
    """The outputs in a file's text.

    Raises:
        UsageError: it is no such file, or of a newer format; names the entry.
    """
    try:
        table = json.loads(text)
    except ValueError as error:
        raise _wrong(str(error), where) from None
    if not isinstance(table, dict) or not isinstance(table.get("nix"), list):
        raise _wrong("no list of what Nix built", where)
    if table.get("format") != FORMAT:
        raise UsageError(
            f"format {table.get('format')!r} is not known", where=where, remedy="upgrade envlock"
        )
    return tuple(sorted(_output(entry, i, where) for i, entry in enumerate(table["nix"])))


def merged(outputs: Iterable[NixOutput], new: NixOutput) -> tuple[NixOutput, ...]:
    """``outputs`` with ``new`` in place of the one for the same target and output."""
    others = (o for o in outputs if (o.target, o.output) != (new.target, new.output))
    return tuple(sorted([*others, new]))


def _output(entry: Any, number: int, where: str) -> NixOutput:
    values = entry if isinstance(entry, dict) else {}
    for key, shape in _SHAPES.items():
        if not isinstance(values.get(key), str) or not shape.fullmatch(values[key]):
            raise _wrong(f"nix[{number}].{key} is missing or has another shape", where)
    return NixOutput(
        target=values["target"],
        output=values["output"],
        environment_hash=values["environment-hash"],
        store_path=values["store-path"],
        nar_hash=values["nar-hash"],
    )


def _wrong(what: str, where: str) -> UsageError:
    return UsageError(f"cannot be read: {what}", where=where, remedy="remove it, and build again")
