"""Direct references, fixed before any engine sees them: commits, digests, local paths.

What a date can mean differs by kind:

- A git reference is bounded by the commit's own date: see ``envlock.io.git.history``.
- A URL has no date. Its bytes are fixed by their sha256, which the lock keeps. Under a fixed date,
  a URL for which the requirement states no digest is used with a note; where the server says that
  the file was modified after the date, it is refused, for then these bytes did not exist yet.
- A local file or folder has no date either: under a fixed date it must be allowed by name.
"""

from __future__ import annotations

import hashlib
import posixpath
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from urllib.parse import quote

from envlock.errors import EnvlockError, UsageError, VerificationError
from envlock.io.cache import DiskCache
from envlock.io.git.history import resolve_commit
from envlock.io.http.client import Http, expect_ok
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.lock.package import Archive, Directory, PythonPackage, Vcs
from envlock.lock.request import Request, Wish
from envlock.project.wishes import spelled
from envlock.resolve.python.references import Reference, may_apply, split_git

_CHUNK = 1 << 20

Fact = Vcs | Archive | Directory


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedRequest:
    """A request whose direct references are fixed, and what the lock will say of them.

    ``request`` is what engines are asked: git references name a commit, URLs carry ``#sha256=``.
    ``facts`` is keyed by normalized name; ``origins`` says where each one was written.
    """

    request: Request
    facts: Mapping[str, Fact] = field(default_factory=dict)
    origins: Mapping[str, str] = field(default_factory=dict)

    def complete(self, package: PythonPackage) -> PythonPackage:
        """The package with where it comes from, when that is a direct reference.

        Raises:
            UsageError: it comes from a reference that another package makes, and so has no pin.
        """
        if package.index is not None or package.files:
            return package
        fact = self.facts.get(package.name)
        if isinstance(fact, Vcs):
            return replace(package, vcs=fact)
        if isinstance(fact, Archive):
            return replace(package, archive=fact)
        if isinstance(fact, Directory):
            package = replace(package, directory=fact)
        if package.directory is not None:
            # PEP 751: no version of a source tree, whose next commit may have another one.
            return replace(package, version=None)
        if package.vcs or package.archive:
            return package
        raise UsageError(
            f"{package.name} comes from a URL or path that another package names",
            remedy=f"add it to your own requirements as `{package.name} @ …`, so that it is pinned",
        )


def pin_direct(
    request: Request,
    root: Path,
    as_of: datetime,
    *,
    dated: bool,
    http: Http,
    reporter: Reporter,
    cache: Path | None = None,
    pins: Iterable[PythonPackage] = (),
) -> PinnedRequest:
    """Fix every direct reference of ``request`` that some target can need.

    Args:
        request: as the project asks; local paths are relative to ``root``.
        root: the project's folder, which is also the lockfile's.
        as_of: UTC; no commit later than this is taken.
        dated: someone fixed ``as_of``, so that what has no date needs leave.
        http: for archives.
        reporter: notes what has no date.
        cache: for repositories; the user's cache folder when None.
        pins: locked packages whose commits stay where the same branch is still asked for.

    Raises:
        UsageError: a missing path, a reference that has no date under a fixed one, an unknown
            branch, a commit later than ``as_of``, a hash where none can be checked.
        SourceError: a server or repository does not answer.
        VerificationError: an archive has another digest than stated.
    """
    named = (Reference.of(w) for w in _all_wishes(request) if "@" in w.text)
    references = [reference for reference in named if reference is not None]
    if not references:
        return PinnedRequest(request=request)
    wanted = [r for r in references if may_apply(r.requirement, request.targets)]
    if dated:
        _refuse_undated(wanted, request.allow_undated)
    reporter.step("pinning direct references")
    pinner = _Pinner(
        root=root,
        as_of=as_of,
        dated=dated,
        http=http,
        reporter=reporter,
        cache=cache or cache_dir(),
        commits={p.name: p.vcs for p in pins if p.vcs is not None},
    )
    facts, origins = _facts(wanted, pinner)
    texts = {
        r.wish.text: spelled(r.requirement, url=_pinned_url(r.url, facts[r.name])) for r in wanted
    }
    unneeded = {r.wish.text for r in references if r not in wanted}
    return PinnedRequest(request=_rewritten(request, texts, unneeded), facts=facts, origins=origins)


def _facts(references: list[Reference], pinner: _Pinner) -> tuple[dict[str, Fact], dict[str, str]]:
    """What each name's reference was pinned to, and where it was written."""
    facts: dict[str, Fact] = {}
    origins: dict[str, str] = {}
    for number, reference in enumerate(references):
        pinner.reporter.progress(number, len(references))
        fact = pinner.pin(reference)
        if facts.setdefault(reference.name, fact) != fact:
            raise UsageError(
                f"{reference.name} is asked for from two places",
                where=f"{origins[reference.name]} and {reference.wish.origin}",
                remedy="keep one of them; a lock holds one source per package",
            )
        origins.setdefault(reference.name, reference.wish.origin)
    return facts, origins


def _all_wishes(request: Request) -> tuple[Wish, ...]:
    return request.wishes + request.constraints + request.overrides


def _rewritten(request: Request, texts: Mapping[str, str], unneeded: set[str]) -> Request:
    def changed(wishes: tuple[Wish, ...]) -> tuple[Wish, ...]:
        return tuple(
            replace(w, text=texts.get(w.text, w.text)) for w in wishes if w.text not in unneeded
        )

    return replace(
        request,
        wishes=changed(request.wishes),
        constraints=changed(request.constraints),
        overrides=changed(request.overrides),
    )


def _refuse_undated(references: Iterable[Reference], allowed: tuple[str, ...]) -> None:
    """Under a fixed date, local references need leave by name; says the exact line to add."""
    names = {posixpath.normpath(name.removeprefix("file:")) for name in allowed}
    found = [r for r in references if r.scheme == "file" and r.path not in names]
    if not found:
        return
    paths = sorted({r.path for r in found})
    line = ", ".join(f'"{name}"' for name in [*allowed, *paths])
    are = "have" if len(paths) > 1 else "has"
    raise UsageError(
        f"{', '.join(paths)} {are} no date: local paths may change behind a fixed one",
        where=", ".join(dict.fromkeys(r.wish.origin for r in found if r.wish.origin)) or None,
        remedy=f"allow it by name in [tool.envlock]:\nallow-undated = [{line}]",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pinner:
    root: Path
    as_of: datetime
    dated: bool
    http: Http
    reporter: Reporter
    cache: Path
    commits: Mapping[str, Vcs]

    def pin(self, reference: Reference) -> Fact:
        scheme = reference.scheme
        try:
            if scheme.startswith("git+"):
                return self._vcs(reference)
            if scheme == "file":
                return self._local(reference)
            if scheme in ("http", "https"):
                return self._archive(reference)
        except EnvlockError as error:
            if error.where and reference.wish.origin and reference.wish.origin not in error.where:
                error.where = f"{reference.wish.origin}: {error.where}"
            raise
        raise UsageError(
            f"{reference.url!r}: only git, https and local references can be locked",
            where=reference.wish.origin or None,
            remedy="name an archive (https://…) or a package from an index instead",
        )

    def _vcs(self, reference: Reference) -> Vcs:
        self._refuse_hashes(reference, "a commit is fixed by its id; there is no file to compare")
        url, ref = split_git(reference.url)
        subdirectory = reference.fragment.get("subdirectory")
        kept = self.commits.get(reference.name)
        if kept is not None and (kept.url, kept.requested) == (url, ref):
            try:
                pin = resolve_commit(url, kept.commit, not_later_than=self.as_of, cache=self.cache)
            except UsageError:
                pass  # gone from the repository, or later than the date: asked anew
            else:
                return replace(kept, commit=pin.id, subdirectory=subdirectory)
        commit = resolve_commit(url, ref, not_later_than=self.as_of, cache=self.cache)
        return Vcs(kind="git", url=url, commit=commit.id, requested=ref, subdirectory=subdirectory)

    def _refuse_hashes(self, reference: Reference, why: str) -> None:
        if reference.wish.hashes:
            raise UsageError(
                f"--hash cannot be checked for {reference.name}: {why}",
                where=reference.wish.origin or None,
                remedy="take the hash away",
            )

    def _local(self, reference: Reference) -> Directory | Archive:
        path = self.root / reference.path
        subdirectory = reference.fragment.get("subdirectory")
        if path.is_dir():
            self._refuse_hashes(reference, "a folder has no digest")
            return Directory(
                path=reference.path, editable=reference.wish.editable, subdirectory=subdirectory
            )
        digest, size = _file_digest(path, reference)
        _check_stated(reference, digest, reference.path)
        return Archive(path=reference.path, sha256=digest, size=size, subdirectory=subdirectory)

    def _archive(self, reference: Reference) -> Archive:
        url = reference.url.partition("#")[0]
        if reference.stated == frozenset() and (reference.wish.hashes):
            raise VerificationError(
                "#sha256= in the URL and --hash contradict each other",
                where=reference.wish.origin or None,
                remedy="keep the right one",
            )
        if self.dated and not reference.stated:
            self._judge_date(reference, url)
        digest, size = self._download(url, reference)
        return Archive(
            url=url,
            sha256=digest,
            size=size,
            subdirectory=reference.fragment.get("subdirectory"),
        )

    def _download(self, url: str, reference: Reference) -> tuple[str, int]:
        """sha256 and size; what was verified once under a stated digest is not fetched again."""
        cache = DiskCache("archives-v1")
        for digest in sorted(reference.stated):
            known = cache.get(f"{url}\n{digest}")
            if known is not None:
                return digest, int(known)
        with tempfile.TemporaryDirectory(prefix="envlock-") as folder:
            destination = Path(folder) / "archive"
            only = next(iter(reference.stated)) if len(reference.stated) == 1 else None
            digest = self.http.download(url, destination, sha256=only)
            size = destination.stat().st_size
        _check_stated(reference, digest, url)
        cache.put(f"{url}\n{digest}", str(size).encode())
        return digest, size

    def _judge_date(self, reference: Reference, url: str) -> None:
        """A URL without a stated digest: refused when its server calls it newer than the date."""
        answer = expect_ok(self.http.get(url, first=1), url)
        modified = _instant(answer.headers.get("last-modified", ""))
        if modified is None or modified <= self.as_of:
            self.reporter.note(f"{url} has no upload time: it is fixed by its sha256, not by date")
            return
        raise UsageError(
            f"the file was modified {modified:%Y-%m-%d}, after {self.as_of:%Y-%m-%d}",
            where=url,
            remedy="if these bytes are the ones you mean, say so by their digest: add"
            f" #sha256=… to the URL of {reference.name}",
        )


def _instant(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _file_digest(path: Path, reference: Reference) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except FileNotFoundError:
        raise UsageError(
            f"no such file or folder: {reference.path}",
            where=reference.wish.origin or None,
            remedy="local paths count from the project's folder",
        ) from None
    except OSError as error:
        raise UsageError(
            f"{reference.path}: cannot read: {error.strerror}",
            where=reference.wish.origin or None,
        ) from None
    return digest.hexdigest(), size


def _check_stated(reference: Reference, digest: str, place: str) -> None:
    if not (reference.wish.hashes or "sha256" in reference.fragment):
        return
    if digest not in reference.stated:
        raise VerificationError(
            f"{place} has sha256 {digest}, which is not a stated one",
            where=reference.wish.origin or None,
            remedy="do not use this file before you know why it changed",
        )


def _pinned_url(url: str, fact: Fact) -> str:
    """The reference as engines get it: with the commit, or with the digest."""
    subdirectory = f"subdirectory={quote(fact.subdirectory)}" if fact.subdirectory else ""
    if isinstance(fact, Vcs):
        fragment = f"#{subdirectory}" if subdirectory else ""
        return f"git+{fact.url}@{fact.commit}{fragment}"
    if isinstance(fact, Archive) and fact.url is not None:
        parts = [f"sha256={fact.sha256}", *([subdirectory] if subdirectory else [])]
        return f"{fact.url}#{'&'.join(parts)}"
    return url
