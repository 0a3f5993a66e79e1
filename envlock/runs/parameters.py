"""What a run was told: parameters given to envlock, in files, and on its own command line."""

from __future__ import annotations

import json
import os
import re

from envlock.errors import UsageError
from envlock.io import once

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_OPTION = re.compile(r"--([A-Za-z][\w.-]*)(?:=(.*))?", re.S)
_ASSIGNMENT = re.compile(r"\+{0,2}([A-Za-z_][\w.]*(?:/[\w.]+)*)=(.*)", re.S)
_NUMBER = re.compile(r"-[0-9.]")


def given(pairs: Iterable[str]) -> dict[str, Any]:
    """The values of ``--param name=value``; a number or truth is one.

    Raises:
        UsageError: no ``=``, no name, or a name twice with different values.
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--param {pair}: not of the form name=value")
        value = typed(text)
        if name in found and found[name] != value:
            raise UsageError(f"--param {name}: given twice, with different values")
        found[name.strip()] = value
    return found


def typed(text: str) -> Any:
    """``3`` is a number, ``true`` a truth, ``1e-3`` a number; the rest is text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        if re.fullmatch(r"[-+]?(?:(?:0|[1-9]\d*)(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?", text):
            value = float(text)
        else:
            return text
    if isinstance(value, float) and (value != value or abs(value) == float("inf")):
        return text
    return value if isinstance(value, bool | int | float) else text


def from_argv(argv: list[str]) -> dict[str, Any]:
    """What a command line says by ``--name value``, ``--name=value``, ``--flag``, ``name=value``.

    A guess by the usual habits: no program is asked. The options of the interpreter itself stand
    before the script and are no ``--name``; after ``--`` nothing is looked at.
    """
    return _sorted_out(argv)[0]


def arguments(argv: list[str]) -> list[str]:
    """What of a command line, without the program, ``from_argv`` makes no parameter of."""
    return _sorted_out(argv)[1]


def _sorted_out(argv: list[str]) -> tuple[dict[str, Any], list[str]]:
    found: dict[str, Any] = {}
    others: list[str] = []
    rest = argv[1:]
    taken = False
    for i, argument in enumerate(rest):
        if argument == "--":
            return found, others + rest[i:]
        option = _OPTION.fullmatch(argument)
        if option is not None:
            name, value = option[1], option[2]
            following = rest[i + 1] if i + 1 < len(rest) else "-"
            taken = False
            if value is not None:
                found[name] = typed(value)
            elif following.startswith("-") and not _NUMBER.match(following):
                found[name] = True
            else:
                found[name] = typed(following)
                taken = True
        elif (assigned := _ASSIGNMENT.fullmatch(argument)) and "://" not in argument:
            found[assigned[1]] = typed(assigned[2])
            taken = False
        elif taken:
            taken = False
        else:
            others.append(argument)
    return found, others


def from_file(path: str) -> dict[str, Any]:
    """The values of a JSON, TOML or YAML file, nested ones by dotted names.

    Raises:
        UsageError: it cannot be read, or holds no table.
    """
    try:
        content = once.read(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"cannot read: {reason}", where=path) from None
    try:
        values = _parsed(path, content)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"cannot be read: {error}", where=path) from None
    if not isinstance(values, dict):
        raise UsageError("no table of names and values", where=path)
    return flat(values)


def _parsed(path: str, content: bytes) -> Any:
    suffix = os.path.splitext(path)[1].lower()
    if suffix in (".yaml", ".yml"):
        from ruamel.yaml import YAML
        from ruamel.yaml.error import YAMLError

        try:
            return YAML(typ="safe", pure=True).load(content)
        except YAMLError as error:
            raise ValueError(str(error)) from None
    if suffix == ".toml":
        import tomllib

        return tomllib.loads(content.decode("utf-8"))
    return json.loads(content)


def flat(values: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, by dotted names; dates and the like as text."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict):
            found |= flat(value, f"{name}.")
        elif isinstance(value, list):
            found[name] = json.loads(json.dumps(value, default=str))
        elif value is None or isinstance(value, bool | int | float | str):
            found[name] = value
        else:
            found[name] = str(value)
    return found
