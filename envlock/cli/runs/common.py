"""What the parts of ``envlock runs`` share: the project's records, and how things are told."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Any

import click

from envlock.cli.context import Context
from envlock.cli.output import say
from envlock.cli.style import style
from envlock.errors import EnvlockError, UsageError
from envlock.io.files import disk_error
from envlock.runs.facts import one_line
from envlock.runs.folder import RUNS, FolderStore
from envlock.runs.ids import instant, new_id
from envlock.runs.index import Index, Summary
from envlock.runs.notes import so_far
from envlock.runs.place import find_place
from envlock.runs.record import Event, parse, state_of_note

json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")
run_argument = click.argument("run", metavar="RUN")


class Runs:
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
            table |= so_far(self.stores[store].notes(id_))
        table["events"] = [event_json(event) for event in self.index.events(id_)]
        return table

    def wrote_too(self, table: dict[str, Any]) -> dict[str, tuple[str, ...]]:
        """Outputs of a run that others wrote while it ran, with the ids of these."""
        from envlock.runs.together import wrote_too

        def read(one: Summary) -> dict[str, Any]:
            with contextlib.suppress(OSError, EnvlockError):
                return parse(self.stores[one.store].read(RUNS, one.id), where=one.id)
            return {}  # it went away meanwhile

        return wrote_too(table, index=self.index, read=read)

    def content(self, run: str) -> bytes:
        """The bytes of a record, or of the note where there is no record."""
        id_, store, kind = self.index.find(run)
        return self.stores[store].read(kind, id_)

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


def length(seconds: float | None) -> str:
    """A time in words: ``0.25 s``, ``1:02:03``; nothing where it is not known."""
    if seconds is None:
        return ""
    if seconds < 60:
        return f"{seconds:.2f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def meanwhile(runs: tuple[str, ...]) -> str:
    """That other runs wrote a file: its content may be theirs."""
    names = ", ".join(run.rpartition("-")[2] for run in runs[:3])
    more = f" and {len(runs) - 3} more runs" if len(runs) > 3 else ""
    return f"written by {names}{more}, too, at the same time"


def shell(argv: tuple[str, ...] | list[str]) -> str:
    """One line, whatever stands in the arguments."""
    import shlex

    return one_line(shlex.join(argv))


def short(text: str) -> str:
    """At most 72 characters of it."""
    return text if len(text) <= 72 else f"{text[:70]}…"


def event_json(event: Event) -> dict[str, Any]:
    """What was said of a run, for ``--json``."""
    table: dict[str, Any] = {"at": event.at, "id": event.id, "kind": event.kind}
    if event.kind == "tag":
        return table | {"add": list(event.add), "remove": list(event.remove)}
    return table | {"text": event.text}
