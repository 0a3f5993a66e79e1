"""Does a lock still answer a request? If not, exactly why."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from envlock.lock.hashing import request_digest
from envlock.lock.model import Lock
from envlock.lock.request import Request


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
    return tuple(found)


def _field_mismatches(key: str, before: object, after: object) -> list[Mismatch]:
    if before == after:
        return []
    if isinstance(before or after, list):
        old = [str(item) for item in before or []]  # type: ignore[attr-defined]
        new = [str(item) for item in after or []]  # type: ignore[attr-defined]
        gone = [Mismatch(field=key, kind=StaleKind.REMOVED, before=x) for x in old if x not in new]
        come = [Mismatch(field=key, kind=StaleKind.ADDED, after=x) for x in new if x not in old]
        if gone or come:
            return gone + come
        return [
            Mismatch(
                field=key, kind=StaleKind.CHANGED, before=", ".join(old), after=", ".join(new)
            )
        ]
    return [
        Mismatch(
            field=key,
            kind=StaleKind.CHANGED,
            before="unset" if before is None else str(before),
            after="unset" if after is None else str(after),
        )
    ]
