"""Canonical JSON, and digests of it (docs/environment-hash.md).

The content used here is a subset of RFC 8785 (JCS): strings, null, true, arrays and objects with
ASCII keys, so that ``json.dumps`` with sorted keys gives its bytes (a test compares with the
``rfc8785`` library).
"""

from __future__ import annotations

import hashlib
import json
from typing import Any


def canonical_json(value: Any) -> bytes:
    """RFC 8785 bytes of ``value`` (strings, None, bools, lists, dicts with ASCII keys; no floats).

    Raises:
        ValueError: a string holds a lone surrogate, which UTF-8 cannot carry.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(value: Any) -> str:
    """64 hex digits: SHA-256 of the canonical JSON."""
    return hashlib.sha256(canonical_json(value)).hexdigest()
