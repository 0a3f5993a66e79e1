"""One verified suite: what its Release vouches for, and how its indexes are had.

A Release lists an index under the name of its text (``main/binary-amd64/Packages``) and under those
of its packed forms; whoever has the bytes of one of them will do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from envlock.errors import DiskError, SourceError, VerificationError
from envlock.io.http.client import Http
from envlock.io.http.fetch import Wanted, fetch
from envlock.io.store import stored
from envlock.resolve.os.archive.index import IndexPart
from envlock.resolve.os.archive.mirrors import Mirrors, pool_url
from envlock.resolve.os.archive.release import Listed, Release
from envlock.resolve.os.archive.unpack import SUFFIXES, unpack
from envlock.resolve.os.distributions.distribution import Suite

INDEX_LIMIT = 1024 * 1024 * 1024
"""No index unpacks to more bytes than that."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """An index of a suite.

    Args:
        where: for messages: ``bookworm/main/source/Sources``.
        sha256: of its text.
        load: gives the text, verified; fetched first if need be.
    """

    where: str
    sha256: str
    load: Callable[[], bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedSuite:
    """A suite whose Release was verified and judged, with its indexes still to be fetched.

    Args:
        suite: its name, and its archive's.
        components: those asked for that it has.
        timestamp: the snapshot's, None when it came from a live mirror.
        folder: where its Release was (``…/dists/bookworm``).
        release: the Release's content.
        mirrors: where its files can be had.
        parts: the package indexes, one per component and architecture.
    """

    suite: Suite
    components: tuple[str, ...]
    timestamp: str | None
    folder: str
    release: Release
    mirrors: Mirrors
    parts: tuple[IndexPart, ...] = ()

    @property
    def sha256(self) -> str:
        """Digest of the verified Release."""
        return self.release.verified.sha256

    @property
    def date(self) -> datetime:
        """The Release's Date (UTC)."""
        return self.release.date

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """Primary keys that signed it and count, sorted."""
        return self.release.verified.fingerprints

    def wanted(self, filename: str, sha256: str, size: int) -> Wanted:
        """A file of the pool (``Filename``, ``SHA256`` and ``Size`` of an index), to be fetched."""
        roots = self.mirrors.roots(self.suite.archive, self.timestamp)
        return Wanted(
            name=filename.rpartition("/")[2],
            sha256=sha256,
            size=size,
            urls=tuple(pool_url(root, filename) for root in roots),
            before=self.mirrors.before,
        )

    def index(self, path: str, http: Http) -> IndexFile | None:
        """The index whose text is at ``path`` below the suite; None when the Release has none.

        Where the Release does not say the digest of the text itself, it is fetched now.

        Raises:
            SourceError: it is offered only in forms that cannot be unpacked here, or nobody has it.
            VerificationError: it has other bytes than the Release says.
        """
        variants = self.variants(path)
        plain = self.release.file(path)
        unreadable = self._unreadable(path)
        if not variants and unreadable is None:
            return None
        load = partial(_load, http, variants, plain, unreadable)
        return IndexFile(
            where=f"{self.suite.name}/{path}",
            sha256=plain.sha256 if plain is not None else hashlib.sha256(load()).hexdigest(),
            load=load,
        )

    def variants(self, path: str) -> tuple[Variant, ...]:
        """The forms of an index that can be unpacked, in the order to try; none: it is not listed.

        Those in the store go first, then the best.
        gzip unpacks three times as fast as xz and has a third more bytes: worth it from a mirror,
        not from a service that is to be spared.
        """
        spared = self.mirrors.spared(self.folder)
        order = SUFFIXES if spared else (".gz", *(suffix for suffix in SUFFIXES if suffix != ".gz"))
        listed = [(suffix, self.release.file(path + suffix)) for suffix in order]
        offered = [(suffix, entry) for suffix, entry in listed if entry is not None]
        offered.sort(key=lambda pair: not stored(pair[1].sha256).exists())
        return tuple(
            Variant(
                suffix=suffix,
                wanted=Wanted(
                    name=f"{self.suite.name}/{entry.path}",
                    sha256=entry.sha256,
                    size=entry.size,
                    urls=self._urls(entry),
                    before=self.mirrors.before,
                ),
            )
            for suffix, entry in offered
        )

    def _urls(self, entry: Listed) -> tuple[str, ...]:
        """By name and by digest: a live mirror may change under the name, a snapshot does not.

        First where the Release was, then at the other mirrors.
        """
        near, slash, _ = entry.path.rpartition("/")
        hashed = f"{near}{slash}by-hash/SHA256/{entry.sha256}"
        paths = [entry.path]
        if self.release.by_hash:
            paths.insert(0 if self.timestamp is None else 1, hashed)
        folders = (
            f"{root}/dists/{self.suite.name}"
            for root in self.mirrors.roots(self.suite.archive, self.timestamp)
        )
        here = tuple(f"{self.folder}/{path}" for path in paths)
        more = hashed if self.release.by_hash else entry.path
        return (*here, *(f"{folder}/{more}" for folder in folders if folder != self.folder))

    def _unreadable(self, path: str) -> SourceError | None:
        """What to say when nobody has the index in a form that can be read; None: there are such.

        Mirrors do not carry the unpacked text, though each Release lists it.
        """
        known = {f"{path}{suffix}" for suffix in SUFFIXES}
        forms = [name for name in self.release.files if name.startswith(f"{path}.")]
        if not forms or known.intersection(forms):
            return None
        shown = ", ".join(sorted(form.removeprefix(path) for form in forms))
        return SourceError(
            f"{self.suite.name} offers {path} only as {shown}, which envlock cannot unpack",
            where=self.folder,
            remedy=f"use a mirror that offers it as {', '.join(filter(None, SUFFIXES))}",
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One of the forms that an index is offered in: how it is packed, and its file."""

    suffix: str
    wanted: Wanted


def _load(
    http: Http,
    variants: Sequence[Variant],
    plain: Listed | None,
    unreadable: SourceError | None,
) -> bytes:
    """The index's text, out of the store, fetched first if need be.

    Not every form that a Release lists is there: mirrors leave out the unpacked one.
    """
    failures: list[SourceError] = []
    for variant in variants:
        try:
            path = fetch(http, variant.wanted)
        except DiskError:
            raise
        except SourceError as error:
            failures.append(error)
            continue
        return _unpacked(path, variant, plain)
    raise unreadable or failures[0]


def _unpacked(path: Path, variant: Variant, plain: Listed | None) -> bytes:
    wanted = variant.wanted
    try:
        content = path.read_bytes()
    except OSError as error:
        raise SourceError(f"cannot read: {error.strerror}", where=str(path)) from None
    limit = plain.size if plain is not None else INDEX_LIMIT
    text = unpack(content, variant.suffix, limit=limit, where=wanted.urls[0])
    if plain is not None and hashlib.sha256(text).hexdigest() != plain.sha256:
        raise VerificationError(
            f"{wanted.name} unpacks to other bytes than the Release says",
            where=wanted.urls[0],
            remedy="do not use this mirror",
        )
    return text
