"""A git repository on this disk, made by real git with the committer dates that a test sets."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

START = datetime(2026, 1, 1, tzinfo=UTC)


class Repository:
    """A repository made by real git, with set committer dates."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--quiet", "-b", "main")

    @property
    def url(self) -> str:
        return self.folder.as_uri()

    def git(self, *arguments: str, date: datetime = START) -> str:
        stamp = f"@{int(date.timestamp())} +0000"
        environment = os.environ | {
            "GIT_AUTHOR_DATE": stamp,
            "GIT_COMMITTER_DATE": stamp,
            "GIT_AUTHOR_NAME": "A",
            "GIT_AUTHOR_EMAIL": "a@example.org",
            "GIT_COMMITTER_NAME": "A",
            "GIT_COMMITTER_EMAIL": "a@example.org",
        }
        return subprocess.run(
            ["git", "-C", str(self.folder), *arguments],
            check=True,
            capture_output=True,
            text=True,
            env=environment,
        ).stdout.strip()

    def commit(self, day: float) -> str:
        self.git("commit", "--quiet", "--allow-empty", "-m", f"day {day}", date=on(day))
        return self.git("rev-parse", "HEAD")


def on(day: float) -> datetime:
    return START + timedelta(days=day)
