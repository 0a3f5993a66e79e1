"""SARIF 2.1.0 (OASIS), for code scanning: a rule per code, a result per difference."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from envlock.check.codes.explain import ORIGINS
from envlock.check.drift import MEANINGS, Code, Drift
from envlock.check.report.outcome import Outcome, anchor, told

SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_CODES = sorted(MEANINGS)


def write(outcome: Outcome) -> str:
    """One run; accepted differences are there, suppressed with their reason."""
    judged = outcome.judged
    results = [_result(outcome, found) for found in judged.drift]
    for accepted in judged.accepted:
        suppression = {"kind": "external", "justification": accepted.ignore.reason}
        results.append({**_result(outcome, accepted.drift), "suppressions": [suppression]})
    driver = {
        "name": "envlock",
        "informationUri": "https://github.com/envlock/envlock",
        "rules": [_rule(code) for code in _CODES],
    }
    run = {
        "tool": {"driver": driver},
        "results": results,
        "columnKind": "unicodeCodePoints",
        "properties": {"environmentHash": outcome.environment_hash},
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def _rule(code: Code) -> dict[str, Any]:
    meaning = MEANINGS[code]
    full = " ".join(filter(None, (meaning.summary, ORIGINS.get(code))))
    return {
        "id": code,
        "name": "".join(word.capitalize() for word in meaning.name.split("-")),
        "shortDescription": {"text": meaning.summary},
        "fullDescription": {"text": full},
        "help": {"text": f"To repair it: {meaning.remedy}"},
        "defaultConfiguration": {"level": meaning.severity},
        "properties": {"tags": [meaning.layer]},
    }


def _result(outcome: Outcome, found: Drift) -> dict[str, Any]:
    text = f"{found.subject}: {told(found)}"
    file, line = outcome.place(found)
    place = {
        "artifactLocation": {"uri": _uri(file)},
        "region": {"startLine": line},
    }
    logical = {"name": found.subject, "kind": found.layer}
    # Of the subject alone: it stays one alert while what is found changes.
    identity = hashlib.sha256(f"{found.code} {found.subject}".encode()).hexdigest()
    return {
        "ruleId": found.code,
        "ruleIndex": _CODES.index(found.code),
        "level": found.severity,
        "message": {"text": f"{text}. To repair it: {found.remedy}"},
        "locations": [{"physicalLocation": place, "logicalLocations": [logical]}],
        "partialFingerprints": {"envlock/v1": identity},
        "hostedViewerUri": anchor(found),
    }


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path)
