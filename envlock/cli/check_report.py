"""How `envlock check` tells what it found: a table for people, or a format for programs."""

from __future__ import annotations

import re
from pathlib import Path

import click

from envlock.check.drift import MEANINGS, Drift, Layer, Severity
from envlock.check.report.outcome import Outcome, render, sentence
from envlock.cli.context import Context
from envlock.cli.output import say
from envlock.cli.style import style
from envlock.io.files import write_atomic
from envlock.lock.hashing import shorten

ROWS = 20
"""Rows of one layer, without --verbose."""

_TITLES = {
    Layer.REQUEST: "the project has changed since it was locked",
    Layer.PYTHON: "the environment is not what the lock says",
    Layer.OS: "the system's packages are not what the lock says",
    Layer.NIX: "what Nix built is not what the lock says",
    Layer.IMAGE: "the image is not of this lock",
    Layer.INDEX: "what the lock names is no longer as it was locked",
    Layer.ADVISORIES: "advisories name what is locked",
}


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
            title = _TITLES[layer]
            lines += [style(title, "bold") if coloured else title, *_table(rows, context)]
    if context.verbose and outcome.judged.accepted:
        lines.append(style("accepted", "bold") if coloured else "accepted")
        lines += [
            f"  {a.drift.code}  {a.drift.name}  {a.drift.subject}  {a.ignore.reason}"
            for a in outcome.judged.accepted
        ]
    return "".join(f"{line}\n" for line in lines)


def _table(rows: tuple[Drift, ...], context: Context) -> list[str]:
    shown = rows if context.verbose else rows[:ROWS]
    cells = [(d.code, d.name, d.subject, _difference(d)) for d in shown]
    widths = [max(len(row[column]) for row in cells) for column in range(3)]
    lines = [
        "  " + "  ".join([*(row[i].ljust(widths[i]) for i in range(3)), row[3]]).rstrip()
        for row in cells
    ]
    if len(rows) > len(shown):
        lines.append(f"  … and {len(rows) - len(shown)} more: --verbose shows all")
    return lines


def _difference(found: Drift) -> str:
    text = sentence(found)
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
    remedies = list(dict.fromkeys(d.remedy for d in judged.drift))
    say(context, f"to repair it: {' && '.join(_few(remedies))}")


def no_drift(outcome: Outcome) -> str:
    """What is said when all is as locked."""
    return f"no drift: {shorten(outcome.environment_hash)}, {outcome.packages} packages"


def _few(remedies: list[str]) -> list[str]:
    """Without a plain sync where the environment has to be made anew."""
    recreate = "envlock sync --recreate"
    return [r for r in remedies if not (r == "envlock sync" and recreate in remedies)]
