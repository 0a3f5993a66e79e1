"""nixpkgs and the Guix channel: what a project asks of them, and what the lock pins.

Names that differ from the Debian ones are kept as texts, ``libgl1=libGL``: Debian names have no
``=`` in them (Debian Policy §5.6.1).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Found(StrEnum):
    """How a nixpkgs revision was found for a date."""

    TABLE = "table"
    """In the table that envlock ships."""
    HISTORY = "history"
    """In the channel's release history, by the time of publishing."""
    COMMITS = "commits"
    """In the list of the branch's commits, by committer date."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NixRequest:
    """What a project asks of nixpkgs.

    ``branch`` (``nixos-25.11``) is None for the newest stable one at the date; ``source`` is None
    for the table where it covers the date, else online. ``names`` are ``debian=attribute``.
    """

    branch: str | None = None
    source: Found | None = None
    names: tuple[str, ...] = ()

    def canonical(self) -> dict[str, object]:
        """Its part of ``Request.canonical``."""
        return {
            "nix": True,
            "nix-branch": self.branch,
            "nix-source": None if self.source is None else self.source.value,
            "nix-names": sorted(set(self.names)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class GuixRequest:
    """What a project asks of Guix. What is None is that of Guix's own default channel.

    ``url`` has no credentials; ``introduction_fingerprint`` is 40 upper-case hex digits, and there
    exactly when ``introduction_commit`` is. ``names`` are ``debian=package``.
    """

    url: str | None = None
    branch: str | None = None
    introduction_commit: str | None = None
    introduction_fingerprint: str | None = None
    names: tuple[str, ...] = ()

    def canonical(self) -> dict[str, object]:
        """Its part of ``Request.canonical``."""
        return {
            "guix": True,
            "guix-url": self.url,
            "guix-branch": self.branch,
            "guix-introduction-commit": self.introduction_commit,
            "guix-introduction-fingerprint": self.introduction_fingerprint,
            "guix-names": sorted(set(self.names)),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Nixpkgs:
    """One revision of nixpkgs, as a ``flake.lock`` needs it.

    ``rev`` is the commit (40 hex digits), ``last_modified`` its committer date (UTC, whole
    seconds), ``nar_hash`` the SRI digest (``sha256-…``) of the source tree's NAR. ``names`` are
    the project's, ``debian=attribute``, sorted.
    """

    branch: str
    rev: str
    last_modified: datetime
    nar_hash: str
    found: Found
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuixChannel:
    """One commit of the Guix channel, as ``channels.scm`` needs it.

    ``introduction_commit`` and ``introduction_fingerprint`` (40 upper-case hex digits) are where
    Guix begins to authenticate. ``names`` are the project's, ``debian=package``, sorted.
    """

    name: str
    url: str
    branch: str
    commit: str
    introduction_commit: str
    introduction_fingerprint: str
    names: tuple[str, ...] = ()


def overrides(names: Iterable[str]) -> dict[str, str]:
    """``("libgl1=libGL",)`` → ``{"libgl1": "libGL"}``."""
    return dict(sorted(text.split("=", 1) for text in names))
