"""``envlock runs show``: one run."""

from __future__ import annotations

from typing import Any

import click

from envlock.cli.context import Context
from envlock.cli.output import result, result_json
from envlock.cli.runs.common import Runs, json_option, length, meanwhile, run_argument, shell
from envlock.runs.facts import current, fact_value, one_line
from envlock.runs.record import Event


@click.command()
@run_argument
@json_option
@click.pass_obj
def show(context: Context, run: str, as_json: bool) -> None:
    """Show one run: its record, and what was said of it."""
    runs = Runs(context)
    table = runs.table(run)
    if as_json:
        result_json(table)
        return
    for line in _page(table, runs.wrote_too(table)):
        result(one_line(line))


def _page(table: dict[str, Any], shared: dict[str, tuple[str, ...]]) -> list[str]:
    """What a person wants to know first; all of it is in ``--json``.

    ``shared``: outputs that other runs wrote at the same time.
    """
    events = [Event(run=table["id"], **_fields(event)) for event in table["events"]]
    tags, outcome_ = current(table.get("tags", []), events)
    command_ = table.get("command") or {}
    lock = table.get("lock") or {}
    code = table.get("code") or {}
    environment = table.get("environment") or {}
    host = table.get("host") or {}
    rows: list[tuple[str, str | None]] = [
        ("run", table["id"]),
        ("why", table.get("why")),
        ("command", shell(command_.get("argv", []))),
        ("directory", command_.get("directory")),
        ("started", table.get("started")),
        ("took", length(table.get("duration")) or None),
        ("ended", _told_ending(table)),
        ("part of", table.get("group")),
        ("started by", table.get("parent")),
        ("repeats", table.get("repeats")),
        ("tags", " ".join(tags) or None),
        ("outcome", outcome_),
        ("environment", table.get("environment-hash") or lock.get("problem")),
        ("drift", _told_drift(environment, table)),
        ("commit", _told_code(code)),
        ("host", " · ".join(filter(None, (host.get("hostname"), host.get("os"))))),
    ]
    lines = [f"{name:<12} {value}" for name, value in rows if value]
    for name, parameter in sorted((table.get("parameters") or {}).items()):
        lines.append(f"{'parameter':<12} {name} = {fact_value(parameter['value'])}")
    for name, value in sorted((table.get("metrics") or {}).items()):
        lines.append(f"{'metric':<12} {name} = {fact_value(value)}")
    for kind in ("inputs", "outputs"):
        for fact in table.get(kind) or []:
            digest = fact.get("sha256", fact.get("problem", ""))[:12]
            flag = "  changed during the run" if fact.get("changed-during-run") else ""
            if kind == "outputs" and fact["path"] in shared:
                flag = f"  {meanwhile(shared[fact['path']])}"
            lines.append(f"{kind[:-1]:<12} {fact['path']}  {digest}{flag}")
    trace = table.get("trace") or {}
    lines += [f"{'removed':<12} {path}" for path in trace.get("removed", [])]
    if trace.get("network"):
        lines.append(f"{'network':<12} {_told_network(trace['network'])}")
    lines += [f"{'not seen':<12} {gap}" for gap in trace.get("gaps", [])]
    lines += [f"{'log':<12} {one['at'][11:19]} {one['text']}" for one in table.get("log", [])]
    lines += [f"{'problem':<12} {problem}" for problem in table.get("problems", [])]
    lines += [f"{'comment':<12} {e.at[:10]} {e.text}" for e in events if e.kind == "comment"]
    return lines


def _fields(event: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(v) if isinstance(v, list) else v for key, v in event.items()}


def _told_ending(table: dict[str, Any]) -> str:
    if table["state"] != "finished":
        told = {
            "running": "it is running",
            "killed": "no end was recorded: the recorder was killed",
            "unknown": "no end was recorded; it was started on another machine",
        }
        return told[table["state"]]
    found = table["exit"]
    if "code" in found:
        return f"exit code {found['code']}"
    return str(found.get("name") or f"it could not be started: {found.get('error')}")


def _told_drift(environment: dict[str, Any], table: dict[str, Any]) -> str | None:
    drift = environment.get("drift")
    if not drift:
        return None if drift is None else "none"
    names = sorted({one["subject"] for one in drift})
    told = f"{len(drift)}: {', '.join(names[:5])}{', …' if len(names) > 5 else ''}"
    prefix = (environment.get("python") or {}).get("prefix")
    root = (table.get("recorder") or {}).get("root")
    if prefix is None or (root is not None and prefix.startswith(f"{root}/.venv")):
        return told
    return f"{told} (in {prefix})"


def _told_network(contacts: list[dict[str, Any]]) -> str:
    """The first addresses; of sockets that are files, their paths."""
    names = []
    for one in contacts:
        name = f"{one['address']} port {one['port']}" if one["port"] else one["address"]
        names.append(f"{name} ({one['contact']})")
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _told_code(code: dict[str, Any]) -> str | None:
    if not code.get("commit"):
        return None
    changed = len(code.get("changed", [])) + len(code.get("untracked", []))
    files = "file" if changed == 1 else "files"
    return f"{code['commit']}" + (f" and {changed} changed or new {files}" if changed else "")
