"""How a run ended, how long it took, and what it used."""

from __future__ import annotations

import os
import signal
import sys
import time

from envlock.runs.ids import instant

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from resource import struct_rusage
    from typing import Any

_JUMP = 1.0
"""Seconds that the day's clock and the machine's may differ by at the end of a run."""


class Clocks:
    """The moment by the day's clock, since boot, and since boot without sleep; in seconds."""

    def __init__(self) -> None:
        self.day = time.time()
        self.steady = time.monotonic()
        boot = getattr(time, "CLOCK_BOOTTIME", None)
        self.boot = self.steady if boot is None else time.clock_gettime(boot)


def elapsed(before: Clocks, after: Clocks) -> dict[str, Any]:
    """How long it took, whatever somebody did to the clock of the day meanwhile."""
    facts: dict[str, Any] = {
        "started": instant(before.day),
        "duration": round(after.steady - before.steady, 6),
    }
    asleep = (after.boot - before.boot) - (after.steady - before.steady)
    jumped = (after.day - before.day) - (after.boot - before.boot)
    if asleep > _JUMP:
        facts["asleep"] = round(asleep, 3)
    if abs(jumped) > _JUMP:
        facts["clock-jumped"] = round(jumped, 3)
    return facts


def exit_facts(status: int) -> dict[str, Any]:
    """Of a wait status: an exit code, or a signal."""
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return {"code": code}
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return {"signal": -code, "name": name, "core": os.WCOREDUMP(status)}


def resource_facts(usage: struct_rusage) -> dict[str, Any]:
    """Of the program and the descendants it waited for: seconds, bytes, counts (getrusage)."""
    unit = 1 if sys.platform == "darwin" else 1024
    return {
        "cpu-system": round(usage.ru_stime, 6),
        "cpu-user": round(usage.ru_utime, 6),
        "major-faults": usage.ru_majflt,
        "max-resident": usage.ru_maxrss * unit,
        "read": usage.ru_inblock * 512,
        "switches-forced": usage.ru_nivcsw,
        "switches-own": usage.ru_nvcsw,
        "written": usage.ru_oublock * 512,
    }
