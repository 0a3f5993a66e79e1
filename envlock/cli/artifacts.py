"""What `fetch` and `bundle` share: a lock's files, brought into the store."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from envlock.cli.common import current_request
from envlock.errors import UsageError
from envlock.lock.artifacts import UsedFiles
from envlock.realise.fetch import fetch

if TYPE_CHECKING:
    from envlock.io.progress import Reporter
    from envlock.lock.model import Lock
    from envlock.project.locate import Project


def require_sources(lock: Lock, where: str, *, otherwise: str = "") -> None:
    """See that the lock knows the source packages of its OS packages.

    Raises:
        UsageError: it does not; ``otherwise`` is what else helps.
    """
    if lock.os is not None and not lock.os.sources:
        raise UsageError(
            f"the lock has no source packages of {lock.os.base}",
            where=where,
            remedy=f"set sources = true in [tool.envlock] and run `envlock lock`{otherwise}",
        )


def bring(
    lock: Lock, absent: UsedFiles, root: Path, project: Project | None, reporter: Reporter
) -> None:
    """Fetch files into the store.

    Args:
        lock: whose files they are.
        absent: see ``realise.fetch.missing``.
        root: the lockfile's folder.
        project: says where the distribution's archives are today; None: only the machine does.
        reporter: told the bytes that came, of all.
    """
    mirrors: tuple[str, ...] = ()
    keyring = None
    if absent.os or absent.os_sources:
        mirrors, keyring = archives_of(lock, project)
    fetch(lock, absent, root, mirrors=mirrors, keyring=keyring, reporter=reporter)


def archives_of(lock: Lock, project: Project | None) -> tuple[tuple[str, ...], str | None]:
    """The project's own mirrors of the distribution's archives, and its keyring.

    No part of the lock: the project says today where its archives are; None: only the machine does.
    """
    if project is None:
        return (), None
    now = datetime.now(UTC).replace(microsecond=0)
    request = current_request(project, lock, now=now)
    return request.os_mirrors, request.os_keyring


def size_text(count: int) -> str:
    """A number of bytes for people: ``84.1 MB``."""
    for unit, factor in (("GB", 10**9), ("MB", 10**6), ("kB", 10**3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"
