"""Does a lock still answer a request? If not, exactly why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from envlock.lock.hashing import request_digest
from envlock.lock.model import Lock
from envlock.lock.request import Request

_SOURCES = "local-sources"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class StaleKind(StrEnum):
    """Which part of the request changed."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mismatch:
    """One difference between the request now and the one that was locked.

    ``field`` is the key of ``Request.canonical`` (or ``as-of``); ``before``/``after`` are texts.
    """

    field: str
    kind: StaleKind
    before: str | None = None
    after: str | None = None

    def __str__(self) -> str:
        if self.field == _SOURCES and self.after is not None:
            verb = "has changed" if self.kind is StaleKind.CHANGED else "is not in the lock"
            return f"{_path(self.after)}: what it asks for {verb}"
        if self.kind is StaleKind.ADDED:
            return f"{self.field}: {self.after} was added"
        if self.kind is StaleKind.REMOVED:
            return f"{self.field}: {self.before} was removed"
        return f"{self.field}: was {self.before}, is now {self.after}"


def mismatches(request: Request, lock: Lock) -> tuple[Mismatch, ...]:
    """Why ``lock`` no longer answers ``request``; empty when it does."""
    found: list[Mismatch] = []
    if request.as_of is not None and request.as_of != lock.as_of:
        found.append(
            Mismatch(
                field="as-of",
                kind=StaleKind.CHANGED,
                before=lock.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
                after=request.as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
            )
        )
    if request_digest(request) == request_digest(lock.request):
        return tuple(found)
    before, after = lock.request.canonical(), request.canonical()
    for key in sorted(before.keys() | after.keys()):
        found.extend(_field_mismatches(key, before.get(key), after.get(key)))
    # A path that came or went is told as a requirement.
    told = [m for m in found if m.field != _SOURCES or m.kind is StaleKind.CHANGED]
    return tuple(told or found)


def _list_mismatches(key: str, old: list[str], new: list[str]) -> list[Mismatch]:
    """What left and what came; one of each about the same project is a change."""
    about = _path if key == _SOURCES else _subject
    gone = {about(text): text for text in old if text not in new}
    come = {about(text): text for text in new if text not in old}
    if len(gone) + len(come) != len(set(old) ^ set(new)):
        # Several lines about one project: each stands for itself.
        gone = {text: text for text in old if text not in new}
        come = {text: text for text in new if text not in old}
    return [
        Mismatch(
            field=key,
            kind=(
                StaleKind.CHANGED
                if subject in gone and subject in come
                else StaleKind.REMOVED
                if subject in gone
                else StaleKind.ADDED
            ),
            before=gone.get(subject),
            after=come.get(subject),
        )
        for subject in sorted(gone.keys() | come.keys())
    ]


def _subject(text: str) -> str:
    """The project that a requirement's line is about; another text is its own subject."""
    match = _NAME.match(text.removeprefix("-e "))
    return match[0] if match else text


def _path(source: str) -> str:
    """The path of an entry of ``local-sources``."""
    return source.rpartition(" sha256:")[0] or source


def _field_mismatches(key: str, before: object, after: object) -> list[Mismatch]:
    if before == after:
        return []
    if isinstance(before or after, list):
        old = [str(item) for item in before or []]  # type: ignore[attr-defined]
        new = [str(item) for item in after or []]  # type: ignore[attr-defined]
        found = _list_mismatches(key, old, new)
        if found:
            return found
        return [
            Mismatch(field=key, kind=StaleKind.CHANGED, before=", ".join(old), after=", ".join(new))
        ]
    return [
        Mismatch(
            field=key,
            kind=StaleKind.CHANGED,
            before=_text(before),
            after=_text(after),
        )
    ]


def _text(value: object) -> str:
    """A setting's value as a project writes it (TOML)."""
    if value is None:
        return "unset"
    return str(value).lower() if isinstance(value, bool) else str(value)
