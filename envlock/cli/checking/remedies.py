"""``envlock check``: remedies with the options that name what was compared, to be copied."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from envlock.check.codes.meanings import LOCK, RECREATE, SYNC
from envlock.check.drift import Drift


def for_these(
    found: Iterable[Drift],
    *,
    name: str | None,
    script: Path | None,
    prefix: Path | None,
    python: str | None,
) -> tuple[Drift, ...]:
    """The differences, their remedies for this lock and this environment.

    Args:
        found: with the remedies of their codes.
        name: that of the named environment.
        script: the script whose lock it is.
        prefix: the folder that was looked at, where it is not the lock's own.
        python: the interpreter whose environment was looked at.
    """
    whose = _options(("--name", name), ("--script", script))
    where = whose + _options(("--prefix", prefix), ("--python", python))
    if not where:
        return tuple(found)
    # `sync --python` makes nothing anew: the interpreter is somebody's.
    anew = "with what made it" if python is not None else RECREATE + where
    changed = ((RECREATE, "\0"), (SYNC, SYNC + where), (LOCK, LOCK + whose), ("\0", anew))
    return tuple(replace(d, remedy=_replaced(d.remedy, changed)) for d in found)


def _options(*pairs: tuple[str, str | Path | None]) -> str:
    return "".join(f" {option} {shlex.quote(str(value))}" for option, value in pairs if value)


def _replaced(text: str, changed: Iterable[tuple[str, str]]) -> str:
    for before, after in changed:
        if text.endswith(before):
            text = text.removesuffix(before) + after
    return text
