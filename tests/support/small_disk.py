"""A disk that fills: a command run with a folder that takes only so many bytes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# The file system is gone with the command: what is left on it is listed before.
_INSIDE = """\
mount -t tmpfs -o size="$1" tmpfs "$2" || exit 99
disk=$2 list=$3; shift 3
"$@"; code=$?
find "$disk" -type f > "$list"
exit $code
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class SmallDisk:
    """``folder`` is small for commands that begin with ``prefix``."""

    folder: Path
    prefix: tuple[str, ...]
    message: str
    """What the system says of a write that does not fit."""
    _list: Path

    def left(self) -> list[str]:
        """The files that the last command left on it, by their path there."""
        if self._list.exists():
            paths = [Path(line) for line in self._list.read_text().splitlines()]
        else:
            paths = [path for path in self.folder.rglob("*") if path.is_file()]
        return sorted(path.relative_to(self.folder).as_posix() for path in paths)


@contextmanager
def small_disk(tmp_path: Path, size: int) -> Iterator[SmallDisk]:
    """A folder for ``size`` bytes.

    Where this machine lets us mount (root, or user namespaces), it is a file system of its own
    that gets full; elsewhere no file in it may become larger.
    """
    folder, listed = tmp_path / "small-disk", tmp_path / "small-disk.txt"
    folder.mkdir()
    own = _namespace()
    if own:
        prefix = (*own, "sh", "-c", _INSIDE, "sh", str(size), str(folder), str(listed))
        message = "No space left on device"
    else:
        prefix, message = ("prlimit", f"--fsize={size}"), "File too large"
    yield SmallDisk(folder=folder, prefix=prefix, message=message, _list=listed)


@cache
def _namespace() -> tuple[str, ...]:
    """How to start a command with mounts of its own; empty where that is not allowed."""
    user = () if os.geteuid() == 0 else ("--user", "--map-root-user")
    argv = ("unshare", *user, "--mount", "--")
    tried = subprocess.run(
        [*argv, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True, check=False
    )
    return argv if tried.returncode == 0 else ()
