"""Markdown (GitHub's, with tables), for job summaries and comments."""

from __future__ import annotations

import re

from envlock.check.codes.explain import TITLES
from envlock.check.drift import Drift, Layer
from envlock.check.report.outcome import Outcome, anchor, told

_SIGNS = re.compile(r"([\\`*_{}\[\]<>()#+!|~&$@:-])")


def write(outcome: Outcome) -> str:
    """A heading, a table for each layer that differs, and what was accepted."""
    judged = outcome.judged
    state = "differs from" if judged.failed else "is as in"
    lines = [f"## The environment {state} {_escaped(outcome.lock)}", ""]
    lines += [f"`{outcome.environment_hash}`: {_escaped(', '.join(outcome.scope))}", ""]
    for layer in Layer:
        found = outcome.of(layer)
        if found:
            lines += [f"### {TITLES[layer]}", "", "| code | subject | difference | remedy |"]
            lines += ["|---|---|---|---|", *map(_row, found), ""]
            lines += [line for d in found if d.diff for line in _fenced(d.diff)]
    if judged.accepted:
        lines += ["### Accepted", "", "| code | subject | reason |", "|---|---|---|"]
        lines += [
            _cells(_link(a.drift), _escaped(a.drift.subject), _escaped(a.ignore.reason))
            for a in judged.accepted
        ]
        lines.append("")
    for ignore in judged.unused:
        text = f"{ignore.where}: ignores {ignore.shown}, which is not there"
        lines += [_escaped(text), ""]
    for ignore in judged.expired:
        text = f"{ignore.where}: ignored {ignore.shown} until {ignore.until}, which is over"
        lines += [_escaped(text), ""]
    return "\n".join(lines)


def _row(found: Drift) -> str:
    text = _escaped(told(found))
    if found.severity != "error":
        text = f"{found.severity}: {text}"
    return _cells(_link(found), _escaped(found.subject), text, _escaped(found.remedy))


def _fenced(diff: str) -> list[str]:
    """A diff as a block of code that nothing in it can end."""
    fence = "`" * (max((len(ticks) for ticks in re.findall("`+", diff)), default=2) + 1)
    return [f"{fence if len(fence) > 2 else '```'}diff", *diff.splitlines(), fence, ""]


def _link(found: Drift) -> str:
    return f"[{found.code} {found.name}]({anchor(found)})"


def _cells(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _escaped(text: str) -> str:
    """As it is, whatever signs and line breaks it has."""
    return _SIGNS.sub(r"\\\1", " ".join(text.split()))
