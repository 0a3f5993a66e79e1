"""Ubuntu: the long-term releases jammy and noble, their updates and security updates."""

from __future__ import annotations

from dataclasses import dataclass

from envlock.resolve.os.distributions.distribution import Codename, SnapshotService, Suite, day

_CODENAMES = (
    Codename(
        name="jammy",
        version="22.04",
        opened=day("2021-10-14"),
        released=day("2022-04-21"),
        python="3.10",
    ),
    Codename(
        name="noble",
        version="24.04",
        opened=day("2023-10-12"),
        released=day("2024-04-25"),
        python="3.12",
    ),
)

_SNAPSHOTS = SnapshotService(
    url="https://snapshot.ubuntu.com",
    path="/{archive}/{timestamp}",
    timestamps=None,
    first=day("2023-03-01"),
    per_second=5,
)


@dataclass(frozen=True, slots=True)
class Ubuntu:
    """Ubuntu as envlock knows it (``Distribution``)."""

    name: str = "ubuntu"
    codenames: tuple[Codename, ...] = _CODENAMES
    components: tuple[str, ...] = ("main", "restricted", "universe", "multiverse")
    # Most of what Python packages lean on is in universe.
    default_components: tuple[str, ...] = ("main", "universe")
    architectures: tuple[str, ...] = ("amd64", "arm64", "armhf", "i386", "ppc64el", "s390x")
    keyring: str = "ubuntu-archive"
    machine_keyrings: tuple[str, ...] = ("ubuntu-archive-keyring.gpg",)
    snapshots: SnapshotService = _SNAPSHOTS

    def suites(self, codename: str) -> tuple[Suite, ...]:
        """The release, its updates, its security updates: all in one archive."""
        return tuple(
            Suite(archive="ubuntu", name=codename + pocket)
            for pocket in ("", "-updates", "-security")
        )
