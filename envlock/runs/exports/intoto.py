"""An in-toto Statement v1 about a run's outputs, with the predicate of SLSA Provenance v1.

It is unsigned: signing is for who vouches for it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from envlock.runs.exports.material import NAMESPACE, Run

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://slsa.dev/provenance/v1"
BUILD_TYPE = NAMESPACE
BUILDER = "https://github.com/envlock/envlock"


def statement(run: Run) -> bytes:
    """The statement. A run without outputs is a statement about its own record."""
    record = run.record
    command = record.get("command") or {}
    document = {
        "_type": STATEMENT,
        "subject": list(_subject(run)) or [_record(run)],
        "predicateType": PREDICATE,
        "predicate": {
            "buildDefinition": {
                "buildType": BUILD_TYPE,
                "externalParameters": {
                    "command": command.get("argv") or [],
                    "directory": command.get("directory"),
                    "parameters": {
                        name: one["value"] for name, one in (record.get("parameters") or {}).items()
                    },
                },
                "internalParameters": {
                    "environmentHash": record.get("environment-hash"),
                    "exit": record.get("exit"),
                    "host": record.get("host") or {},
                },
                "resolvedDependencies": list(_dependencies(run)),
            },
            "runDetails": {
                "builder": {
                    "id": BUILDER,
                    "version": {"envlock": (record.get("recorder") or {}).get("envlock", "")},
                },
                "metadata": {
                    "invocationId": run.id,
                    "startedOn": record["started"],
                    **({"finishedOn": run.ended} if run.ended else {}),
                },
                "byproducts": [_record(run), *_streams(run)],
            },
        },
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    return text.encode("utf-8", "backslashreplace")


def _subject(run: Run) -> Iterator[dict[str, Any]]:
    for fact in run.files("outputs"):
        yield {"name": fact["path"], "digest": {"sha256": fact["sha256"]}}


def _record(run: Run) -> dict[str, Any]:
    return {"name": f"{run.id}.json", "digest": {"sha256": _digest(run.content)}}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _dependencies(run: Run) -> Iterator[dict[str, Any]]:
    record = run.record
    lock = record.get("lock") or {}
    if "sha256" in lock:
        told = {"kind": "lock", "environmentHash": record.get("environment-hash")}
        yield {
            "name": lock["path"],
            "digest": {"sha256": lock["sha256"]},
            "annotations": {key: value for key, value in told.items() if value},
        }
    code = record.get("code") or {}
    if code.get("commit"):
        yield {
            "name": "code",
            "uri": code.get("swhid"),
            "digest": {"gitCommit": code["commit"]},
            "annotations": {"kind": "code", "dirty": code.get("dirty", False)},
        }
    if "diff" in code:
        yield _kind("changes of the code", code["diff"], "diff")
    for entry in code.get("untracked") or []:
        if "sha256" in entry:
            yield _kind(entry["path"], entry["sha256"], "new-file")
    environment = record.get("environment") or {}
    for layer in ("python", "os"):
        sha256 = (environment.get(layer) or {}).get("packages-sha256")
        if sha256:
            yield _kind(f"installed packages: {layer}", sha256, "packages")
    for fact in run.files("inputs"):
        yield _kind(fact["path"], fact["sha256"], "input")


def _kind(name: str, sha256: str, kind: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": sha256}, "annotations": {"kind": kind}}


def _streams(run: Run) -> Iterator[dict[str, Any]]:
    for name, stream in sorted((run.record.get("output") or {}).items()):
        if "sha256" in stream:
            yield {"name": name, "digest": {"sha256": stream["sha256"]}}
