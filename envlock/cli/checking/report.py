"""How `envlock check` tells what it found: a table for people, or a format for programs."""

from __future__ import annotations

import re
from pathlib import Path

import click

from envlock.check.codes.meanings import RECREATE, SYNC
from envlock.check.drift import MEANINGS, Code, Drift, Layer, Severity
from envlock.check.report.outcome import Outcome, render, sentence, told
from envlock.cli.context import Context
from envlock.cli.output import say
from envlock.cli.style import style
from envlock.io.files import write_atomic
from envlock.lock.hashing import PREFIX, shorten

ROWS = 20
"""Rows of one layer, without --verbose."""
DIFF_LINES = 6
"""Changed lines of one file, without --verbose."""

_TITLES = {
    Layer.REQUEST: "the project has changed since it was locked",
    Layer.EXPORTS: "exported files are not what the lock gives",
    Layer.PYTHON: "the environment is not what the lock says",
    Layer.OS: "the system's packages are not what the lock says",
    Layer.NIX: "what Nix built is not what the lock says",
    Layer.IMAGE: "the image is not of this lock",
    Layer.INDEX: "what the lock names is no longer as it was locked",
    Layer.ADVISORIES: "advisories name what is locked",
}
_DIGEST = re.compile(r"\b((?:sha256:|env1-)?[0-9a-f]{12})[0-9a-f]{52}\b")
"""Of digests, people compare the beginning; programs get all of it."""

_EDITED = "the lock was edited, so nothing was compared with it"


def tell(context: Context, outcome: Outcome, form: str, output: Path | None) -> None:
    """Print it, or write it to a file, whole or not at all; people's lines go to stderr.

    Args:
        form: ``table``, or one of ``report.outcome.FORMATS``.
        output: the file; None for stdout.
    """
    text = _tables(context, outcome, coloured=output is None)
    if form != "table":
        text = render(form, outcome)
    write_result(text, output)
    if form != "json":
        _summary(context, outcome)


def write_result(text: str, output: Path | None) -> None:
    """To a file, whole or not at all, or to stdout."""
    if output is not None:
        write_atomic(output, text)
    else:
        click.echo(text, nl=False)


def package_lines(text: str) -> dict[str, int]:
    """Package name → the line of the lockfile that it begins on (from 1)."""
    found: dict[str, int] = {}
    for match in re.finditer(r'^\[\[packages\]\]\nname = "([^"\n]+)"', text, re.MULTILINE):
        found.setdefault(match[1], text.count("\n", 0, match.start(1)) + 1)
    return found


def _tables(context: Context, outcome: Outcome, *, coloured: bool) -> str:
    lines: list[str] = []
    for layer in Layer:
        rows = outcome.of(layer)
        if not context.verbose:
            rows = tuple(d for d in rows if d.severity is not Severity.NOTE)
        if rows:
            edited = any(d.code is Code.LOCK_EDITED for d in rows)
            title = _EDITED if edited else _TITLES[layer]
            lines.append(style(title, "bold") if coloured else title)
            lines += _table(rows, context, coloured=coloured)
    if context.verbose and outcome.judged.accepted:
        lines.append(style("accepted", "bold") if coloured else "accepted")
        lines += [
            f"  {a.drift.code}  {a.drift.name}  {a.drift.subject}  {a.ignore.reason}"
            for a in outcome.judged.accepted
        ]
    return "".join(f"{line}\n" for line in lines)


def _table(rows: tuple[Drift, ...], context: Context, *, coloured: bool) -> list[str]:
    shown = rows if context.verbose else rows[:ROWS]
    cells = [(d.code, d.name, d.subject, _difference(d)) for d in shown]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = []
    for one, row in zip(shown, cells, strict=True):
        told = [*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[3]]
        lines.append(f"  {'  '.join(told)}".rstrip())
        lines += _changed(one.diff, whole=context.verbose, coloured=coloured)
    if len(rows) > len(shown):
        lines.append(f"  … and {len(rows) - len(shown)} more: --verbose shows all")
    return lines


def _changed(diff: str | None, *, whole: bool, coloured: bool) -> list[str]:
    """A diff, indented; without ``whole`` the first lines that it changes."""
    lines = [_plain(line) for line in (diff or "").splitlines()]
    if not whole:
        lines = [x for x in lines if x.startswith(("-", "+")) and not _is_noise(x)]
    cut = len(lines) - DIFF_LINES
    if not whole and cut > 1:
        lines = [*lines[:DIFF_LINES], f"… and {cut} more lines: --verbose shows all"]
    colours = {"-": "red", "+": "green"}
    return [
        "      " + (style(line, colours[line[0]]) if coloured and line[:1] in colours else line)
        for line in lines
    ]


def _is_noise(line: str) -> bool:
    """Names of files, and digests of all: they say that, not what differs."""
    return line.startswith(("--- ", "+++ ")) or PREFIX in line


def _plain(text: str) -> str:
    """Without signs that a terminal would obey: the text is somebody's file."""
    return "".join(c if c.isprintable() or c == "\t" else ascii(c)[1:-1] for c in text)


def _difference(found: Drift) -> str:
    text = sentence(found) if found.diff else told(found)
    text = _DIGEST.sub(r"\1…", text)
    return text if found.severity is Severity.ERROR else f"{text} ({found.severity})"


def _summary(context: Context, outcome: Outcome) -> None:
    judged = outcome.judged
    for ignore in judged.unused:
        say(context, f"{ignore.where}: ignores {ignore.shown}, which is not there")
    for ignore in judged.expired:
        say(context, f"{ignore.where}: ignored {ignore.shown} until {ignore.until}, which is over")
    ignored = f", {len(judged.accepted)} ignored" if judged.accepted else ""
    short = shorten(outcome.environment_hash)
    if not judged.drift:
        say(context, no_drift(outcome) + ignored)
        return
    kinds = ", ".join(
        f"{sum(d.code is code for d in judged.drift)} {meaning.name}"
        for code, meaning in MEANINGS.items()
        if any(d.code is code for d in judged.drift)
    )
    counts = "drift" if judged.failed else "no drift that counts as an error"
    say(context, f"{counts} from {short}: {kinds}{ignored}")
    for line in _remedies(judged.drift):
        say(context, line)


def no_drift(outcome: Outcome) -> str:
    """What is said when all is as locked."""
    return f"no drift from {shorten(outcome.environment_hash)}: {', '.join(outcome.scope)}"


def _remedies(found: tuple[Drift, ...]) -> list[str]:
    """The commands in one line that can be copied; what is for people to do, by code."""
    commands = list(dict.fromkeys(d.remedy for d in found if d.remedy.startswith("envlock ")))
    anew = any(command.startswith(RECREATE) for command in commands)
    if anew:  # of which this is part
        commands = [c for c in commands if c.startswith(RECREATE) or not c.startswith(SYNC)]
    others: dict[str, dict[str, None]] = {}
    for d in found:
        if not d.remedy.startswith("envlock "):
            others.setdefault(d.remedy, {})[f"{d.code} {d.name}"] = None
    lines = [f"to repair it: {' && '.join(commands)}"] if commands else []
    return lines + [
        f"to repair {', '.join(kinds)}: {remedy}"
        for remedy, kinds in others.items()
        if not anew or RECREATE not in remedy
    ]
