"""Runs side by side: one column for each thing that is not the same in all of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from envlock.runs.difference import Layer, by_layer
from envlock.runs.parameters import arguments
from envlock.runs.record import ending


class Part(StrEnum):
    """What a column is about, in the order of a table: what was tried, what came of it, why."""

    PARAMETERS = "parameters"
    METRICS = "metrics"
    EXIT = "exit"
    CODE = "code"
    ENVIRONMENT = "environment"
    DATA = "data"
    COMMAND = "command"
    HOST = "host"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One thing and its value in each run, in the runs' order; None is nothing."""

    part: Part
    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Whether the runs do not all have the same value."""
        return len({_key(value) for value in self.values}) > 1


_PARTS = {
    Part.PARAMETERS: Layer.PARAMETERS,
    Part.CODE: Layer.CODE,
    Part.ENVIRONMENT: Layer.ENVIRONMENT,
    Part.DATA: Layer.DATA,
    Part.HOST: Layer.HOST,
}


def columns(
    records: Sequence[Mapping[str, Any]],
    *,
    blob: Callable[[str], bytes],
    parts: Iterable[Part] = tuple(Part),
    everything: bool = False,
) -> tuple[Column, ...]:
    """What tells runs from one another.

    Args:
        records: the runs' records; the values of a column follow their order.
        blob: content by digest, for lists of packages; raises OSError where it is not there.
        parts: which parts are looked at; their order is always that of ``Part``.
        everything: also what is the same in all runs.
    """
    tables = [_by_part(record, blob) for record in records]
    found = []
    for part in sorted(set(parts), key=list(Part).index):
        names = sorted({name for table in tables for name in table[part]})
        for name in names:
            values = tuple(table[part].get(name) for table in tables)
            column = Column(part=part, name=name, values=values)
            if everything or column.differs:
                found.append(column)
    return tuple(found)


def _by_part(record: Mapping[str, Any], blob: Callable[[str], bytes]) -> dict[Part, dict[str, Any]]:
    layers = by_layer(record, blob=blob)
    found = {part: layers[layer] for part, layer in _PARTS.items()}
    found[Part.METRICS] = dict(record.get("metrics") or {})
    found[Part.EXIT] = {"exit": ending(record) or record.get("state")}
    found[Part.COMMAND] = _command(record)
    told = ("exit", *(f"metric {name}" for name in found[Part.METRICS]))
    result = layers[Layer.RESULT]
    found[Part.OUTPUT] = {
        name.removeprefix("output "): value for name, value in result.items() if name not in told
    }
    return found


def _command(record: Mapping[str, Any]) -> dict[str, Any]:
    """The command without the options that stand among the parameters already."""
    command = record.get("command") or {}
    argv = command.get("argv") or []
    return {"argv": [*argv[:1], *arguments(argv)], "directory": command.get("directory")}


def _key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
