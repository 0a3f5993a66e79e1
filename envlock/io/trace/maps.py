"""Which files a process has mapped as code: ``/proc/PID/maps``, see proc(5)."""

from __future__ import annotations

import os
import re

_CODE = re.compile(rb"^\S+ ..x. \S+ \S+ \S+ +(/.*)$", re.MULTILINE)
_GONE = b" (deleted)"


def mapped_code(maps: bytes) -> set[str]:
    """Paths of executables and shared libraries; files that are gone by now are left out."""
    paths = {path for path in _CODE.findall(maps) if not path.endswith(_GONE)}
    # The kernel writes a newline in a name as \012, and nothing else so.
    return {os.fsdecode(path.replace(b"\\012", b"\n")) for path in paths}


def read_maps(pid: int) -> set[str]:
    """The code that ``pid`` has mapped now; nothing where it is gone."""
    try:
        with open(f"/proc/{pid}/maps", "rb", buffering=0) as file:
            return mapped_code(file.read())
    except (FileNotFoundError, ProcessLookupError):
        return set()
