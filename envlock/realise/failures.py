"""What uv says when it cannot install, as envlock's errors: what, which package, what to do."""

from __future__ import annotations

import re
from pathlib import Path

from envlock.errors import EnvlockError, SourceError, UsageError, VerificationError
from envlock.io.process import Completed
from envlock.lock.model import Lock
from envlock.resolve.python.engines.uv_messages import LOGIN

_MISMATCH = re.compile(r"(?P<kind>Hash|Size) mismatch for `(?P<subject>[^`]+)`", re.IGNORECASE)
_EXPECTED_DIGEST = re.compile(r"Expected:\s+sha256:([0-9a-f]{64})")
_EXPECTED_SIZE = re.compile(r"expected (\d+) bytes")
_COMPUTED = re.compile(r"Computed:\s+(sha256:[0-9a-f]{64})|but downloaded (\d+ bytes)")
_SUBJECT = re.compile(
    r"Failed to (?:download and build|download|build|read|fetch|unzip|install)[^`]*`([^`]+)`"
)
_DAMAGED = re.compile(r"Failed to extract archive|Failed to unzip|invalid (?:zip|gzip)", re.I)
_BUILD = re.compile(r"Failed to build|build backend|Failed to resolve requirements from", re.I)
_NETWORK = re.compile(
    r"Failed to fetch|Request failed|error sending request|timed out|HTTP status|"
    r"Failed to download|error decoding response|Git operation|network",
    re.IGNORECASE,
)
_NO_FILE = re.compile(r"Package `([^`]+)` can't be installed because (.*)")
_NOTICES = re.compile(
    r"^(Using (CPython|Python|PyPy) |warning: |Resolved |Prepared |"
    r" *(Building|Built|Downloading|Downloaded|Updating|Updated) )"
)
_TAIL = 40


def error(completed: Completed, lock: Lock, prefix: Path) -> EnvlockError:
    """The error that a failed ``uv pip sync`` amounts to."""
    text = completed.stderr
    said = _cleaned(text)
    return (
        _mismatch(text, lock)
        or disk_error(text, prefix)
        or _environment_error(text, prefix)
        or _package_error(text, said)
        or SourceError(f"uv failed (exit {completed.code}):\n{said}", where=str(prefix))
    )


def disk_error(text: str, where: Path) -> SourceError | None:
    """The error for a full disk or missing permission, or None when uv says neither."""
    if "No space left on device" in text or "Disk quota exceeded" in text:
        return SourceError(
            f"the disk is full:\n{_cleaned(text)}",
            where=str(where),
            remedy="free some space, then run the command again",
        )
    if "Permission denied" in text or "Read-only file system" in text:
        return SourceError(
            f"no permission to write:\n{_cleaned(text)}",
            where=str(where),
            remedy="check the permissions of the environment and of uv's cache",
        )
    return None


def _mismatch(text: str, lock: Lock) -> VerificationError | None:
    match = _MISMATCH.search(text)
    if match is None:
        return None
    subject = match["subject"]
    expected = _EXPECTED_DIGEST.search(text)
    size = _EXPECTED_SIZE.search(text)
    computed = _COMPUTED.search(text)
    names = _files(
        lock,
        _package_name(subject),
        digest=expected[1] if expected else None,
        size=int(size[1]) if size else None,
    )
    says = f"sha256:{expected[1]}" if expected else f"{size[1]} bytes" if size else "another digest"
    found = next((group for group in computed.groups() if group), "") if computed else ""
    return VerificationError(
        f"{' or '.join(names) or subject} is not the file that was locked for {_plain(subject)}:"
        f" the lock says {says}" + (f", it is {found}" if found else ""),
        remedy="the index, a proxy or the cache altered it: try again after"
        f" `uv cache clean {_package_name(subject)}`, or from another index",
    )


def _files(lock: Lock, name: str, *, digest: str | None, size: int | None) -> tuple[str, ...]:
    """The locked files of a package that have the digest or the size."""
    found: list[str] = []
    for package in lock.package(name):
        archive = package.archive
        if archive is not None:
            found.append((archive.url or archive.path or "").rsplit("/", 1)[-1])
        found += [
            file.name
            for file in package.files
            if (digest is None or file.sha256 == digest) and (size is None or file.size == size)
        ]
    return tuple(dict.fromkeys(found))


def _environment_error(text: str, prefix: Path) -> UsageError | None:
    if "externally managed" in text:
        return UsageError(
            "this Python belongs to the operating system, which manages its packages",
            where=str(prefix),
            remedy="leave --python away to install into a virtual environment",
        )
    return None


def _package_error(text: str, said: str) -> EnvlockError | None:
    subject = _SUBJECT.search(text)
    package = _plain(subject[1]) if subject else "a package"
    no_file = _NO_FILE.search(text)
    if no_file:
        return SourceError(
            f"{no_file[1]} has no file that this machine can install:\n{said}",
            remedy="lock a version that has one, or add this platform to targets and lock again",
        )
    if _DAMAGED.search(text):
        return VerificationError(
            f"the file of {package} is damaged, so it is not the one that was locked:\n{said}",
            remedy="try again; if it stays so, the index or a proxy altered it",
        )
    if "Distribution not found at" in text:
        return UsageError(
            f"a local path of the lock does not exist:\n{said}",
            remedy="restore it, or change the requirement and run `envlock lock`",
        )
    if _BUILD.search(text):
        return SourceError(
            f"{package} has no wheel for this machine, and building it failed:\n{said}",
            remedy="install what the build asks for (compilers, headers), then run it again",
        )
    if _NETWORK.search(text):
        return SourceError(
            f"{package} could not be fetched:\n{said}",
            remedy=LOGIN
            if "401 Unauthorized" in text
            else "check the network and the index's address, then run it again",
        )
    return None


def _package_name(subject: str) -> str:
    """``aa`` of ``aa==1.0`` and ``aa @ https://…``, normalized."""
    name = re.split(r"==| @ |\[", subject, maxsplit=1)[0].strip()
    return re.sub(r"[-_.]+", "-", name).lower()


def _plain(subject: str) -> str:
    """A subject without credentials in its URL."""
    return re.sub(r"://[^/@\s]*@", "://", subject)


def _cleaned(text: str) -> str:
    """uv's message without its notices; of a long one (a build's output) the end."""
    lines = [
        _plain(line.removeprefix("error: ")).rstrip()
        for line in text.splitlines()
        if not _NOTICES.match(line)
    ]
    lines = [line for line in lines if line]
    if len(lines) > _TAIL:
        lines = [lines[0], "…", *lines[-_TAIL:]]
    return "\n".join(lines)
