"""Which files a process has mapped as code: ``/proc/PID/maps``, see proc(5)."""

from __future__ import annotations

import os

_GONE = b" (deleted)"


def mapped_code(maps: bytes) -> set[str]:
    """Paths of executables and shared libraries; files that are gone by now are left out."""
    paths = set()
    for line in maps.split(b"\n"):
        # address, permissions, offset, device, inode, path
        fields = line.split(maxsplit=5)
        if len(fields) == 6 and fields[1][2:3] == b"x" and fields[5][:1] == b"/":
            paths.add(fields[5])
    # The kernel writes a newline in a name as \\012, and nothing else so.
    return {os.fsdecode(p.replace(b"\\012", b"\n")) for p in paths if not p.endswith(_GONE)}


def read_maps(pid: int) -> set[str]:
    """The code that ``pid`` has mapped now; nothing where it is gone."""
    try:
        with open(f"/proc/{pid}/maps", "rb", buffering=0) as file:
            return mapped_code(file.read())
    except (FileNotFoundError, ProcessLookupError):
        return set()
