"""What `envlock lock` is told."""

from __future__ import annotations

from dataclasses import dataclass

from envlock.resolve.python.engines.engine import Upgrade


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The command's own options."""

    as_of: str | None
    engine: str | None
    upgrade: Upgrade
    check: bool
    dry_run: bool
    build: bool
    refresh: bool
    as_json: bool


PLAIN = Options(
    as_of=None,
    engine=None,
    upgrade=Upgrade(),
    check=False,
    dry_run=False,
    build=True,
    refresh=False,
    as_json=False,
)
