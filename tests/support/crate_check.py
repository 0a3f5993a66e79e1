"""Hold a crate to the Process Run Crate profile: ``python crate_check.py FOLDER SEVERITY``.

Run with a Python that has ``roc-validator`` and ``rocrate``. The validator wants contexts from the
network; it gets RO-Crate's as ``rocrate`` ships it, and two terms of the other.
"""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import rocrate
from requests import Response
from requests.adapters import HTTPAdapter
from rocrate_validator import models, services
from urllib3.response import HTTPResponse

_TERMS = "https://w3id.org/ro/terms/workflow-run"
_CONTEXTS = {
    "https://w3id.org/ro/crate/1.1/context": json.loads(
        (Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld").read_text()
    ),
    f"{_TERMS}/context": {
        "@context": {name: f"{_TERMS}#{name}" for name in ("environment", "sha256")}
    },
}


def send(_adapter: object, request: object, **_more: object) -> Response:
    """In place of the network."""
    body = _CONTEXTS.get(request.url)
    response = Response()
    response.url, response.request = request.url, request
    response.status_code = 404 if body is None else 200
    response.headers["Content-Type"] = "application/ld+json"
    response.raw = HTTPResponse(
        body=io.BytesIO(json.dumps(body).encode()),
        headers={"Content-Type": "application/ld+json"},
        status=response.status_code,
        preload_content=False,
    )
    return response


HTTPAdapter.send = send
result = services.validate(
    services.ValidationSettings(
        rocrate_uri=sys.argv[1],
        profile_identifier="process-run-crate",
        requirement_severity=sys.argv[2],
    )
)
assert models.Severity[sys.argv[2]]
for issue in result.get_issues():
    print(issue.severity.name, issue.message)
print(f"passed: {result.passed()}")
