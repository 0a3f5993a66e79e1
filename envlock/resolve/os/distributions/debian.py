"""Debian: bullseye to sid, its updates and its security archive."""

from __future__ import annotations

from dataclasses import dataclass

from envlock.resolve.os.distributions.distribution import Codename, SnapshotService, Suite, day

_CODENAMES = (
    Codename(
        name="bullseye",
        version="11",
        opened=day("2019-07-06"),
        released=day("2021-08-14"),
        python="3.9",
    ),
    Codename(
        name="bookworm",
        version="12",
        opened=day("2021-08-14"),
        released=day("2023-06-10"),
        python="3.11",
    ),
    Codename(
        name="trixie",
        version="13",
        opened=day("2023-06-10"),
        released=day("2025-08-09"),
        python="3.13",
    ),
    Codename(name="forky", version="", opened=day("2025-08-09"), released=None, python=None),
    Codename(name="sid", version="", opened=day("2000-01-01"), released=None, python=None),
)

_SNAPSHOTS = SnapshotService(
    url="https://snapshot.debian.org",
    path="/archive/{archive}/{timestamp}",
    timestamps="/mr/timestamp/?archive={archive}",
    first=day("2005-03-12"),
    per_second=5,
)


@dataclass(frozen=True, slots=True)
class Debian:
    """Debian as envlock knows it (``Distribution``)."""

    name: str = "debian"
    codenames: tuple[Codename, ...] = _CODENAMES
    components: tuple[str, ...] = ("main", "contrib", "non-free-firmware", "non-free")
    default_components: tuple[str, ...] = ("main",)
    architectures: tuple[str, ...] = (
        "amd64",
        "arm64",
        "armel",
        "armhf",
        "i386",
        "ppc64el",
        "riscv64",
        "s390x",
    )
    keyring: str = "debian-archive"
    machine_keyrings: tuple[str, ...] = (
        "debian-archive-keyring.gpg",
        "debian-archive-keyring.pgp",
    )
    snapshots: SnapshotService = _SNAPSHOTS

    def suites(self, codename: str) -> tuple[Suite, ...]:
        """The release, its updates, its security updates; sid has only itself."""
        main = Suite(archive="debian", name=codename)
        if codename == "sid":
            return (main,)
        return (
            main,
            Suite(archive="debian", name=f"{codename}-updates"),
            Suite(archive="debian-security", name=f"{codename}-security"),
        )
