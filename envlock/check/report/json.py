"""envlock's own JSON: described in docs/json.md."""

from __future__ import annotations

import json

from envlock.check.drift import Drift
from envlock.check.report.outcome import Outcome


def write(outcome: Outcome) -> str:
    """One object, keys sorted."""
    judged = outcome.judged
    accepted = [_entry(a.drift) | {"reason": a.ignore.reason} for a in judged.accepted]
    unused = [
        {"code": i.code, "reason": i.reason, "subject": i.subject, "where": i.where}
        for i in judged.unused
    ]
    value = {
        "lock": outcome.lock.rpartition("/")[2],
        "environment-hash": outcome.environment_hash,
        "ok": not judged.failed,
        "drift": [_entry(d) for d in judged.drift],
        "ignored": accepted,
        "unused-ignores": unused,
    }
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _entry(found: Drift) -> dict[str, str | None]:
    return {
        "cause": found.cause,
        "code": found.code,
        "expected": found.expected,
        "found": found.found,
        "layer": found.layer,
        "name": found.name,
        "remedy": found.remedy,
        "severity": found.severity,
        "subject": found.subject,
    }
