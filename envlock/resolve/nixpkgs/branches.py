"""Names of nixpkgs branches: the stable one of a date, and where a branch's channel is kept."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from envlock.errors import SourceError
from envlock.resolve.nixpkgs import table

_STABLE = re.compile(r"nixos-([0-9]{2})\.([0-9]{2})")
_CHANNEL = re.compile(r"(nixos|nixpkgs)-([A-Za-z0-9.-]+)")


def default_branch(as_of: datetime) -> str:
    """The newest stable branch (``nixos-YY.MM``) that has a tip at ``as_of``.

    The table says which ones have. After its end the calendar of releases does: ``YY.05`` counts
    from 1 June, ``YY.11`` from 1 December (UTC).

    Raises:
        SourceError: the table begins later.
    """
    known = [name for name in table.branches() if _STABLE.fullmatch(name)]
    stable = [name for name in known if table.newest(name, as_of) is not None]
    if not stable:
        first = min(table.tips(name)[0].last_modified for name in known)
        raise SourceError(
            f"which nixpkgs branch was stable on {_stamp(as_of)} is not known:"
            f" the table begins at {_stamp(first)}",
            remedy='name the branch: branch = "nixos-20.03" in [tool.envlock.nix],'
            " or lock as of a later date",
        )
    newest = max(stable, key=_number)
    return newest if as_of <= table.end() else max(newest, _by_calendar(as_of), key=_number)


def _number(branch: str) -> tuple[int, int]:
    match = _STABLE.fullmatch(branch)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _by_calendar(moment: datetime) -> str:
    moment = moment.astimezone(UTC)
    if moment.month < 6:
        return f"nixos-{(moment.year - 1) % 100:02}.11"
    return f"nixos-{moment.year % 100:02}.{'11' if moment.month == 12 else '05'}"


def channel_folder(branch: str) -> str | None:
    """Where the releases of the branch's channel lie (``nixos/25.11``); None where it has none.

    The rule is that of the program that publishes channels: the name's first part, then the rest;
    only ``nixpkgs-unstable`` lies in ``nixpkgs`` itself.
    """
    if branch == "nixpkgs-unstable":
        return "nixpkgs"
    match = _CHANNEL.fullmatch(branch)
    return f"{match[1]}/{match[2]}" if match else None


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
