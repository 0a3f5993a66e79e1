"""envlock's own JSON: described in docs/json.md."""

from __future__ import annotations

import json

from envlock.check.drift import Drift, Layer
from envlock.check.report.outcome import Outcome
from envlock.project.settings.check import Ignore


def write(outcome: Outcome) -> str:
    """One object, keys sorted."""
    judged = outcome.judged
    accepted = [_entry(a.drift) | {"reason": a.ignore.reason} for a in judged.accepted]
    value = {
        "lock": outcome.lock.rpartition("/")[2],
        "environment-hash": outcome.environment_hash,
        "compared": [layer for layer in Layer if layer in outcome.compared],
        "ok": not judged.failed,
        "drift": [_entry(d) for d in judged.drift],
        "ignored": accepted,
        "unused-ignores": [_ignore(i) for i in judged.unused],
        "expired-ignores": [_ignore(i) for i in judged.expired],
    }
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _ignore(one: Ignore) -> dict[str, object]:
    return {
        "code": one.code or None,
        "id": one.id,
        "reason": one.reason,
        "subject": one.subject,
        "until": None if one.until is None else one.until.isoformat(),
        "where": one.where,
    }


def _entry(found: Drift) -> dict[str, object]:
    return {
        "cause": found.cause,
        "code": found.code,
        "diff": found.diff,
        "expected": found.expected,
        "found": found.found,
        "ids": list(found.ids),
        "layer": found.layer,
        "name": found.name,
        "remedy": found.remedy,
        "severity": found.severity,
        "subject": found.subject,
    }
