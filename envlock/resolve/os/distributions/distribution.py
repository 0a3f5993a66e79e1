"""A distribution: its releases by codename, their suites, its keys and its snapshot service.

A new one is one module with a class that satisfies ``Distribution``, named in ``_KNOWN``.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from typing import Protocol

from envlock.errors import UsageError

_KNOWN = {
    "debian": "envlock.resolve.os.distributions.debian:Debian",
    "ubuntu": "envlock.resolve.os.distributions.ubuntu:Ubuntu",
}

IMPORT_TIME = timedelta(days=1)
"""After that time, a snapshot service has what an archive published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Codename:
    """A release of a distribution.

    ``version`` is its number (``12``, ``22.04``); empty while it has none. ``opened`` is when the
    archive first had it (as ``testing``), ``released`` when it became stable (UTC; None: not yet).
    ``python`` is the minor version of its ``python3`` package, None where that still changes.
    """

    name: str
    version: str
    opened: datetime
    released: datetime | None
    python: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """What is under one ``dists/NAME``; ``archive`` is the archive it lies in (``debian``)."""

    archive: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotService:
    """A public service that keeps an archive's past states.

    Args:
        url: its address, without a final slash.
        path: where an archive's state is, with ``{archive}`` and ``{timestamp}``
            (``YYYYMMDDTHHMMSSZ``).
        timestamps: where its imports are listed as JSON, with ``{archive}``; None: nowhere.
        first: the first state it has (UTC).
        per_second: how many requests a second it shall get from us at most.
    """

    url: str
    path: str
    timestamps: str | None
    first: datetime
    per_second: float


class Distribution(Protocol):
    """What envlock knows of a distribution. All of it is fixed: nothing is asked or read."""

    @property
    def name(self) -> str:
        """As in ``base = "debian:bookworm"``."""

    @property
    def codenames(self) -> tuple[Codename, ...]:
        """Oldest first."""

    @property
    def components(self) -> tuple[str, ...]:
        """All components, in the archive's order."""

    @property
    def default_components(self) -> tuple[str, ...]:
        """Those that are used when none are asked for."""

    @property
    def architectures(self) -> tuple[str, ...]:
        """Those that can be locked for, by the distribution's names."""

    @property
    def keyring(self) -> str:
        """The shipped keys' name (``trust.shipped_keyring``)."""

    @property
    def machine_keyrings(self) -> tuple[str, ...]:
        """Names of the distribution's keyrings under ``/usr/share/keyrings``."""

    @property
    def snapshots(self) -> SnapshotService:
        """The public snapshot service."""

    def suites(self, codename: str) -> tuple[Suite, ...]:
        """The suites that an up-to-date system of this codename uses, the main one first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A distribution's release: ``debian:bookworm``."""

    distribution: Distribution
    codename: Codename

    def __str__(self) -> str:
        return f"{self.distribution.name}:{self.codename.name}"

    @property
    def suites(self) -> tuple[Suite, ...]:
        """The release's suites."""
        return self.distribution.suites(self.codename.name)


def day(text: str) -> datetime:
    """Midnight UTC of an ISO date."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def distribution_named(name: str, text: str | None = None) -> Distribution:
    """``debian`` or ``ubuntu``; ``text`` is what the project says, for the message.

    Raises:
        UsageError: no such distribution (the nearest is named).
    """
    if name not in _KNOWN:
        raise _unknown(f"unknown distribution {name!r}", name, list(_KNOWN), text or name)
    module, _, attribute = _KNOWN[name].partition(":")
    found: Distribution = getattr(import_module(module), attribute)()
    return found


def parse_base(text: str, *, as_of: datetime | None = None) -> Base:
    """The base called ``debian:bookworm``, ``debian:12``, ``ubuntu:24.04`` or ``ubuntu:noble``.

    Raises:
        UsageError: no such distribution or release (the nearest is named), or the release was not
            there yet at ``as_of``.
    """
    name, colon, release = (part.strip().lower() for part in text.partition(":"))
    distribution = distribution_named(name, text)
    if not colon or not release:
        newest = _newest_stable(distribution)
        raise UsageError(f"{text!r} names no release", remedy=f"for example {name}:{newest.name}")
    names = {codename.name: codename for codename in distribution.codenames}
    numbers = {
        codename.version: codename for codename in distribution.codenames if codename.version
    }
    found = names.get(release) or numbers.get(release)
    if found is None:
        raise _unknown(f"{name} has no release {release!r}", release, [*names, *numbers], text)
    base = Base(distribution=distribution, codename=found)
    if as_of is not None and as_of < found.opened:
        raise UsageError(
            f"{base} did not exist yet on {as_of:%Y-%m-%d}: its archive opened "
            f"{found.opened:%Y-%m-%d}" + _release_day(found),
            remedy="take an older base or a later as-of",
        )
    return base


def _release_day(codename: Codename) -> str:
    return f", it was released {codename.released:%Y-%m-%d}" if codename.released else ""


def _newest_stable(distribution: Distribution) -> Codename:
    return [codename for codename in distribution.codenames if codename.released][-1]


def _unknown(what: str, given: str, known: list[str], text: str) -> UsageError:
    near = difflib.get_close_matches(given, known, n=1)
    listed = f"known: {', '.join(known)}"
    return UsageError(
        what,
        where=f'base = "{text}"',
        remedy=f"did you mean {near[0]}? {listed}" if near else listed,
    )
