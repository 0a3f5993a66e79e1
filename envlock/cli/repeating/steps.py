"""The steps of ``envlock runs repeat``, and what they know of one another."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envlock.cli.context import Context
from envlock.cli.output import reporting, say
from envlock.cli.repeating.environment import Ready, Ways, in_place, of_lock
from envlock.cli.runs.common import Runs
from envlock.errors import SourceError, UsageError
from envlock.io.child import Child, Stream
from envlock.io.git import checkout
from envlock.io.host import host_facts
from envlock.runs.difference import Difference, Layer, differences
from envlock.runs.folder import RUNS, FolderStore
from envlock.runs.ids import new_id
from envlock.runs.judge.findings import Tolerance, Verdict
from envlock.runs.place import Place
from envlock.runs.record import parse
from envlock.runs.repeat.code import Missing
from envlock.runs.repeat.data import Finder
from envlock.runs.repeat.host import HostDifference, Pins, host_differences, pins
from envlock.runs.repeat.prepare import (
    Prepared,
    find_lock,
    job,
    left_out,
    overwritten,
    own_root,
    prepare,
    uses_environment,
    variables,
)
from envlock.runs.repeat.verdict import Judged, judge, whole

_CAUSES = (Layer.CODE, Layer.ENVIRONMENT, Layer.DATA)


class Repeat:
    """One repeat. ``verdict`` is None until it was run and judged."""

    def __init__(self, context: Context, run: str, ways: Ways, *, pin_host: bool) -> None:
        self._context = context
        self._ways = ways
        self._runs = Runs(context)
        self.home = self._runs.place.root
        self.record: dict[str, Any] = self._runs.table(run)
        if self.record["state"] != "finished" or "error" in self.record["exit"]:
            raise UsageError(
                "the run has no end that another one could be compared with",
                where=self.record["id"],
            )
        argv = self.record["command"]["argv"]
        if "cells" in self.record or any("ipykernel" in word for word in argv):
            raise UsageError(
                "the run was a part of a notebook's session, which nobody can give again",
                where=self.record["id"],
                remedy="run the whole notebook: envlock run -- papermill IN.ipynb OUT.ipynb",
            )
        self.pinned: Pins | None = None
        if pin_host:
            self.pinned = pins(self.record, host_facts(os.environ))
        self.missing: tuple[Missing, ...] = ()
        self.environment = Ready(prefix=None, told="")
        self.prepared: Prepared | None = None
        self.kept: str | None = None
        self.after: dict[str, Any] | None = None
        self.judged: tuple[Judged, ...] = ()
        self.verdict: Verdict | None = None
        self.host: tuple[HostDifference, ...] = ()
        self.causes: tuple[Difference, ...] = ()
        self.shared: dict[str, tuple[str, ...]] = {}

    @contextlib.contextmanager
    def folder(self, into: Path | None, *, keep: bool) -> Iterator[None]:
        """The folder in which all takes place; gone afterwards unless it is to be kept."""
        if into is not None:
            made = self._context.directory / into
            try:
                made.mkdir(parents=True, exist_ok=True)
                occupied = any(made.iterdir())
            except OSError as error:
                raise UsageError(f"cannot be used: {error.strerror}", where=str(into)) from None
            if occupied:
                raise UsageError("the folder is not empty", where=str(into))
        else:
            made = Path(tempfile.mkdtemp(prefix="envlock-repeat-"))
        self._folder = str(made.resolve())
        try:
            yield
            if into is not None or keep:
                self.kept = self._folder
        finally:
            if self.kept is None and into is None:
                shutil.rmtree(self._folder, ignore_errors=True)

    def prepare(self, *, dry: bool) -> None:
        """Put code, inputs and environment there; ``missing`` says what is not to be had."""
        work = f"{self._folder}/work"
        with reporting(self._context) as reporter:
            self.prepared = prepare(
                self.record,
                work,
                home=self.home,
                blob=self._runs.blob,
                folders=tuple(str(folder) for folder in self._ways.places.bundles),
                dry=dry,
                step=reporter.step,
            )
            self.missing = self.prepared.missing
        self._lock = f"{self.prepared.where.root}/{self.record['lock']['path']}"
        if not self.missing or dry:
            self.environment = self._environment(dry=dry)
            self.missing += self.environment.missing
        for path in overwritten(self.record):
            reason = "outside of the project; what is there would be overwritten"
            what = f"a place for the result {path}"
            self.missing += (Missing(what=what, tried=(reason,), remedy="move that away"),)

    def _environment(self, *, dry: bool) -> Ready:
        record, where = self.record, self._where()
        if "sha256" not in record["lock"] or "environment-hash" not in record:
            return in_place(record)
        if not uses_environment(record):
            return Ready(prefix=None, told="a lock that the command did not use: this machine")
        text = find_lock(record, home=self.home, blob=self._runs.blob)
        if isinstance(text, Missing):
            return Ready(prefix=None, told="gone", missing=(text,))
        aside = self._inside() or f"{self._folder}/environment"
        ready = of_lock(
            self._context,
            record,
            text,
            Path(self._lock),
            Path(aside),
            self._ways,
            blob=self._runs.blob,
            dry=dry,
        )
        if ready.prefix is None or str(ready.prefix) == aside:
            return ready
        link = self._inside()
        if link is None:
            return ready
        # Programs find it where it was: `.venv/bin/python` of a script, a Makefile.
        Path(link).parent.mkdir(parents=True, exist_ok=True)
        Path(link).symlink_to(ready.prefix)
        checkout.exclude(where.top, os.path.relpath(link, where.top))
        return Ready(prefix=Path(link), told=ready.told)

    def _inside(self) -> str | None:
        """Where the environment was, if that was inside of the project."""
        old = (self.record.get("environment") or {}).get("python", {}).get("prefix")
        root = own_root(self.record, self.home)
        if old is None or not old.startswith(root.rstrip("/") + "/"):
            return None
        return f"{self._where().root}/{os.path.relpath(old, root)}"

    def _where(self) -> Any:
        assert self.prepared is not None  # noqa: S101 - narrows the type
        return self.prepared.where

    def perform(self) -> None:
        """Run it, as ``envlock run`` does; its record goes to the project's others."""
        assert self.prepared is not None  # noqa: S101 - narrows the type
        run = new_id(time.time())
        old = (self.record.get("environment") or {}).get("python", {}).get("prefix")
        places = {own_root(self.record, self.home): self._where().root}
        prefix = None if self.environment.prefix is None else str(self.environment.prefix)
        if old is not None and prefix is not None and self._inside() is None:
            places[old] = prefix
        told = job(
            self.record,
            self.prepared,
            run=run,
            home=self.home,
            lock=self._lock,
            places=places,
            processors=self.pinned.processors if self.pinned else None,
        )
        order = f"{self._folder}/job.json"
        Path(order).write_text(json.dumps(told, indent=1, sort_keys=True), encoding="utf-8")
        say(self._context, f"repeating {self.record['id']} as {run}")
        both = "both" in (self.record.get("output") or {})
        # Results go to stdout; what the program says there is no result of this command.
        passing = [Stream(("stdout", "stderr") if both else ("stdout",), 2, lambda _piece: None)]
        chosen = variables(self.record, os.environ, prefix=prefix, pinned=self.pinned)
        child = Child(
            [sys.executable, "-I", "-m", "envlock.cli.repeating.job", order], chosen, passing
        )
        try:
            child.wait()
        finally:
            child.forget_signals()
            child.release()
        self.after = self._recorded(run)
        ended = self.after["exit"]
        if child.asked_to_end is not None and ended != self.record["exit"]:
            say(self._context, f"interrupted: {run} was cut short, and is not judged")
            raise SystemExit(128 + child.asked_to_end)
        self._add_inner(run)

    def _recorded(self, run: str) -> dict[str, Any]:
        place = Place(self.home, self._lock)
        for folder in (place.records, place.fallback, f"{tempfile.gettempdir()}/envlock"):
            with contextlib.suppress(OSError):
                return parse(FolderStore(folder).read("runs", run), where=run)
        raise SourceError("the repeat left no record", where=run)

    def _add_inner(self, run: str) -> None:
        """What a program records itself (``with envlock.run()``) are metrics of the repeat."""
        assert self.after is not None  # noqa: S101 - narrows the type
        store = FolderStore(Place(self._where().root, self._lock).records)
        for part in store.partitions(RUNS):
            for name in store.members(RUNS, part):
                inner = parse(store.read(RUNS, name), where=name)
                if inner.get("parent") == run:
                    self.after["metrics"] = (self.after.get("metrics") or {}) | inner["metrics"]

    def judge(self, tolerance: Tolerance) -> None:
        """Compare what came of it, and what may be the cause."""
        assert self.after is not None  # noqa: S101 - narrows the type
        pythons = [sys.executable]
        if self.environment.prefix is not None:
            pythons.insert(0, str(self.environment.prefix / "bin" / "python"))
        self.judged = judge(
            self.record,
            self.after,
            tolerance,
            finder=Finder(self.home, self._runs.blob),
            root=self._where().root,
            pythons=tuple(pythons),
        )
        self.verdict = whole(self.judged)
        if self.verdict is Verdict.DIFFERENT:
            self.shared = self._runs.wrote_too(self.record)
        self.host = host_differences(self.record, self.after)
        found = differences(self.record, self.after, blob=self._runs.blob)
        self.causes = tuple(d for d in found if d.layer in _CAUSES and not _same_version(d))

    def left(self) -> str | None:
        """Changes of code that the run itself had made."""
        left = self.prepared.code.left if self.prepared else ()
        return left_out(left) if left else None


def _same_version(found: Difference) -> bool:
    """Whether only RECORD differs, which names the folder that a package's scripts are for."""
    pair = [str(v).partition(" (RECORD ")[0] for v in (found.before, found.after)]
    return found.layer is Layer.ENVIRONMENT and pair[0] == pair[1]
