"""What runs are found by: their facts, and what was said of them later."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from envlock.runs.record import Event, ending


def current(tags: Sequence[str], events: Iterable[Event]) -> tuple[list[str], str | None]:
    """A run's tags and outcome after all that was said of it."""
    found = set(tags)
    outcome = None
    for event in events:
        if event.kind == "tag":
            found = (found | set(event.add)) - set(event.remove)
        elif event.kind == "outcome":
            outcome = event.text or None
    return sorted(found), outcome


def facts_of(table: dict[str, Any]) -> list[str]:
    """What a record can be found by."""
    found = [f"tag={tag}" for tag in table.get("tags", [])]
    end = ending(table)
    found.append(f"ended={'ok' if end == '0' else 'failed' if end else 'no'}")
    code = table.get("code") or {}
    single = {
        "group": table.get("group"),
        "environment": table.get("environment-hash"),
        "commit": code.get("commit"),
        "parent": table.get("parent"),
    }
    found += [f"{name}={value}" for name, value in single.items() if value]
    for name, parameter in (table.get("parameters") or {}).items():
        found.append(f"param.{name}={fact_value(parameter.get('value'))}")
    return [carried(fact) for fact in found]


def carried(text: str) -> str:
    """``text`` with escapes for what SQLite cannot carry: lone surrogates and NULs."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\0")


def fact_value(value: Any) -> str:
    """A parameter's value as a fact has it: ``0.1``, ``true``, text as it is."""
    return value if isinstance(value, str) else json.dumps(value)


def one_line(text: str) -> str:
    """What others wrote, in one line and without a terminal's control codes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)
