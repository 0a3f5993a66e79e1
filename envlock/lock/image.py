"""The container image that an environment is built on, pinned by digest."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class PlatformImage:
    """One platform's manifest of an image: ``platform`` as in targets, ``digest`` ``sha256:…``."""

    platform: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseImage:
    """A base image as the registry had it when it was locked (OCI distribution specification).

    ``reference`` is what was asked for, in full: ``docker.io/library/debian:bookworm-slim``.
    ``digest`` is what the tag named: an index (``platforms`` then are those of the lock's Linux
    targets, sorted) or one manifest.
    """

    reference: str
    digest: str
    platforms: tuple[PlatformImage, ...]

    @property
    def repository(self) -> str:
        """The reference without its tag or digest: ``docker.io/library/debian``."""
        name = self.reference.partition("@")[0]
        head, slash, last = name.rpartition("/")
        return head + slash + last.partition(":")[0]

    @property
    def pinned(self) -> str:
        """What every container tool takes: ``docker.io/library/debian@sha256:…``."""
        return f"{self.repository}@{self.digest}"
