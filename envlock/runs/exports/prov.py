"""PROV-JSON: W3C's data model of provenance (PROV-DM) as JSON, its submission of 24 April 2013."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from envlock.runs.exports.material import NAMESPACE, Run, failed, identity
from envlock.runs.facts import fact_value

_PREFIXES = {"envlock": f"{NAMESPACE}#", "sha256": "urn:sha256:", "swh": "swh:1:rev:"}


def prov(runs: Sequence[Run]) -> bytes:
    """One document with an activity for each run.

    What was read and written are entities, each a path with a content, so that an output of one run
    is the input of the next one. The lock is the plan that a run was associated with.
    """
    document: dict[str, dict[str, Any]] = {"prefix": dict(_PREFIXES)}
    for run in runs:
        for kind, name, facts in _statements(run):
            document.setdefault(kind, {})[name] = facts
    text = json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True) + "\n"
    return text.encode("utf-8", "backslashreplace")


_Statement = tuple[str, str, dict[str, Any]]


def _statements(run: Run) -> Iterator[_Statement]:
    record = run.record
    activity = f"envlock:run-{run.id}"
    agent = f"envlock:recorder-{(record.get('recorder') or {}).get('envlock', 'unknown')}"
    yield "activity", activity, _activity(run)
    yield (
        "agent",
        agent,
        {
            "prov:type": {"$": "prov:SoftwareAgent", "type": "prov:QUALIFIED_NAME"},
            "prov:label": agent.replace("envlock:recorder-", "envlock "),
        },
    )
    association = {"prov:activity": activity, "prov:agent": agent}
    lock = (record.get("lock") or {}).get("sha256")
    if lock:
        yield (
            "entity",
            f"sha256:{lock}",
            _present(
                {
                    "prov:type": {"$": "prov:Plan", "type": "prov:QUALIFIED_NAME"},
                    "prov:label": record["lock"]["path"],
                    "envlock:environment-hash": record.get("environment-hash"),
                }
            ),
        )
        association["prov:plan"] = f"sha256:{lock}"
    yield "wasAssociatedWith", f"_:association-{run.id}", association
    for number, fact in enumerate(run.files("inputs")):
        yield "entity", _named(fact), _entity(fact)
        yield (
            "used",
            f"_:used-{run.id}-{number}",
            {
                "prov:activity": activity,
                "prov:entity": _named(fact),
                "prov:role": fact["path"],
            },
        )
    for number, fact in enumerate(run.files("outputs")):
        yield "entity", _named(fact), _entity(fact)
        yield (
            "wasGeneratedBy",
            f"_:generated-{run.id}-{number}",
            {
                "prov:activity": activity,
                "prov:entity": _named(fact),
                "prov:role": fact["path"],
            },
        )
    yield from _code(run, activity)
    if record.get("parent"):
        yield "activity", f"envlock:run-{record['parent']}", {}
        yield (
            "wasInformedBy",
            f"_:informed-{run.id}",
            {
                "prov:informed": activity,
                "prov:informant": f"envlock:run-{record['parent']}",
            },
        )


def _activity(run: Run) -> dict[str, Any]:
    record = run.record
    facts = {
        "prov:startTime": record["started"],
        "prov:endTime": run.ended,
        "prov:label": run.title,
        "envlock:command": run.command,
        "envlock:directory": (record.get("command") or {}).get("directory"),
        "envlock:environment-hash": record.get("environment-hash"),
        "envlock:failed": failed(record),
        "envlock:host": (record.get("host") or {}).get("hostname"),
    }
    parameters = record.get("parameters") or {}
    given = [f"{name}={fact_value(one['value'])}" for name, one in sorted(parameters.items())]
    metrics = [f"{n}={fact_value(v)}" for n, v in sorted((record.get("metrics") or {}).items())]
    return _present(facts | {"envlock:parameter": given, "envlock:metric": metrics})


def _code(run: Run, activity: str) -> Iterator[_Statement]:
    code = run.record.get("code") or {}
    if not code.get("commit"):
        return
    entity = f"swh:{code['commit']}"
    yield "entity", entity, {"prov:label": f"commit {code['commit']}"}
    yield (
        "used",
        f"_:code-{run.id}",
        {
            "prov:activity": activity,
            "prov:entity": entity,
            "prov:role": "code",
        },
    )


def _entity(fact: Mapping[str, Any]) -> dict[str, Any]:
    told = {"prov:label": fact["path"], "envlock:sha256": fact["sha256"]}
    return _present(told | {"envlock:size": fact.get("size")})


def _named(fact: Mapping[str, Any]) -> str:
    return f"envlock:file-{identity(fact)}"


def _present(facts: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in facts.items() if value not in (None, [])}
