"""A lock that is to come back, and where it is from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from envlock.cli.common import lock_of_text
from envlock.lock.model import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A lock, and where it is from.

    ``title`` is for people; ``root`` (absolute) the folder that its relative paths count from;
    ``text`` the lockfile; ``folder`` the default folder's name for what is rebuilt. Of a run:
    ``run`` its id, ``packages`` the list of what was installed, ``prefix`` where (as its scripts
    say), ``python`` the full version of the interpreter.
    """

    title: str
    root: Path
    lock_name: str
    text: str
    lock: Lock
    folder: str
    run: str | None = None
    commit: str | None = None
    packages: bytes | None = None
    prefix: str | None = None
    python: str | None = None

    def as_json(self) -> dict[str, str | None]:
        """For ``--json``."""
        return {
            "lock": self.lock_name,
            "commit": self.commit,
            "run": self.run,
            "title": self.title,
        }


def subject_of_text(text: str, lock_name: str, title: str, *, root: Path, where: str) -> Subject:
    """A lockfile.

    Raises:
        UsageError: it is no lock that this envlock reads.
        VerificationError: it was edited or damaged.
    """
    stem = lock_name.removeprefix("pylock").removesuffix(".toml").strip(".")
    return Subject(
        title=title,
        root=root.absolute(),
        lock_name=lock_name,
        text=text,
        lock=lock_of_text(text, where=where),
        folder=f".venv-{stem}-rebuilt" if stem else ".venv-rebuilt",
    )
