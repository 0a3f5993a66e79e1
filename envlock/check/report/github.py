"""Workflow commands of GitHub Actions: annotations at the lockfile's lines."""

from __future__ import annotations

from envlock.check.drift import Drift, Severity
from envlock.check.report.outcome import Outcome, told

_COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def write(outcome: Outcome) -> str:
    """A line per difference; empty where there is none."""
    return "".join(f"{_line(outcome, found)}\n" for found in outcome.judged.drift)


def _line(outcome: Outcome, found: Drift) -> str:
    file, line = outcome.place(found)
    properties = {
        "file": file,
        "line": str(line),
        "title": f"{found.code} {found.name}",
    }
    shown = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    text = f"{found.subject}: {told(found)} (to repair it: {found.remedy})"
    return f"::{_COMMANDS[found.severity]} {shown}::{_data(text)}"


def _data(text: str) -> str:
    """As the runner reads it back: these three end a command, or begin an escape."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
