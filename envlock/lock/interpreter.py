"""Who provides a target's Python, and the archive of one that stands alone."""

from __future__ import annotations

from dataclasses import dataclass

from envlock.lock.target import Target

PROVIDERS = {
    "os": "the distribution's own package",
    "standalone": "an archive of python-build-standalone, by digest",
    "base-image": "the Python of the image that the environment is built on",
    "nixpkgs": "the Python of the nixpkgs that [tool.envlock.nix] locks",
}
"""What ``interpreter`` may say, and what it means."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class StandalonePython:
    """A build of python-build-standalone, locked for one target.

    ``version`` is the full one (``3.13.5``); ``build`` the release that it is of, a day
    (``20250723``); ``url`` the archive's address at its publisher's, without credentials;
    ``sha256`` its digest (64 lower-case hex digits); ``size`` is in bytes.
    """

    target: Target
    version: str
    build: str
    url: str
    sha256: str
    size: int

    def __str__(self) -> str:
        return f"python-build-standalone {self.version}+{self.build}"
