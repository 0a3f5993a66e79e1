"""How runs and events are called: the UTC second, then 48 random bits.

``20261121T165501Z-3f9a0c1b2d4e`` sorts by time, says which folder it is in, and is never given
twice, whoever else starts a run at the same moment.
"""

from __future__ import annotations

import os
import re
import time

FORMAT = 1
"""Of records and events: another number when one means something else; new keys are no change."""

_SHAPE = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{12}")


def new_id(now: float) -> str:
    """An id for ``now`` (seconds since 1970)."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(now))}-{os.urandom(6).hex()}"


def is_id(text: str) -> bool:
    """Whether ``text`` has the shape of an id."""
    return _SHAPE.fullmatch(text) is not None


def month(run: str) -> str:
    """The folder that an id belongs into: ``2026/11``."""
    return f"{run[:4]}/{run[4:6]}"


def instant(now: float) -> str:
    """RFC 3339 in UTC with microseconds: ``2026-11-21T16:55:01.123456Z``."""
    second, micro = divmod(round(now * 1_000_000), 1_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(second))}.{micro:06}Z"
