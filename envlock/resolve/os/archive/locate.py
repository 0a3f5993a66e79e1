"""Where the OS files of a lock can be had: this machine's mirrors, given ones, snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path

from envlock.io.apt_config import apt_sources
from envlock.io.http.fetch import Wanted
from envlock.lock.artifacts import SourceFile
from envlock.lock.os import OsArchive, OsLayer, OsPackage
from envlock.resolve.os.archive.archive import default_keyring
from envlock.resolve.os.archive.mirrors import Mirrors, choose_mirrors, pool_url
from envlock.resolve.os.archive.snapshot import timestamp
from envlock.resolve.os.archive.trust import read_keyring
from envlock.resolve.os.distributions.distribution import IMPORT_TIME, parse_base


def lock_mirrors(
    layer: OsLayer, root: Path, *, given: Sequence[str] = (), keyring: str | None = None
) -> Mirrors:
    """The mirrors for a lock's OS layer, as when it was locked on this machine.

    Args:
        layer: its base names the distribution.
        root: the project's folder, for the path of the keyring.
        given: the project's own mirrors.
        keyring: the project's own keys; they only tell whose mirrors apt's are.

    Raises:
        UsageError: a given mirror or the keyring cannot be used.
    """
    base = parse_base(layer.base)
    own = None if keyring is None else read_keyring(root / keyring)
    return choose_mirrors(
        base.distribution,
        given=given,
        sources=apt_sources(),
        keyring=lambda: own or default_keyring(base),
    )


def locate_files(
    layer: OsLayer,
    packages: Iterable[OsPackage],
    sources: Iterable[SourceFile],
    mirrors: Mirrors,
    as_of: datetime,
) -> tuple[Wanted, ...]:
    """.debs and files of source packages, to be asked for by digest: near mirrors first, then past
    states.

    Args:
        as_of: the lock's date (UTC).
    """
    roots = {archive.suite: _roots(archive, mirrors, as_of) for archive in layer.archives}

    places = [
        *((p.suite, p.file_name, p.sha256, p.size) for p in packages),
        *(
            (s.source.suite, f"{s.source.directory}/{s.file.name}", s.file.sha256, s.file.size)
            for s in sources
        ),
    ]
    return tuple(
        Wanted(
            name=path.rpartition("/")[2],
            sha256=sha256,
            size=size,
            urls=tuple(pool_url(root, path) for root in roots.get(suite, ())),
            before=mirrors.before,
        )
        for suite, path, sha256, size in places
    )


def _roots(archive: OsArchive, mirrors: Mirrors, as_of: datetime) -> tuple[str, ...]:
    moments = [archive.snapshot] if archive.snapshot else _moments(archive, as_of)
    found = [root for moment in moments for root in mirrors.roots(archive.archive, moment)]
    return tuple(dict.fromkeys(found))


def _moments(archive: OsArchive, as_of: datetime) -> list[str | None]:
    """Instants at which a snapshot service has what a live mirror had at ``as_of``.

    A mirror may be behind: what it had was published when its Release was, and imported soon
    after.
    """
    published = min(archive.release_date + IMPORT_TIME, as_of)
    return list(dict.fromkeys(timestamp(moment) for moment in (as_of, published)))
