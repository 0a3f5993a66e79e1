"""A recorded run, made ready to be run again in a folder of its own."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from envlock.io.git import checkout
from envlock.runs.repeat.code import (
    BLOBS,
    Code,
    Layout,
    Missing,
    layout,
    real_name,
    restore_code,
)
from envlock.runs.repeat.data import Finder, Had
from envlock.runs.repeat.host import Pins
from envlock.runs.secrets import HIDDEN

Table = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What a repeat has: folders, code, inputs, and what it has not."""

    where: Layout
    code: Code
    inputs: tuple[Had, ...]
    missing: tuple[Missing, ...]


def prepare(
    record: Table,
    folder: str,
    *,
    home: str,
    blob: Callable[[str], bytes],
    folders: Sequence[str] = (),
    dry: bool,
    step: Callable[[str], None],
) -> Prepared:
    """Put code and inputs of a run into ``folder``, which is empty.

    Args:
        record: of the run.
        folder: where to.
        home: the project's own folder; only read.
        blob: content by digest; OSError where it is not there.
        folders: others that may have inputs.
        dry: only look whether inputs can be had; code is put there all the same.
        step: told what is done.

    Raises:
        SourceError: git fails.
    """
    where = layout(record, folder)
    step("code")
    code = restore_code(record, where, home=home, blob=blob)
    finder = Finder(home, blob, folders)
    inputs: list[Had] = []
    missing = [*_command(record), *code.missing]
    for fact in record.get("inputs") or ():
        step(f"input {fact['path']}")
        found = finder.place_input(fact, where.root, dry=dry)
        if isinstance(found, Had):
            inputs.append(found)
        else:
            missing.append(found)
    if not dry:
        _folders(record, where)
    return Prepared(where=where, code=code, inputs=tuple(inputs), missing=tuple(missing))


def _folders(record: Table, where: Layout) -> None:
    """Make the folders of results that were there before the run: those that it did not make."""
    made = {real_name(path) for path in (record.get("trace") or {}).get("folders") or ()}
    for fact in record.get("outputs") or ():
        parts = real_name(fact["path"]).split("/")[:-1]
        if parts[:1] == [""]:
            continue  # outside of the project
        for count in range(1, len(parts) + 1):
            path = "/".join(parts[:count])
            if path in made:
                break
            os.makedirs(os.path.join(where.root, path), exist_ok=True)


def _command(record: Table) -> list[Missing]:
    argv = record["command"]["argv"]
    hidden = [number for number, text in enumerate(argv) if HIDDEN in text]
    reason = "it looked like a secret and was not written down"
    return [Missing(what=f"argument {number} of the command", tried=(reason,)) for number in hidden]


def find_lock(record: Table, *, home: str, blob: Callable[[str], bytes]) -> bytes | Missing:
    """The lockfile of a run, by its digest: kept, in place, or in git's history."""
    lock = record["lock"]
    sha256, path = lock["sha256"], lock["path"]
    tried = []
    try:
        content = blob(sha256)
        if hashlib.sha256(content).hexdigest() == sha256:
            return content
        tried.append("the records' blobs: other content")
    except (OSError, ValueError):
        tried.append("the records' blobs")
    own = os.path.join(home, path)
    for content in _versions(own):
        if hashlib.sha256(content).hexdigest() == sha256:
            return content
    tried += [own, "the history of git"]
    remedy = f"{BLOBS}, or git fetch the commit that has the lock"
    return Missing(what=f"the lock {path} (sha256 {sha256})", tried=tuple(tried), remedy=remedy)


def _versions(path: str) -> Iterable[bytes]:
    try:
        with open(path, "rb") as file:
            yield file.read()
    except OSError:
        pass
    top = checkout.top_of(os.path.dirname(path))
    if top is not None:
        yield from checkout.versions(top, os.path.relpath(os.path.realpath(path), top))


def own_root(record: Table, home: str) -> str:
    """The project's folder on the machine of the run."""
    return str((record.get("recorder") or {}).get("root") or home)


def overwritten(record: Table) -> list[str]:
    """Results outside of the project that a repeat would write in place of what is there."""
    paths = [fact["path"] for fact in record.get("outputs") or () if fact.get("written", True)]
    return [path for path in map(real_name, paths) if os.path.isabs(path) and os.path.exists(path)]


def moved(text: str, places: Mapping[str, str]) -> str:
    """A command's argument with folders of the run (longest first) replaced by the new ones."""
    for old in sorted(places, key=len, reverse=True):
        pattern = rf"(?<![\w./-]){re.escape(old)}(?![\w.-])"
        if re.search(pattern, text):
            return places[old].join(re.split(pattern, text))
    return text


def job(
    record: Table,
    prepared: Prepared,
    *,
    run: str,
    home: str,
    lock: str,
    places: Mapping[str, str],
    processors: int | None,
) -> Table:
    """What is to be run, for ``order.order_of_job``; plain JSON.

    Args:
        record: of the run.
        prepared: folders.
        run: the id that the repeat gets.
        home: the project that gets its record.
        lock: the lockfile's path in the new folder.
        places: old folders and new ones, for the command's arguments.
        processors: how many it may use; None: all.
    """
    command = record["command"]
    parameters = record.get("parameters") or {}
    # Besides files: `given`, `argv`, or what the program said itself.
    files = [
        moved(name, places)
        for name in sorted({p["from"] for p in parameters.values()})
        if os.path.isfile(os.path.join(prepared.where.directory, moved(name, places)))
    ]
    declared = {
        kind: [
            os.path.join(prepared.where.root, real_name(fact["path"]))
            for fact in record.get(kind) or ()
            if fact["found"] == "declared"
        ]
        for kind in ("inputs", "outputs")
    }
    gaps = (record.get("trace") or {}).get("gaps") or []
    return {
        "argv": [moved(text, places) for text in command["argv"]],
        "directory": prepared.where.directory,
        "group": record.get("group"),
        "home": home,
        "id": run,
        "inputs": [path for path in declared["inputs"] if os.path.exists(path)],
        "lock": lock,
        "metrics-files": command.get("metrics-files", []),
        "outputs": declared["outputs"],
        "params": [
            f"{name}={_text(p['value'])}" for name, p in parameters.items() if p["from"] == "given"
        ],
        "params-files": files,
        "processors": processors,
        "repeats": record["id"],
        "root": prepared.where.root,
        "trace": "never" if "tracing was switched off" in gaps else "auto",
    }


def _text(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)


def variables(
    record: Table, now: Mapping[str, str], *, prefix: str | None, pinned: Pins | None
) -> dict[str, str]:
    """The environment of the repeat: today's, with the locked environment in front.

    Args:
        record: of the run.
        now: today's variables.
        prefix: the environment's folder; None: there is none to be used.
        pinned: what to set as it was.
    """
    found = {name: value for name, value in now.items() if name != "VIRTUAL_ENV"}
    python = (record.get("environment") or {}).get("python") or {}
    if prefix is not None and python.get("found-by") in ("program", "VIRTUAL_ENV"):
        path = os.path.join(prefix, "bin")
        found["PATH"] = os.pathsep.join(filter(None, (path, now.get("PATH", os.defpath))))
        found["VIRTUAL_ENV"] = prefix
    for name, value in (pinned.variables if pinned else {}).items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = value
    return found


def uses_environment(record: Table) -> bool:
    """Whether the command ran in, or beside, a virtual environment."""
    python = (record.get("environment") or {}).get("python") or {}
    return python.get("found-by") in ("program", "VIRTUAL_ENV", "project")


def left_out(paths: Sequence[str]) -> str:
    """A list of paths for a person, not too long."""
    more = f" and {len(paths) - 5} more" if len(paths) > 5 else ""
    return ", ".join(paths[:5]) + more
