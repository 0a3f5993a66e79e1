"""Which files in a folder changed since a moment: by the time of change, which nobody can set."""

from __future__ import annotations

import os

MOST = 200_000
"""Files that are looked at, at most."""
_ASIDE = {".git", ".hg", ".svn", "__pycache__"}


def changed_since(folder: str, since: float, *, leave: tuple[str, ...]) -> tuple[list[str], bool]:
    """Files and links that were made, written, renamed or changed otherwise.

    Version control's own files, compiled code and virtual environments are passed over.

    Args:
        folder: absolute; links to folders are not followed.
        since: seconds since 1970, by the clock of the file system.
        leave: folders that are passed over.

    Returns:
        Their paths, and whether all files were looked at.
    """
    found: list[str] = []
    count = 0
    waiting = [folder]
    while waiting:
        try:
            entries = list(os.scandir(waiting.pop()))
        except OSError:
            continue  # gone, or closed to us
        if any(entry.name == "pyvenv.cfg" for entry in entries):
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                if entry.name not in _ASIDE and entry.path not in leave:
                    waiting.append(entry.path)
                continue
            count += 1
            if count > MOST:
                return sorted(found), False
            try:
                if entry.stat(follow_symlinks=False).st_ctime >= since:
                    found.append(entry.path)
            except OSError:
                continue
    return sorted(found), True
