"""``[tool.envlock.check]``: which differences a project accepts, and how much each counts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from envlock.errors import UsageError
from envlock.project.direct import refuse_credentials
from envlock.project.document import Document, KeyPath, dotted, nearest

OSV = "https://api.osv.dev"
"""The public OSV service."""
_KEYS = ("ignore", "osv", "severity")
_ENTRY = ("code", "id", "reason", "subject", "until")
_CODE = re.compile(r"[A-Z]{2}[0-9]{3}")
_SEVERITIES = ("error", "warning", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignore:
    """A difference that is accepted.

    ``code`` is as ``PY002``, empty where ``id`` says it: an advisory's name, its own or an alias.
    ``subject`` is a pattern (``fnmatch``: ``*``, ``?``, ``[…]``) for what it is about, ``*`` for
    all; ``reason`` says why; ``until`` is the last day on which it counts. ``where`` is the place
    in the file.
    """

    code: str = ""
    subject: str = "*"
    reason: str
    id: str | None = None
    until: date | None = None
    where: str = field(default="", compare=False)

    @property
    def shown(self) -> str:
        """What it names, for people."""
        names = (self.code, self.id or "", self.subject if self.code or not self.id else "")
        return " ".join(name for name in names if name)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeverityChoice:
    """How much a code counts: ``severity`` is ``error``, ``warning`` or ``note``."""

    code: str
    severity: str
    where: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckSettings:
    """What the table says. That its codes exist is for ``check`` to judge.

    ``osv`` is the address of the OSV service that ``--online`` asks, without a final slash; None:
    none is asked.
    """

    ignores: tuple[Ignore, ...] = ()
    severities: tuple[SeverityChoice, ...] = ()
    osv: str | None = OSV


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
        osv=_osv(document, (*path, "osv"), value.get("osv", OSV)),
    )


def _osv(document: Document, path: KeyPath, value: Any) -> str | None:
    if value is False:
        return None
    if not isinstance(value, str) or not value.startswith(("https://", "http://")):
        raise document.wrong(path, f'an address such as "{OSV}", or false')
    refuse_credentials(value, where=document.place(path))
    return value.rstrip("/")


def _ignores(document: Document, path: KeyPath, value: Any) -> tuple[Ignore, ...]:
    example = '[{ code = "PY002", subject = "ipython", reason = "for debugging" }]'
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise document.wrong(path, f"a list of tables such as {example}")
    found = []
    for number, entry in enumerate(value):
        name = f"{dotted(path)}[{number}]"
        for key, text in entry.items():
            if key not in _ENTRY:
                _known(document, (*path, key), _ENTRY, place=path)
            if key != "until" and (not isinstance(text, str) or not text.strip()):
                raise UsageError(f"{name}.{key}: expected a text", where=document.place(path))
        for key in ("reason",) if "id" in entry else ("code", "reason"):
            if key not in entry:
                raise UsageError(
                    f"{name} has no {key}", where=document.place(path), remedy=f"write {example}"
                )
        where = document.place(path, entry["reason"])
        if "code" in entry:
            _checked_code(document, path, entry["code"])
        until = _until(entry.get("until"), f"{name}.until", where)
        found.append(Ignore(**{**entry, "until": until}, where=where))
    return tuple(found)


def _until(value: Any, name: str, where: str) -> date | None:
    """A day, as TOML writes it or as text."""
    if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise UsageError(f"{name}: expected a day such as 2026-12-31", where=where) from None


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
