"""What pip-compile and pip say: their failures as our errors, without tracebacks or loopback."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from envlock.errors import EnvlockError, NoSolutionError, SourceError, UsageError, VerificationError
from envlock.io.process import Completed
from envlock.lock.request import Wish

_CONFLICT = re.compile(
    r"The conflict is caused by:\n(?P<causes>(?:[ \t]+\S[^\n]*\n)+)"
    r"(?:\s*Additionally, some packages in these conflicts have no matching distributions[^\n]*\n"
    r"(?P<missing>(?:[ \t]+\S[^\n]*\n)+))?"
)
_DISCARDED = re.compile(
    r"Discarding \S+: Requested .*?(?P<reason>has inconsistent (?:name|version): .*)"
)
_THROUGH = re.compile(r"ERROR: Cannot install (.+) because these package versions have conflicting")
_NO_VERSION = re.compile(
    r"ERROR: Could not find a version that satisfies the requirement (?P<what>.+?)"
    r" \(from versions: (?P<versions>.*)\)"
)
_IGNORED = re.compile(r"ERROR: (Ignored the following .*)")
_UNREADABLE = re.compile(
    r"WARNING: Ignoring version (?P<version>\S+) of (?P<name>\S+) since it has invalid metadata:\n"
    r".*?has invalid metadata: (?P<reason>[^\n]*)"
)
_YANKED = re.compile(
    r"yanked version: '(?P<name>[^']+)' candidate \(version (?P<version>\S+) .*\n"
    r"\s*Reason for being yanked: (?P<reason>.*)"
)
_LINE_OF_WISH = re.compile(r"-r \S*requirements\.in \(line (?P<line>\d+)\)")
_EXCEPTION = re.compile(r"^(?P<kind>[A-Za-z_][\w.]*(?:Error|Exception|NotFound|Mismatch\w*|"
                        r"Filename|Wheel|Candidate|Inconsistent|Impossible)): (?P<text>.+)$",
                        re.MULTILINE)  # fmt: skip
_BUILD = re.compile(r"subprocess-exited-with-error|Failed to build|MetadataGenerationFailed")
_NETWORK = re.compile(
    r"HTTP error|NetworkConnectionError|Connection(?:Failed)?Error|IncompleteDownload|Max retries"
    r"|timed out|ProxyError|SSLError"
)
_BAD_WISH = re.compile(
    r"InvalidRequirement|InvalidWheelFilename|UnsupportedWheel|MetadataInconsistent|"
    r"InstallationError|RequirementsFileParseError|is not a supported wheel|' != '.*' for wheel"
)
_GIT = re.compile(r"× git (?:clone|fetch|checkout)[^\n]*did not run successfully")
_NOISE = re.compile(
    r"^\s*(?:$|ROUND \d|https?://127\.|note: This|error: subprocess-exited|\[end of output\]"
    r"|Looking in|Running command git)"
)
_TAIL = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleaner:
    """Knows one run's circumstances; takes out of a text what means nothing to the reader.

    ``folder`` is the temporary one, ``view_base`` the view's address, ``indexes`` the true ones in
    the view's order, ``wishes`` the lines of the requirements file, first line first. ``knows``
    tells whether an index has a project of that name at all.
    """

    folder: Path
    view_base: str
    indexes: tuple[str, ...]
    wishes: tuple[Wish, ...]
    knows: Callable[[str], bool]

    def __call__(self, text: str) -> str:
        """The text with true index addresses, file names and origins."""
        base = re.escape(self.view_base)
        text = re.sub(rf"{base}/\d+/files/[^\s/]+/[^\s/]+/([^\s)#']+)", r"\1", text)
        text = re.sub(rf"{base}/(\d+)/simple", self._index, text)
        text = text.replace(f"{self.view_base}", "the index")
        text = _LINE_OF_WISH.sub(self._wish, text)
        text = re.sub(r"-c \S*constraints\.txt \(line \d+\)", "the constraints", text)
        text = re.sub(r"\(from (?:http\S+|file\S+)\) ?", "", text)
        text = re.sub(r"\s\S*/pip-(?:resolve|install|req-build|unpack)-\S+", " …", text)
        return text.replace(f"{self.folder}/", "")

    def _index(self, match: re.Match[str]) -> str:
        return self.indexes[int(match[1])]

    def _wish(self, match: re.Match[str]) -> str:
        number = int(match["line"]) - 1
        if not 0 <= number < len(self.wishes):
            return "the request"
        wish = self.wishes[number]
        return f"{wish.text} ({wish.origin})" if wish.origin else wish.text


def error(completed: Completed, clean: Cleaner, as_of: datetime) -> EnvlockError:
    """The error that a failed run amounts to."""
    said = f"{completed.stdout}\n{completed.stderr}"
    discarded = _DISCARDED.search(said)
    if discarded is not None:
        return UsageError(
            f"a requirement's URL or path {discarded['reason']}", remedy="correct the name"
        )
    answer = _no_answer(said, clean)
    if answer is not None and not _BUILD.search(completed.stderr):
        text, remedy = answer
        return NoSolutionError(
            f"no set of packages as of {as_of:%Y-%m-%d %H:%M:%S}Z satisfies the request:\n{text}",
            remedy=remedy,
        )
    text = clean(_without_traceback(completed.stderr))
    if "THESE PACKAGES DO NOT MATCH THE HASHES" in said or "HashMismatch" in said:
        return VerificationError(
            f"a file is not what its digest says:\n{text}",
            remedy="the index or a proxy altered it: use another index",
        )
    if "No space left on device" in said:
        return SourceError(f"the disk is full:\n{text}", remedy="free some space, then try again")
    if _GIT.search(said):
        return SourceError(
            f"a repository could not be fetched:\n{text}",
            remedy="check the network and the repository, then try again",
        )
    if _BUILD.search(said):
        return SourceError(
            f"a source distribution could not be built to learn its metadata:\n{text}",
            remedy="install what its build needs, or forbid building with --no-build",
        )
    if _NETWORK.search(said):
        return SourceError(
            f"a file could not be fetched:\n{text}", remedy="check the network, then try again"
        )
    if _BAD_WISH.search(said):
        return UsageError(f"pip refuses a requirement:\n{text}", remedy="correct the requirement")
    return SourceError(f"pip failed (exit {completed.code}):\n{text}")


def _no_answer(said: str, clean: Cleaner) -> tuple[str, str] | None:
    """Who requires what that cannot be had, and a remedy; None for another kind of failure."""
    conflicts = list(_CONFLICT.finditer(said))
    lacking = list(_NO_VERSION.finditer(said))
    if conflicts and not lacking:
        causes = [line.strip() for line in conflicts[-1]["causes"].splitlines()]
        through = [f"through {who}" for who in _THROUGH.findall(said)[-1:]]
        return clean("\n".join(causes + through)), "change one of these requirements"
    if not lacking:
        return None
    match = lacking[-1]
    name = re.split(r"[\s<>=!~;\[(@]", match["what"], maxsplit=1)[0]
    known = match["versions"]
    lines = [f"no version satisfies {match['what']}; {_versions(known)}"]
    # "Ignored" lines stand before the failure that they explain.
    ignored = _IGNORED.findall(said[: match.start()].rpartition("Could not find")[2])
    lines += [_shortened(line) for line in ignored]
    lines += _left_out(said)
    causes = [line.strip() for c in conflicts[-1:] for line in c["causes"].splitlines()]
    remedy = "change the requirement, the target or the date"
    if known == "none" and not clean.knows(name):
        remedy = f"check the spelling of {name}, or name the index that has it"
    return clean("\n".join([*lines, *causes])), remedy


def _versions(text: str) -> str:
    if text == "none":
        return "the index has none for this platform, Python and date"
    known = text.split(", ")
    return "known are " + (text if len(known) <= 8 else f"{', '.join(['…', *known[-8:]])}")


def _shortened(line: str) -> str:
    """pip lists every ignored version; the last ones say enough."""
    head, _, listed = line.partition(": ")
    entries = re.split(r"[;,] ", listed)
    return f"{head[:1].lower()}{head[1:]}: {', '.join(entries[-5:])}"


def _without_traceback(stderr: str) -> str:
    """The last exception's own words, and what pip logged before it."""
    logged = []
    for line in stderr.splitlines():
        if line.startswith("Traceback (most recent call last)"):
            break
        # pip's log is indented; what is not is pip-tools' own account of its rounds.
        if line.startswith("  ") and not _NOISE.search(line):
            logged.append(line.strip())
    exceptions = [m["text"] for m in _EXCEPTION.finditer(stderr)]
    lines = dict.fromkeys([*exceptions[-1:], *logged[-_TAIL:]])
    return "\n".join(lines) or "\n".join(stderr.strip().splitlines()[-_TAIL:])


def notes(completed: Completed, clean: Cleaner) -> tuple[str, ...]:
    """What a successful run said that a user should know: versions left out, yanked ones taken."""
    said = completed.stderr
    found = _left_out(said)
    for match in _YANKED.finditer(said):
        reason = match["reason"].strip()
        stated = f": {reason}" if reason and not reason.startswith("<none") else ""
        found.append(f"{match['name']}=={match['version']} is yanked{stated}")
    return tuple(clean(text) for text in dict.fromkeys(found))


def _left_out(said: str) -> list[str]:
    """The versions whose metadata pip refused, once each."""
    found = (
        f"{match['name']}=={match['version']} was left out:"
        f" its metadata cannot be read ({match['reason']})"
        for match in _UNREADABLE.finditer(said)
    )
    return list(dict.fromkeys(found))
