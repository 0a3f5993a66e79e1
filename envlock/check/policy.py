"""What a project says of differences (``[tool.envlock.check]``), applied to those found."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, replace
from datetime import date
from fnmatch import fnmatchcase

from envlock.check.codes.explain import find_code
from envlock.check.drift import MEANINGS, Code, Drift, Layer, Severity
from envlock.errors import UsageError
from envlock.project.settings.check import CheckSettings, Ignore


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """A difference that the project accepts, and the entry that says so."""

    drift: Drift
    ignore: Ignore


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """``drift`` is what remains, with the project's severities; ``unused`` are entries that fit
    nothing, in layers that were compared; ``expired`` those that would fit, and are over."""

    drift: tuple[Drift, ...]
    accepted: tuple[Accepted, ...] = ()
    unused: tuple[Ignore, ...] = ()
    expired: tuple[Ignore, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether something counts as an error."""
        return any(d.severity is Severity.ERROR for d in self.drift)


def judge(
    found: Iterable[Drift], settings: CheckSettings, compared: Set[Layer], *, today: date
) -> Judged:
    """Take out what is accepted, and give the rest its severity.

    Args:
        found: the differences.
        settings: the project's.
        compared: the layers that were compared; entries of others are not called unused.
        today: entries that counted until an earlier day are over.

    Raises:
        UsageError: the settings name a code that does not exist.
    """
    severities = {_code(s.code, s.where): Severity(s.severity) for s in settings.severities}
    codes = {
        ignore: _code(ignore.code, ignore.where) if ignore.code else None
        for ignore in settings.ignores
    }
    rest, accepted, used = [], [], set()
    expired: dict[Ignore, None] = {}
    for drift in found:
        fitting = [i for i, code in codes.items() if code in (None, drift.code) and _fits(i, drift)]
        over = [i for i in fitting if i.until is not None and i.until < today]
        used.update(over)
        fitting = [i for i in fitting if i not in over]
        if fitting:
            used.update(fitting)
            accepted.append(Accepted(drift=drift, ignore=fitting[0]))
        else:
            expired.update(dict.fromkeys(over))
            rest.append(replace(drift, severity=severities.get(drift.code, drift.severity)))
    # Without an environment nothing is known of its packages.
    seen = set(compared)
    if any(drift.code is Code.NO_ENVIRONMENT for drift in (*rest, *(a.drift for a in accepted))):
        seen.discard(Layer.PYTHON)
    unused = [i for i, code in codes.items() if i not in used and _layer(code) in seen]
    return Judged(
        drift=tuple(rest), accepted=tuple(accepted), unused=tuple(unused), expired=tuple(expired)
    )


def _fits(ignore: Ignore, drift: Drift) -> bool:
    named = ignore.id is None or ignore.id in drift.ids
    return named and fnmatchcase(drift.subject, ignore.subject)


def _layer(code: Code | None) -> Layer:
    """That of an entry; one with an id alone is about an advisory."""
    return Layer.ADVISORIES if code is None else MEANINGS[code].layer


def _code(text: str, where: str) -> Code:
    try:
        return find_code(text)
    except UsageError as error:
        raise UsageError(error.what, where=where, remedy=error.remedy) from None
