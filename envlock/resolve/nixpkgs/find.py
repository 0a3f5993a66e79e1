"""The nixpkgs part of a request → the lock's pin: the newest tip of a branch at a date.

Inside the shipped table's coverage of the branch the table answers, online or not, so that the
answer is the same on every machine. After the branch's last known tip (and before its first) the
channel's release history does, by the time of publishing; where that cannot be had, the list of
the branch's commits. The lock says which.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from envlock.errors import SourceError, UsageError, VerificationError
from envlock.io.cache import DiskCache
from envlock.io.http.client import Http
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.lock.toolchain import Found, Nixpkgs, NixRequest
from envlock.resolve.nixpkgs import table
from envlock.resolve.nixpkgs.archive import SourceFacts, read_git_archive
from envlock.resolve.nixpkgs.branches import channel_folder, default_branch
from envlock.resolve.nixpkgs.commits import REPOSITORY, newest_commit
from envlock.resolve.nixpkgs.releases import ReleaseHistory

RELEASES_VARIABLE = "ENVLOCK_NIX_RELEASES_URL"
API_VARIABLE = "ENVLOCK_GITHUB_API_URL"
GITHUB_VARIABLE = "ENVLOCK_GITHUB_URL"

_DEFAULTS = {
    RELEASES_VARIABLE: "https://nix-releases.s3.amazonaws.com",
    API_VARIABLE: "https://api.github.com",
    GITHUB_VARIABLE: "https://github.com",
}


def find_nixpkgs(wish: NixRequest, as_of: datetime, *, http: Http, reporter: Reporter) -> Nixpkgs:
    """The newest tip of the branch that is not later than ``as_of``.

    Args:
        wish: branch, source and names.
        as_of: UTC.
        http: for what the table does not know.
        reporter: told what is asked, and when the second best way was taken.

    Raises:
        UsageError: no such branch, or it is younger than ``as_of``.
        SourceError: the table does not know, and nobody else can be asked; says the way out.
        VerificationError: a source tree is not that of the commit asked for.
    """
    branch = wish.branch or default_branch(as_of)
    tip = table.newest(branch, as_of)
    in_table = wish.source is Found.TABLE or (wish.source is None and table.covers(branch, as_of))
    if in_table and tip is None:
        raise _outside(branch, as_of, "")
    if in_table and tip is not None:
        return _pin(branch, tip.rev, tip, Found.TABLE, wish)
    rev, found = _ask(branch, as_of, wish.source, http, reporter)
    known = table.with_rev(rev)
    facts = known or _source_facts(rev, http, reporter)
    pin = _pin(branch, rev, facts, found, wish)
    if pin.last_modified > as_of:
        raise VerificationError(
            f"nixpkgs {rev} is of {_stamp(pin.last_modified)}, later than {_stamp(as_of)}",
            where=_base(RELEASES_VARIABLE if found is Found.HISTORY else API_VARIABLE),
            remedy='name another way: source = "table", "history" or "commits"'
            " in [tool.envlock.nix]",
        )
    return pin


def _pin(
    branch: str, rev: str, facts: table.Tip | SourceFacts, found: Found, wish: NixRequest
) -> Nixpkgs:
    date = facts.last_modified
    return Nixpkgs(
        branch=branch,
        rev=rev,
        last_modified=datetime.fromtimestamp(date, UTC) if isinstance(date, int) else date,
        nar_hash=facts.nar_hash,
        found=found,
        names=wish.names,
    )


def _ask(
    branch: str, as_of: datetime, source: Found | None, http: Http, reporter: Reporter
) -> tuple[str, Found]:
    """The commit, by the way asked for, else by the first that can be had; and which way."""
    ways: list[tuple[Found, Callable[[], str | None]]] = [
        (Found.HISTORY, lambda: _from_history(branch, as_of, http)),
        (Found.COMMITS, lambda: newest_commit(_base(API_VARIABLE), branch, as_of, http=http)),
    ]
    reasons = []
    for way, ask in ways:
        if source not in (None, way):
            continue
        reporter.step(f"asking for {branch} at {as_of:%Y-%m-%d}")
        try:
            rev = ask()
        except SourceError as error:
            asked = (error.where or "").partition("?")[0]
            reasons.append(f"{asked}: {error.what}" if asked else error.what)
            continue
        if rev is None:
            reasons.append(f"{branch} is no channel that has releases")
            continue
        if reasons:
            reporter.note(
                f"nixpkgs: a commit of {branch} was taken instead of a release ({reasons[0]})"
            )
        return rev, way
    raise _outside(branch, as_of, "; ".join(reasons))


def _from_history(branch: str, as_of: datetime, http: Http) -> str | None:
    folder = channel_folder(branch)
    if folder is None:
        return None
    history = ReleaseHistory(_base(RELEASES_VARIABLE), http)
    releases = history.releases(folder)
    if not releases:
        return None
    before = [release for release in releases if release.published <= as_of]
    if not before:
        first = releases[0].published
        raise UsageError(
            f"{branch} is younger than {_stamp(as_of)}: its first release is of {_stamp(first)}",
            where=history.base,
            remedy="name an older branch in [tool.envlock.nix], or a later date",
        )
    return history.commit(before[-1])


def _source_facts(rev: str, http: Http, reporter: Reporter) -> SourceFacts:
    """Date and digest of the commit's source tree; kept in the cache, since it never changes."""
    url = f"{_base(GITHUB_VARIABLE).rstrip('/')}/{REPOSITORY}/archive/{rev}.tar.gz"
    cache = DiskCache("nixpkgs")
    known = cache.get(url)
    if known is not None:
        return SourceFacts(**json.loads(known))
    reporter.step(f"reading nixpkgs {rev[:12]} (about 50 MB)")
    cache_dir().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_dir()) as folder:
        tarball = Path(folder) / "source.tar.gz"
        http.download(url, tarball, sha256=None)
        facts = read_git_archive(tarball, where=url)
    if facts.rev != rev:
        raise VerificationError(
            f"asked for commit {rev}, the tarball is of {facts.rev}",
            where=url,
            remedy="check the address; use another mirror",
        )
    cache.put(url, json.dumps(asdict(facts)).encode())
    return facts


def _base(variable: str) -> str:
    return os.environ.get(variable) or _DEFAULTS[variable]


def _outside(branch: str, as_of: datetime, reason: str) -> SourceError:
    known = table.tips(branch)
    if not known:
        what = f"the table of nixpkgs revisions has no tip of {branch}"
    elif as_of < known[0].last_modified:
        what = f"the table knows {branch} from {_stamp(known[0].last_modified)} on"
    else:
        what = f"the table knows {branch} until {_stamp(known[-1].last_modified)}"
    ways = []
    if reason:
        what += f", and nobody else can be asked about {_stamp(as_of)}: {reason}"
        ways.append("try again with a network")
    if known and as_of > known[-1].last_modified:
        ways.append(f"lock as of {_stamp(known[-1].last_modified)} or earlier")
        ways.append('take the newest tip that is known: source = "table" in [tool.envlock.nix]')
    covering = [name for name in table.branches() if table.covers(name, as_of)]
    if covering:
        quoted = '", "'.join(covering)
        ways.append(f'name a branch that is known for this date: branch = "{quoted}"')
    return SourceError(what, where="nixpkgs", remedy=", or\n".join(ways) or None)


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
