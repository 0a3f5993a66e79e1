"""What a generated file says of its making: the command that makes it again.

The exporters write a sentence with their own name; here it gets what else was chosen, so that
whoever finds the file later can make the same one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote

from envlock.export.exporter import FileTree

MADE = b"Made by envlock"
"""By this envlock knows files that it may replace."""

_SENTENCE = re.compile(
    rb"(Made by envlock)( from (?:a lock|[^\s;`]+))?"
    rb"(; make it again with `envlock export)((?: [^\s`]+)*)`"
)
_STATED = (
    re.compile(rb"env1-[0-9a-f]{64}"),
    re.compile(
        rb'(?:[Aa]s of: |as-of = |as it was at |"(?:asOf|timestamp|created)": ")([0-9][0-9T:+Z-]+)'
    ),
    re.compile(rb'SOURCE_DATE_EPOCH(?:: "|=)([0-9]+)'),
    re.compile(rb'"(?:serialNumber|documentNamespace)": "([^"]+)"'),
)
"""What follows from the lock and stands in many a file: environment hash, date, document."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """How a file was made.

    ``format`` is the exporter's name, ``target`` as ``--target`` was given, ``owner`` what says
    whose lock it was: ``--name gpu``, ``--script report.py``; empty for the project's own.
    """

    format: str
    target: str | None = None
    owner: str = ""

    @property
    def command(self) -> str:
        """``envlock export docker --target linux/amd64@3.11``."""
        target = f"--target {self.target}" if self.target else ""
        return " ".join(filter(None, ("envlock export", self.format, target, self.owner)))


def owner(*, name: str | None, script: str | None) -> str:
    """``Mark.owner`` of a named environment, or of a script (its path from the lock's folder)."""
    if script is not None:
        return f"--script {quote(script, safe='/@+~')}"
    return f"--name {name}" if name else ""


def marked(files: FileTree, mark: Mark, *, lock_name: str) -> FileTree:
    """The files, each with the whole command in its sentence, where it has one."""
    words = mark.command.removeprefix("envlock export").encode()

    def whole(match: re.Match[bytes]) -> bytes:
        source = b" from " + lock_name.encode() if match[2] else b""
        return match[1] + source + match[3] + words + b"`"

    return {name: _SENTENCE.sub(whole, content, count=1) for name, content in files.items()}


def read_mark(content: bytes) -> Mark | None:
    """What the first such sentence says; None where there is none that can be understood."""
    match = _SENTENCE.search(content)
    if match is None:
        return None
    format_name, *options = match[4].decode(errors="replace").split() or ("",)
    pairs = dict(zip(options[::2], options[1::2], strict=False))
    target = pairs.pop("--target", None)
    if not format_name or len(options) % 2 or len(pairs) > 1 or pairs.keys() - _OWNERS:
        return None
    own = " ".join(f"{option} {value}" for option, value in pairs.items())
    return Mark(format=format_name, target=target, owner=own)


_OWNERS = {"--name", "--script"}


def resaid(there: bytes, made: bytes) -> bytes:
    """``there`` with the sentence of ``made``, where both have one."""
    said = _SENTENCE.search(made)
    return there if said is None else _SENTENCE.sub(lambda _: said[0], there, count=1)


def stated(content: bytes) -> tuple[str | None, ...]:
    """Of which lock a file says that it is: the environment hash (None where it names none), and
    more that follows from the lock alone."""
    found = (pattern.search(content) for pattern in _STATED)
    return tuple(match[match.re.groups].decode() if match else None for match in found)
