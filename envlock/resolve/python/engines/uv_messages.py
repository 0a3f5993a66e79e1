"""What uv says on stderr: warnings worth passing on, and its failures as our errors."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime

from envlock.errors import EnvlockError, NoSolutionError, SourceError, UsageError, VerificationError
from envlock.io.process import Completed

_UNREADABLE = re.compile(r"WARN `(?P<subject>[^`]+==[^`]+)` has invalid metadata: (?P<reason>.*)")
_UNDATED = re.compile(r"warning: `([^`]+)` is missing an upload date")
_NO_METADATA = re.compile(
    r"Failed to fetch:?\s+`?\S+\.whl\.metadata`?\s.*?HTTP status client error \(404", re.DOTALL
)
_SPLIT = re.compile(r" for split \(markers: .*\)$")
_LATER = re.compile(
    r"`(?P<name>[^`]+)` was filtered by `exclude-newer` .*?"
    r"(?:The latest version satisfying the requirement is v?(?P<version>\S+), "
    r"published at (?P<instant>[0-9T:.Z+-]+?)\.(?:\s|$))"
)
_GENERATED = re.compile(r"`envlock-request`(?: \(v0\))?")
_NETWORK = re.compile(
    r"Failed to fetch|Request failed|error sending request|timed out|HTTP status (?:server|client)"
    r"|Failed to download|error decoding response|connection|Network connectivity|Git operation",
    re.IGNORECASE,
)
LOGIN = "give credentials for this address (index URL, netrc, or UV_INDEX_…_PASSWORD)"
"""The remedy where an index wants a login, or another one."""
_LOGIN = re.compile(r"401 Unauthorized")
_NO_PAGE = re.compile(r"Received some unexpected (?:JSON|HTML)")
_DIGEST = re.compile(r"Hash mismatch|hash mismatch")
_UNBUILT = re.compile(r"Failed to build|build backend")
_NOT_FOUND = re.compile(r"(?:Because|And because) (\S+) was not found in the package registry")


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """The parts of stderr that matter after the run.

    ``unreadable``: ``name==version`` and the reason, for releases whose metadata uv refused and
    so skipped. ``undated``: files without an upload time, which uv then left out. ``warnings``:
    uv's other ones, one line each. ``missing_metadata``: uv gave up because the index claims a
    metadata file (PEP 658) that is not there. ``unbuilt``: it gave up because a source distribution
    could not be built to learn its metadata.
    """

    unreadable: tuple[tuple[str, str], ...]
    undated: tuple[str, ...]
    warnings: tuple[str, ...]
    missing_metadata: bool = False
    unbuilt: bool = False


def read(stderr: str) -> Said:
    """Sort uv's stderr."""
    unreadable = {m["subject"]: m["reason"] for m in _UNREADABLE.finditer(stderr)}
    undated = sorted(set(_UNDATED.findall(stderr)))
    warnings = [
        line.removeprefix("warning: ")
        for line in stderr.splitlines()
        if line.startswith("warning: ") and not _UNDATED.search(line)
    ]
    return Said(
        unreadable=tuple(sorted(unreadable.items())),
        undated=tuple(undated),
        warnings=tuple(dict.fromkeys(warnings)),
        missing_metadata=_NO_METADATA.search(stderr) is not None,
        unbuilt=_UNBUILT.search(stderr) is not None,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Later:
    """uv's word that a newer version would have satisfied a requirement, but for the date."""

    name: str
    version: str
    instant: str


def later(stderr: str) -> tuple[Later, ...]:
    """The releases that only the date excluded."""
    return tuple(
        Later(name=m["name"], version=m["version"], instant=m["instant"])
        for m in _LATER.finditer(stderr)
    )


def error(completed: Completed, said: Said, as_of: datetime) -> EnvlockError:
    """The error that a failed ``uv lock`` amounts to."""
    text = _cleaned(completed.stderr)
    if _LOGIN.search(text):  # what such an index has is not known, whatever the resolver concludes
        lines = [line for line in text.splitlines() if _LOGIN.search(line)]
        return SourceError(
            "an index wants to know who asks:\n" + lines[0].removeprefix("hint: "), remedy=LOGIN
        )
    if "No solution found" in completed.stderr:
        missing = _NOT_FOUND.findall(text)
        remedy = "change one of these requirements"
        if missing:
            remedy = (
                f"check the spelling of {', '.join(dict.fromkeys(missing))},"
                " or name the index that has it"
            )
        if said.unreadable:
            skipped = ", ".join(subject for subject, _ in said.unreadable[:5])
            text += f"\n(releases skipped for unreadable metadata: {skipped})"
        return NoSolutionError(
            f"no set of packages as of {as_of:%Y-%m-%d %H:%M:%S}Z satisfies the request:\n{text}",
            remedy=remedy,
        )
    if _DIGEST.search(text):
        return VerificationError(
            f"a file is not what its digest says:\n{text}",
            remedy="the index or a proxy altered it: clear its cache, or use another index",
        )
    if _NO_PAGE.search(text):
        return SourceError(
            f"no readable index page:\n{text}",
            remedy="check that this is the address of a simple index,"
            " and that no login page or proxy answers in its place",
        )
    if "No space left on device" in text:
        return SourceError(f"the disk is full:\n{text}", remedy="free some space, then try again")
    if _NETWORK.search(text):
        return SourceError(
            f"an index or file could not be fetched:\n{text}",
            remedy="check the network and the index's address, then try again",
        )
    if "Distribution not found at" in text:
        return UsageError(f"a local path does not exist:\n{text}", remedy="correct the path")
    if said.unbuilt:
        return SourceError(
            f"a source distribution could not be built to learn its metadata:\n{text}",
            remedy="install what its build needs, or forbid building with --no-build",
        )
    return SourceError(f"uv failed (exit {completed.code}):\n{text}", remedy=None)


def _cleaned(stderr: str) -> str:
    """uv's message without its notices, our generated project's traces and options of its own."""
    kept = []
    for line in stderr.splitlines():
        if re.match(r"Using (CPython|PyPy)|warning: |WARN |DEBUG |hint: While the active", line):
            continue
        if "exclude-newer" in line:
            match = _LATER.search(line)
            if match:
                kept.append(
                    f"hint: {match['name']} {match['version']} would do,"
                    f" published {match['instant']}"
                )
            continue
        line = _SPLIT.sub("", line.removeprefix("error: ").removeprefix("  cause: "))
        line = line.removeprefix("         ")
        if line == "No solution found when resolving dependencies":
            continue
        kept.append(line)
    return _GENERATED.sub("the request", "\n".join(kept).strip())
