"""``[tool.envlock.check]``: which differences a project accepts, and how much each counts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from envlock.errors import UsageError
from envlock.project.document import Document, KeyPath, dotted, nearest

_KEYS = ("ignore", "severity")
_ENTRY = ("code", "reason", "subject")
_CODE = re.compile(r"[A-Z]{2}[0-9]{3}")
_SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """A difference that is accepted.

    ``code`` is as ``PY002``; ``subject`` a pattern (``fnmatch``: ``*``, ``?``, ``[…]``) for what it
    is about, ``*`` for all; ``reason`` says why. ``where`` is the place in the file.
    """

    code: str
    subject: str = "*"
    reason: str
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityChoice:
    """How much a code counts: ``severity`` is ``error``, ``warning`` or ``note``."""

    code: str
    severity: str
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """What the table says. That its codes exist is for ``check`` to judge."""

    ignores: tuple[Ignore, ...] = ()
    severities: tuple[SeverityChoice, ...] = ()


def read_check(document: Document, path: KeyPath, value: Any) -> CheckSettings:
    """The table at ``path``.

    Raises:
        UsageError: an unknown key, a wrong type, an ignore without a code or a reason.
    """
    if not isinstance(value, dict):
        raise document.wrong(path, "a table")
    for key in value:
        _known(document, (*path, key), _KEYS)
    return CheckSettings(
        ignores=_ignores(document, (*path, "ignore"), value.get("ignore", [])),
        severities=_severities(document, (*path, "severity"), value.get("severity", {})),
    )


def _ignores(document: Document, path: KeyPath, value: Any) -> tuple[Ignore, ...]:
    example = '[{ code = "PY002", subject = "ipython", reason = "for debugging" }]'
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise document.wrong(path, f"a list of tables such as {example}")
    found = []
    for number, entry in enumerate(value):
        for key, text in entry.items():
            if key not in _ENTRY:
                _known(document, (*path, key), _ENTRY, place=path)
            if not isinstance(text, str) or not text.strip():
                raise UsageError(
                    f"{dotted(path)}[{number}].{key}: expected a text", where=document.place(path)
                )
        for key in ("code", "reason"):
            if key not in entry:
                raise UsageError(
                    f"{dotted(path)}[{number}] has no {key}",
                    where=document.place(path),
                    remedy=f"write {example}",
                )
        where = document.place(path, entry["reason"])
        _checked_code(document, path, entry["code"])
        found.append(Ignore(**entry, where=where))
    return tuple(found)


def _severities(document: Document, path: KeyPath, value: Any) -> tuple[SeverityChoice, ...]:
    if not isinstance(value, dict):
        raise document.wrong(path, 'a table such as { PY002 = "warning" }')
    found = []
    for code, severity in value.items():
        _checked_code(document, path, code)
        if severity not in _SEVERITIES:
            raise document.wrong((*path, code), '"error", "warning" or "note"')
        where = document.place((*path, code))
        found.append(SeverityChoice(code=code, severity=severity, where=where))
    return tuple(found)


def _checked_code(document: Document, path: KeyPath, code: str) -> None:
    if not _CODE.fullmatch(code):
        raise UsageError(
            f"{dotted(path)}: {code!r} is no code of a difference",
            where=document.place(path, code),
            remedy='for example "PY002"; all of them: envlock explain',
        )


def _known(
    document: Document, path: KeyPath, known: tuple[str, ...], *, place: KeyPath | None = None
) -> None:
    if path[-1] not in known:
        raise UsageError(
            f"unknown key {dotted(path)}",
            where=document.place(place or path),
            remedy=nearest(str(path[-1]), known),
        )
