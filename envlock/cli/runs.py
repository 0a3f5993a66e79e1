"""``envlock runs``: look at what was run, and say something of it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import click

from envlock.cli.context import Context
from envlock.cli.output import result, result_json, say
from envlock.cli.runs_repeat import repeat
from envlock.cli.style import style
from envlock.errors import UsageError
from envlock.io.files import disk_error
from envlock.runs.facts import current, fact_value
from envlock.runs.folder import FolderStore
from envlock.runs.ids import instant, new_id
from envlock.runs.index import Index, Question, Summary
from envlock.runs.parameters import typed
from envlock.runs.place import find_place
from envlock.runs.record import OUTCOMES, Event, parse, state_of_note

_EPILOG = """\b
Examples:
  envlock runs list --tag paper --failed
  envlock runs show last
  envlock runs diff last~1 last     # why do they differ?
  envlock runs comment 3f9a0c "the learning rate was too high"
  envlock runs tag last baseline
  envlock runs outcome last good
  envlock runs search "smaller batches"
  envlock runs repeat last          # is the result the same?

RUN is an id, the beginning of one or of its random part, or `last` (`last~1`: the one before)."""

_json = click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
_run = click.argument("run", metavar="RUN")


@click.group(epilog=_EPILOG)
def command() -> None:
    """Look at what was run, and say something of it."""


command.add_command(repeat)


class _Runs:
    """The project's stores and their index."""

    def __init__(self, context: Context) -> None:
        self.place = find_place(str(context.directory), None)
        stores = [FolderStore(self.place.records)]
        if os.path.isdir(self.place.fallback):  # noqa: PTH112
            stores.append(FolderStore(self.place.fallback))
        self.stores = {store.name: store for store in stores}
        self.index = Index(stores, key=self.place.root)
        for name, problem in self.index.damaged():
            say(context, f"{style('note', 'bold cyan')}: {name} cannot be read: {problem}")

    def table(self, run: str) -> dict[str, Any]:
        """The record that ``run`` means, with what was said of it later."""
        id_, store, kind = self.index.find(run)
        try:
            table = parse(self.stores[store].read(kind, id_), where=id_)
        except OSError as error:
            raise UsageError(f"cannot be read: {error.strerror}", where=id_) from None
        if kind != "runs":
            table["state"] = state_of_note(table.get("recorder") or {})
        table["events"] = [_event_json(event) for event in self.index.events(id_)]
        return table

    def blob(self, sha256: str) -> bytes:
        """What was kept under a digest, in any of the stores; OSError where none has it."""
        for store in self.stores.values():
            try:
                return store.blob(sha256)
            except FileNotFoundError:
                continue
        raise FileNotFoundError(sha256)

    def add(self, run: str, kind: str, **fields: Any) -> Event:
        """Keep an event in the store that has the run."""
        id_, store, _ = self.index.find(run)
        now = time.time()
        event = Event(id=new_id(now), run=id_, kind=kind, at=instant(now), **fields)
        try:
            self.stores[store].add_event(event.id, event.dump())
        except OSError as error:
            raise disk_error(error, Path(store)) from None
        return event


@command.command("list")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, help="How many (20).")
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.option("--tag", metavar="TAG", multiple=True, help="With this tag; may be repeated.")
@click.option("--group", metavar="GROUP", help="Parts of this group.")
@click.option("--param", metavar="K=V", multiple=True, help="With this parameter.")
@click.option("--env", metavar="HASH", help="In the environment with this hash.")
@click.option("--commit", metavar="ID", help="Of this commit (40 digits).")
@click.option("--outcome", metavar="WORD", help="That turned out so.")
@click.option("--failed", is_flag=True, help="That ended with an error.")
@click.option("--since", metavar="DATE", help="Started then (UTC) or later: 2026-03-01.")
@click.option("--until", metavar="DATE", help="Started before then (UTC).")
@_json
@click.pass_obj
def list_(
    context: Context,
    limit: int,
    everything: bool,
    tag: tuple[str, ...],
    group: str | None,
    param: tuple[str, ...],
    env: str | None,
    commit: str | None,
    outcome: str | None,
    failed: bool,
    since: str | None,
    until: str | None,
    as_json: bool,
) -> None:
    """List runs, the newest first."""
    single = {"group": group, "environment": env, "commit": commit, "outcome": outcome}
    facts = [f"tag={one}" for one in tag]
    facts += [f"{name}={value}" for name, value in single.items() if value is not None]
    facts += [_parameter_fact(one) for one in param]
    facts += ["ended=failed"] if failed else []
    question = Question(
        facts=tuple(facts),
        since=_instant("--since", since),
        until=_instant("--until", until),
        limit=None if everything else limit,
    )
    _show_list(context, question, as_json=as_json)


@command.command()
@click.argument("text")
@click.option("-n", "--limit", type=click.IntRange(min=1), default=20, help="How many (20).")
@_json
@click.pass_obj
def search(context: Context, text: str, limit: int, as_json: bool) -> None:
    """List runs with TEXT in the command, the reason, a tag or a comment."""
    _show_list(context, Question(text=text, limit=limit), as_json=as_json)


@command.command()
@_run
@_json
@click.pass_obj
def show(context: Context, run: str, as_json: bool) -> None:
    """Show one run: its record, and what was said of it."""
    table = _Runs(context).table(run)
    if as_json:
        result_json(table)
        return
    for line in _page(table):
        result(_line(line))


@command.command()
@click.argument("before", metavar="A")
@click.argument("after", metavar="B", default="last")
@_json
@click.pass_obj
def diff(context: Context, before: str, after: str, as_json: bool) -> None:
    """Show why two runs differ: code, environment, data, parameters, host; then the results."""
    from envlock.runs.difference import differences

    runs = _Runs(context)
    one, other = runs.table(before), runs.table(after)
    found = differences(one, other, blob=runs.blob)
    if as_json:
        rows = [
            {"after": d.after, "before": d.before, "layer": d.layer.value, "subject": d.subject}
            for d in found
        ]
        result_json({"after": other["id"], "before": one["id"], "differences": rows})
        return
    say(context, f"{one['id']} → {other['id']}")
    if not found:
        say(context, "no difference in what was recorded")
    layer = None
    for entry in found:
        if entry.layer is not layer:
            layer = entry.layer
            result(style(layer.value, "bold"))
        shown = [
            _line(fact_value(value)) if value is not None else "nothing"
            for value in (entry.before, entry.after)
        ]
        result(f"  {_line(entry.subject)}: {_short(shown[0])} → {_short(shown[1])}")


def _short(text: str) -> str:
    return text if len(text) <= 72 else f"{text[:70]}…"


@command.command()
@_run
@click.argument("text")
@_json
@click.pass_obj
def comment(context: Context, run: str, text: str, as_json: bool) -> None:
    """Say something of a run."""
    _said(context, _Runs(context).add(run, "comment", text=text), as_json=as_json)


@command.command()
@_run
@click.argument("tags", metavar="TAG...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take them away.")
@_json
@click.pass_obj
def tag(context: Context, run: str, tags: tuple[str, ...], remove: bool, as_json: bool) -> None:
    """Give a run tags, or take some away."""
    chosen = {"remove" if remove else "add": tuple(sorted(set(tags)))}
    _said(context, _Runs(context).add(run, "tag", **chosen), as_json=as_json)


@command.command()
@_run
@click.argument("word", metavar=f"{'|'.join(OUTCOMES)}|WORD")
@_json
@click.pass_obj
def outcome(context: Context, run: str, word: str, as_json: bool) -> None:
    """Say how a run turned out; the last word counts."""
    _said(context, _Runs(context).add(run, "outcome", text=word), as_json=as_json)


def _parameter_fact(pair: str) -> str:
    name, equals, value = pair.partition("=")
    if not equals:
        raise click.UsageError(f"--param {pair}: not of the form name=value")
    return f"param.{name}={fact_value(typed(value))}"


def _instant(option: str, text: str | None) -> str | None:
    """A day or an instant, as records have it: texts of one form compare as their times do."""
    if text is None:
        return None
    from datetime import UTC, datetime

    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise click.UsageError(f"{option} {text}: no date like 2026-03-01") from None
    found = found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    return instant(found.timestamp())


def _show_list(context: Context, question: Question, *, as_json: bool) -> None:
    found = _Runs(context).index.select(question)
    if as_json:
        result_json({"runs": [_summary_json(one) for one in found]})
        return
    if not found:
        say(context, "no runs")
        return
    rows = [
        (
            one.id[-12:],
            f"{one.started[:10]} {one.started[11:19]}",
            _length(one.duration),
            one.ending if one.state == "finished" else one.state,
            _line(" ".join((*one.tags, *([one.outcome] if one.outcome else [])))),
            _line(one.why) if one.why else _shell(one.argv),
        )
        for one in found
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(5)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        result("  ".join([*(cell for cell in cells if cell), row[5]]).rstrip())


def _length(seconds: float | None) -> str:
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _shell(argv: tuple[str, ...] | list[str]) -> str:
    """One line, whatever stands in the arguments."""
    import shlex

    return _line(shlex.join(argv))


def _line(text: str) -> str:
    """What others wrote, in one line and without a terminal's control codes."""
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _summary_json(one: Summary) -> dict[str, Any]:
    return {
        "argv": list(one.argv),
        "commit": one.commit,
        "duration": one.duration,
        "ended": one.ending or None,
        "environment-hash": one.environment_hash,
        "group": one.group,
        "id": one.id,
        "metrics": one.metrics,
        "outcome": one.outcome,
        "started": one.started,
        "state": one.state,
        "tags": list(one.tags),
        "why": one.why or None,
    }


def _event_json(event: Event) -> dict[str, Any]:
    table: dict[str, Any] = {"at": event.at, "id": event.id, "kind": event.kind}
    if event.kind == "tag":
        return table | {"add": list(event.add), "remove": list(event.remove)}
    return table | {"text": event.text}


def _said(context: Context, event: Event, *, as_json: bool) -> None:
    if as_json:
        result_json(_event_json(event) | {"run": event.run})
    else:
        say(context, f"{event.kind} of {event.run} kept")


def _page(table: dict[str, Any]) -> list[str]:
    """What a person wants to know first; all of it is in ``--json``."""
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
        ("command", _shell(command_.get("argv", []))),
        ("directory", command_.get("directory")),
        ("started", table.get("started")),
        ("took", _length(table.get("duration")) or None),
        ("ended", _told_ending(table)),
        ("part of", table.get("group")),
        ("started by", table.get("parent")),
        ("repeats", table.get("repeats")),
        ("tags", " ".join(tags) or None),
        ("outcome", outcome_),
        ("environment", table.get("environment-hash") or lock.get("problem")),
        ("drift", _told_drift(environment.get("drift"))),
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
            lines.append(f"{kind[:-1]:<12} {fact['path']}  {digest}{flag}")
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


def _told_drift(drift: list[dict[str, Any]] | None) -> str | None:
    if drift is None:
        return None
    names = ", ".join(sorted({one["subject"] for one in drift})[:5])
    return f"{len(drift)}: {names}" if drift else "none"


def _told_code(code: dict[str, Any]) -> str | None:
    if not code.get("commit"):
        return None
    changed = len(code.get("changed", [])) + len(code.get("untracked", []))
    return f"{code['commit']}" + (f" and {changed} changed or new files" if changed else "")
