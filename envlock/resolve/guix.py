"""The Guix part of a request → the lock's pin: where the channel stood at a date.

The channel is a git repository. Its branch at a date is the first-parent commit nearest to the tip
whose committer date is not later (``io.git``): commits of merged branches were on it only once
they were merged. Only commits are fetched, no files.
"""

from __future__ import annotations

from datetime import datetime

from envlock.errors import SourceError
from envlock.io.git.history import resolve_commit
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.lock.toolchain import GuixChannel, GuixRequest

# Guix's own default channel, `%default-guix-channel` in its (guix channels): facts.
NAME = "guix"
URL = "https://git.guix.gnu.org/guix.git"
BRANCH = "master"
INTRODUCTION_COMMIT = "9edb3f66fd807b096b48283debdcddccfea34bad"
INTRODUCTION_FINGERPRINT = "BBB02DDF2CEAF6A80D1DE643A2A06DF2A33A54FA"


def find_guix(wish: GuixRequest, as_of: datetime, *, reporter: Reporter) -> GuixChannel:
    """The channel's commit at ``as_of``.

    Args:
        wish: what differs from Guix's own channel, and names.
        as_of: UTC.
        reporter: told what is fetched.

    Raises:
        UsageError: no such branch, or none of its commits is so old.
        SourceError: git is missing, or the repository cannot be reached; says the way out.
    """
    url, branch = wish.url or URL, wish.branch or BRANCH
    reporter.step(f"reading the history of {url} (the first time, that takes minutes)")
    try:
        commit = resolve_commit(
            url, f"refs/heads/{branch}", not_later_than=as_of, cache=cache_dir()
        )
    except SourceError as error:
        raise SourceError(
            error.what,
            where=error.where,
            remedy=f"{error.remedy or 'try again with a network'}, or name a repository that can"
            " be reached: url in [tool.envlock.guix]",
        ) from None
    return GuixChannel(
        name=NAME,
        url=url,
        branch=branch,
        commit=commit.id,
        introduction_commit=wish.introduction_commit or INTRODUCTION_COMMIT,
        introduction_fingerprint=wish.introduction_fingerprint or INTRODUCTION_FINGERPRINT,
        names=wish.names,
    )
