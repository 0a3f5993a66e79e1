"""Where a record goes: the project's store, and when that cannot be written, the next best place.

A run without a record would be what the user did not ask for, and a run refused for a read-only
project would help nobody: so the record goes elsewhere, and that is said.
"""

from __future__ import annotations

import json
import os

from envlock import __version__
from envlock.errors import DiskError
from envlock.io.host import boot_id, start_of
from envlock.runs.folder import FolderStore

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from envlock.runs.place import Place

    Say = Callable[[str], None]


def begin(place: Place, run: str, note: bytes, say: Say) -> tuple[FolderStore, str | None]:
    """Leave the first note: in the project, or where that cannot be, in the user's own folder.

    Returns:
        The store that has it, and what is to be said in the record of a project's that has not.

    Raises:
        DiskError: neither takes it.
    """
    store = FolderStore(place.records)
    try:
        store.begin(run, note)
        return store, None
    except OSError as error:
        refused = error
    fallback = FolderStore(place.fallback)
    try:
        fallback.begin(run, note)
    except OSError as error:
        raise DiskError(
            f"no record of the run can be kept: {refused.strerror};"
            f" in the user's own folder: {error.strerror}",
            where=f"{store.name}, {fallback.name}",
            remedy="make room or a folder that can be written; nothing was run",
        ) from None
    say(f"note: {store.name}: {refused.strerror}; this run's record goes to {fallback.name}")
    return fallback, f"the project's records cannot be written: {refused.strerror}"


def finish(store: FolderStore, place: Place, run: str, content: bytes, say: Say) -> bool:
    """Put the record where the first note is; if that is full or gone, in the next best place."""
    try:
        store.finish(run, content)
        return True
    except OSError as error:
        problem = f"{store.name}: {error.strerror}"
    import tempfile

    for folder in (place.fallback, os.path.join(tempfile.gettempdir(), "envlock")):
        try:
            FolderStore(folder).finish(run, content)
        except OSError:
            continue
        say(
            f"note: {problem}; the program ran, and its record is in {folder}.\n"
            f"      When there is room: cp -r {folder}/. {place.records}"
        )
        return False
    say(f"error: {problem}; the program ran, and this is its record:")
    say(content.decode("utf-8", "replace"))
    return False


def dump(facts: dict[str, Any]) -> bytes:
    """JSON with sorted keys; bytes of a name that are no UTF-8 are escaped surrogates."""
    plain = {key: value for key, value in facts.items() if value is not None}
    text = json.dumps(plain, sort_keys=True, indent=1, ensure_ascii=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def recorder_facts(root: str) -> dict[str, Any]:
    """Which envlock, process and machine writes a record, of a project in ``root``."""
    return {
        "boot": boot_id(),
        "envlock": __version__,
        "hostname": os.uname().nodename,
        "pid": os.getpid(),
        "pid-start": start_of(os.getpid()),
        "root": root.encode("utf-8", "backslashreplace").decode(),
    }
