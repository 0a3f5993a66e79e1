"""What ``envlock runs repeat`` says."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import Any

from envlock.cli.context import Context
from envlock.cli.output import result, say
from envlock.cli.repeating.steps import Repeat
from envlock.cli.runs.common import meanwhile
from envlock.cli.style import style
from envlock.runs.facts import fact_value
from envlock.runs.judge.findings import Verdict
from envlock.runs.judge.findings import shown as short
from envlock.runs.repeat.code import Missing
from envlock.runs.repeat.host import HostDifference
from envlock.runs.repeat.verdict import Judged

_COLOURS = {
    Verdict.IDENTICAL: "green",
    Verdict.CLOSE: "green",
    Verdict.DIFFERENT: "red",
    Verdict.MISSING: "red",
}
_MOST = 8


def report(context: Context, steps: Repeat, *, dry: bool) -> None:
    """For people: what was used, each result, the verdict, and what may be the cause."""
    _tell_parts(context, steps)
    _tell_missing(steps.missing)
    if steps.verdict is None:
        if steps.missing and not dry:
            say(context, "nothing was run; --anyway runs it without what is gone")
        return
    for one in steps.judged:
        result(_line(one))
    _tell_causes(context, steps)
    if steps.kept is not None:
        say(context, f"kept         {steps.kept}")
    result(f"{style(steps.verdict.value, f'bold {_COLOURS[steps.verdict]}')}{_cause(steps)}")


def _tell_missing(missing: tuple[Missing, ...]) -> None:
    """What is gone; of several that were looked for at the same places, those once."""
    for (tried, remedy), some in groupby(missing, key=lambda one: (one.tried, one.remedy)):
        for gone in some:
            result(f"{style('gone', 'bold red')}: {gone.what}")
        for place in tried:
            result(f"  looked at: {place}")
        if remedy is not None:
            result(f"  {style('help', 'bold')}: {remedy}")


def _tell_parts(context: Context, steps: Repeat) -> None:
    prepared = steps.prepared
    if prepared is not None:
        count = len(prepared.inputs)
        sources = Counter(one.source for one in prepared.inputs)
        told = ", ".join(
            f"{number} {'' if source == 'in place' else 'from '}{source}"
            for source, number in sources.most_common()
        )
        say(context, f"code         {prepared.code.told}")
        say(context, f"inputs       {f'{count}: {told}' if count else 'none'}")
    if steps.environment.told:
        say(context, f"environment  {steps.environment.told}")
    if steps.left():
        say(context, f"left out     changes that the run itself had made: {steps.left()}")
    for told in steps.pinned.told if steps.pinned else ():
        say(context, f"not pinned   {told}")


def _tell_causes(context: Context, steps: Repeat) -> None:
    for path, runs in [*steps.shared.items()][:_MOST]:
        say(context, f"result       {_plain(path)}: {meanwhile(runs)}")
    for difference in steps.host[:_MOST]:
        say(context, f"host         {_host(difference)}")
    if steps.verdict is Verdict.IDENTICAL:
        return
    for cause in steps.causes[:_MOST]:
        pair = [_value(value) for value in (cause.before, cause.after)]
        say(context, f"{cause.layer.value:<12} {short(cause.subject)}: {pair[0]} → {pair[1]}")
    if len(steps.causes) > _MOST:
        say(context, f"             and {len(steps.causes) - _MOST} more: envlock runs diff")


def _line(one: Judged) -> str:
    found = one.found
    name = f"metric {one.name}" if one.kind == "metric" else one.name
    if one.kind == "stdout":
        name = "stdout" if one.name == "stdout" else "stdout and stderr"
    text = f"{style(f'{found.verdict.value:<9}', _COLOURS[found.verdict])}  {_plain(name)}"
    if found.where is not None:
        text += (
            f"  {found.how}: {_plain(found.where)}" if one.kind == "output" else f"  {found.where}"
        )
    elif found.verdict is Verdict.CLOSE:
        text += f"  {found.how}: {_error(found.absolute, found.relative)}"
    return text if one.counts else f"{text}  (does not count)"


def _error(absolute: float | None, relative: float | None) -> str:
    if not absolute:
        return "the same values in other bytes"
    return f"largest error {absolute:.3g}, relative {relative:.3g}"


def _host(one: HostDifference) -> str:
    return f"{one.subject}: {one.before or 'nothing'} → {one.after or 'nothing'}"


def _value(value: Any) -> str:
    return "nothing" if value is None else short(fact_value(value))


def _cause(steps: Repeat) -> str:
    """What is the likely cause, in a half sentence."""
    if steps.verdict in (None, Verdict.IDENTICAL):
        counted = [one for one in steps.judged if one.counts]
        only = len(counted) == 1 and counted[0].kind == "exit"
        return ": only its exit code could be compared" if only else ""
    if steps.shared:
        return "; other runs wrote the same files at the same time, see above"
    layers = [cause.layer.value for cause in steps.causes]
    if layers:
        return f"; {' and '.join(dict.fromkeys(layers))} differ, see above"
    if steps.host:
        return f"; the host differs: {'; '.join(_host(one) for one in steps.host[:3])}"
    return "; code, environment, data and host are the same: does the program use chance or time?"


def _plain(text: str) -> str:
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def report_json(steps: Repeat, *, dry: bool) -> dict[str, Any]:
    """For programs; see docs/json.md."""
    prepared = steps.prepared
    return {
        "causes": [
            {"after": d.after, "before": d.before, "layer": d.layer.value, "subject": d.subject}
            for d in steps.causes
        ],
        "code": prepared.code.told if prepared else None,
        "dry-run": dry,
        "environment": steps.environment.told or None,
        "folder": steps.kept,
        "host": [{"after": d.after, "before": d.before, "subject": d.subject} for d in steps.host],
        "inputs": [{"path": one.path, "source": one.source} for one in prepared.inputs]
        if prepared
        else [],
        "judged": [_judged_json(one) for one in steps.judged],
        "missing": [
            {"remedy": one.remedy, "tried": list(one.tried), "what": one.what}
            for one in steps.missing
        ],
        "not-pinned": list(steps.pinned.told) if steps.pinned else [],
        "repeat": steps.after["id"] if steps.after else None,
        "run": steps.record["id"],
        "shared": {path: list(runs) for path, runs in steps.shared.items()},
        "verdict": steps.verdict.value if steps.verdict else None,
    }


def _judged_json(one: Judged) -> dict[str, Any]:
    return {
        "absolute": one.found.absolute,
        "counts": one.counts,
        "how": one.found.how,
        "kind": one.kind,
        "name": one.name,
        "relative": one.found.relative,
        "verdict": one.found.verdict.value,
        "where": one.found.where,
    }
