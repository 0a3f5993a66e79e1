"""``envlock explain``: what a difference's code stands for."""

from __future__ import annotations

import click

from envlock.check.codes.explain import ORIGINS, TITLES, find_code
from envlock.check.drift import MEANINGS, Code, Layer
from envlock.cli.common import json_option
from envlock.cli.output import result, result_json
from envlock.cli.style import style

_EPILOG = """\b
Examples:
  envlock explain PY003           # or its name: envlock explain other-version
  envlock explain                 # all codes"""


@click.command(epilog=_EPILOG)
@click.argument("code", required=False, metavar="[CODE]")
@json_option
def command(code: str | None, as_json: bool) -> int:
    """Say what a code of `envlock check` means, what causes it, and what to do.

    Without CODE: all of them, one line each.
    """
    chosen = tuple(MEANINGS) if code is None else (find_code(code),)
    if as_json:
        result_json({"codes": [_as_json(one) for one in chosen]})
    elif code is None:
        result("\n".join(_listed()))
    else:
        result("\n".join(_explained(chosen[0])))
    return 0


def _listed() -> list[str]:
    width = max(len(meaning.name) for meaning in MEANINGS.values())
    lines = []
    for layer in Layer:
        lines.append(style(TITLES[layer], "bold"))
        lines += [
            f"  {code}  {meaning.name.ljust(width)}  {meaning.summary}"
            for code, meaning in sorted(MEANINGS.items())
            if meaning.layer is layer
        ]
    return lines


def _explained(code: Code) -> list[str]:
    meaning = MEANINGS[code]
    entry = f'{{ code = "{code}", subject = "…", reason = "…" }}'
    parts = {
        "cause": ORIGINS.get(code),
        "remedy": meaning.remedy,
        "severity": f"{meaning.severity} (layer {meaning.layer})",
        "to accept it": None
        if code is Code.LOCK_EDITED
        else f"[tool.envlock.check] ignore = [{entry}]",
    }
    lines = [f"{style(f'{code} {meaning.name}', 'bold')}: {meaning.summary}"]
    return lines + [f"{style(key, 'bold')}: {text}" for key, text in parts.items() if text]


def _as_json(code: Code) -> dict[str, str | None]:
    meaning = MEANINGS[code]
    return {
        "code": code,
        "layer": meaning.layer,
        "name": meaning.name,
        "origin": ORIGINS.get(code),
        "remedy": meaning.remedy,
        "severity": meaning.severity,
        "summary": meaning.summary,
    }
