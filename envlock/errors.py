"""The one family of errors that envlock raises on purpose.

Each says what happened, where, and what to do next, and carries the exit code of design §7:
1 drift or stale, 2 usage or bad input, 3 a source or tool failed, 4 verification failed.
"""

from __future__ import annotations

EXIT_DRIFT = 1
EXIT_USAGE = 2
EXIT_SOURCE = 3
EXIT_VERIFICATION = 4


class EnvlockError(Exception):
    """Something a user can act on.

    Args:
        what: one sentence on what happened, without a final stop.
        where: the file (``pyproject.toml:12``), key path, URL or command concerned.
        remedy: what to do next; may span lines.
        exit_code: the process's exit code; the subclasses set it.
    """

    exit_code: int = EXIT_USAGE

    def __init__(self, what: str, *, where: str | None = None, remedy: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.remedy = remedy

    def __str__(self) -> str:
        text = self.what
        if self.where:
            text = f"{self.where}: {text}"
        if self.remedy:
            text = f"{text} ({self.remedy})"
        return text


class StaleError(EnvlockError):
    """The lock no longer answers the request, or an environment drifted from it."""

    exit_code = EXIT_DRIFT


class UsageError(EnvlockError):
    """What was given cannot be used: an option, a file's syntax, an unknown name."""

    exit_code = EXIT_USAGE


class NoSolutionError(UsageError):
    """The requirements exclude one another, or nothing old enough satisfies them."""


class SourceError(EnvlockError):
    """An index, an archive, a tool or the disk did not do its part."""

    exit_code = EXIT_SOURCE


class MissingError(SourceError):
    """An address has nothing (any more); another one may have it."""


class DiskError(SourceError):
    """This machine's disk cannot take or give bytes: to ask elsewhere is no help."""


class VerificationError(EnvlockError):
    """Bytes are not what a digest or signature says they are."""

    exit_code = EXIT_VERIFICATION
