"""Why two runs differ: what is not the same in their records, causes before effects."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Layer(StrEnum):
    """What a difference is about, in the order in which one looks for the reason."""

    CODE = "code"
    ENVIRONMENT = "environment"
    DATA = "data"
    PARAMETERS = "parameters"
    COMMAND = "command"
    HOST = "host"
    RESULT = "result"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that differs. None is nothing: not there, or not known.

    ``subject`` is a file, a package (``numpy``, ``os:libgomp1:amd64``), a name.
    """

    layer: Layer
    subject: str
    before: Any
    after: Any


Table = Mapping[str, Any]


def differences(
    before: Table, after: Table, *, blob: Callable[[str], bytes]
) -> tuple[Difference, ...]:
    """Where two records differ.

    Args:
        before: a record.
        after: another one.
        blob: content by digest, for lists of packages; raises OSError where it is not there.
    """
    found: list[Difference] = []
    ones, others = by_layer(before, blob=blob), by_layer(after, blob=blob)
    for layer in Layer:
        one, other = ones[layer], others[layer]
        found += [
            Difference(layer=layer, subject=name, before=one.get(name), after=other.get(name))
            for name in sorted(one.keys() | other.keys())
            if one.get(name) != other.get(name)
        ]
    return tuple(found)


def by_layer(record: Table, *, blob: Callable[[str], bytes]) -> dict[Layer, dict[str, Any]]:
    """What a record says that can differ from another one's: by layer, by subject.

    Args:
        record: a record.
        blob: content by digest, as for ``differences``.
    """
    return {
        Layer.CODE: _code(record),
        Layer.ENVIRONMENT: _environment(record, blob),
        Layer.DATA: _files(record, "inputs"),
        Layer.PARAMETERS: _parameters(record),
        Layer.COMMAND: _command(record),
        Layer.HOST: _flat(record.get("host") or {}),
        Layer.RESULT: _result(record),
    }


def _code(record: Table) -> dict[str, Any]:
    code = record.get("code") or {}
    found = {name: code[name] for name in ("commit", "diff", "directory") if code.get(name)}
    for number, cell in enumerate(record.get("cells") or [], 1):
        found[f"cell {number}"] = cell.get("sha256") or cell.get("not-kept")
    made = _made_in_tree(record)
    for entry in code.get("untracked") or []:
        if entry["path"] in made:
            continue  # left by an earlier run, and a result of this one: no reason
        found[entry["path"]] = entry.get("sha256") or f"{entry['size']} bytes, not kept"
    return found


def _made_in_tree(record: Table) -> set[str]:
    """The run's outputs, by paths from the top of the work tree."""
    below = _steps((record.get("code") or {}).get("directory"))
    inside = _steps((record.get("command") or {}).get("directory"))
    root = below[: len(below) - len(inside)]
    return {"/".join([*root, fact["path"]]) for fact in record.get("outputs") or []}


def _steps(path: str | None) -> list[str]:
    return [step for step in (path or ".").split("/") if step != "."]


def _environment(record: Table, blob: Callable[[str], bytes]) -> dict[str, Any]:
    environment = record.get("environment") or {}
    python = environment.get("python") or {}
    found: dict[str, Any] = {
        "environment-hash": record.get("environment-hash"),
        "python": python.get("version"),
        "blas": environment.get("blas"),
    }
    for name, version, digest in _packages(python, blob):
        found[name] = f"{version} (RECORD {digest[:12]})" if digest else version
    for name, architecture, version, state in _packages(environment.get("os") or {}, blob):
        shown = version if state == "installed" else f"{version} ({state})"
        found[f"os:{name}:{architecture}"] = shown
    return found


def _packages(table: Table, blob: Callable[[str], bytes]) -> list[list[str]]:
    sha256 = table.get("packages-sha256")
    if sha256 is None:
        return []
    try:
        rows: list[list[str]] = json.loads(blob(sha256))
    except (OSError, ValueError):
        return []
    return rows


def _files(record: Table, kind: str) -> dict[str, Any]:
    return {
        fact["path"]: fact.get("sha256") or fact.get("problem") for fact in record.get(kind) or []
    }


def _parameters(record: Table) -> dict[str, Any]:
    return {name: one["value"] for name, one in (record.get("parameters") or {}).items()}


def _command(record: Table) -> dict[str, Any]:
    command = record.get("command") or {}
    return {name: command[name] for name in ("argv", "directory") if name in command}


def _result(record: Table) -> dict[str, Any]:
    """What came of it: an effect, but what one wants to see beside the causes."""
    found: dict[str, Any] = {"exit": record.get("exit")}
    found |= {f"metric {name}": value for name, value in (record.get("metrics") or {}).items()}
    found |= {f"output {path}": value for path, value in _files(record, "outputs").items()}
    for name, stream in (record.get("output") or {}).items():
        if "sha256" in stream:
            found[name] = stream["sha256"]
    return found


def _flat(table: Table, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in table.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{prefix}{name}.")
        else:
            found[f"{prefix}{name}"] = value
    return found
