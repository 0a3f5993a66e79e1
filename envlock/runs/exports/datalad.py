"""The message of a commit by which ``datalad rerun`` knows what was run.

The record within is JSON as ``datalad run`` writes it. In DataLad's fields, braces are
placeholders and ``*?[`` are patterns: those of a command or a file's name are escaped.
"""

from __future__ import annotations

import json
import os
from glob import escape
from typing import Any

from envlock.runs.exports.material import Run
from envlock.runs.facts import one_line

_SHORT = 40


def message(run: Run, *, dataset: str | None) -> bytes:
    """The whole message.

    Args:
        run: what was run.
        dataset: the id of the DataLad dataset (``.datalad/config``); None where it is none.
    """
    record = run.record
    directory = (record.get("command") or {}).get("directory", ".")
    inputs, outputs = ([f["path"] for f in run.files(kind)] for kind in ("inputs", "outputs"))
    told: dict[str, Any] = {
        "chain": [],
        "cmd": _braces(run.command),
        "extra_inputs": [],
        "inputs": [_path(path, directory) for path in inputs if not os.path.isabs(path)],
        "outputs": [_path(path, directory) for path in outputs if not os.path.isabs(path)],
        # Below the top of the repository, which may be above the project.
        "pwd": (record.get("code") or {}).get("directory", directory),
        # A table of its own, as DataLad asks of others.
        "envlock": {
            "environment-hash": record.get("environment-hash"),
            "outside": [path for path in (*inputs, *outputs) if os.path.isabs(path)],
            "run": run.id,
        },
    }
    if record.get("exit"):
        told["exit"] = _exit(record["exit"])
    if dataset is not None:
        told["dsid"] = dataset
    body = json.dumps(told, indent=1, sort_keys=True, ensure_ascii=False)
    title = one_line(run.title)
    if not record.get("why") and len(title) > _SHORT:
        title = f"{title[: _SHORT - 3]}..."
    lines = [
        f"[DATALAD RUNCMD] {title}",
        "",
        "=== Do not change lines below ===",
        body,
        "^^^ Do not change lines above ^^^",
        "",
    ]
    return "\n".join(lines).encode("utf-8", "backslashreplace")


def _exit(found: Any) -> int:
    """As a shell has it: 128 and its number for a signal, 127 for what could not be started."""
    if "code" in found:
        return int(found["code"])
    return 128 + int(found["signal"]) if "signal" in found else 127


def _path(path: str, directory: str) -> str:
    """Relative to where the command ran."""
    return _braces(escape(os.path.relpath(path, directory)))


def _braces(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
