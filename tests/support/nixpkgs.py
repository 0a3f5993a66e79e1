"""The three services that know nixpkgs, on loopback, over one small git repository.

Their protocols are the real ones': a bucket that lists as S3 does (ListObjectsV2, in pages), the
commits of GitHub's REST API, and tarballs made by ``git archive``.
"""

from __future__ import annotations

import fnmatch
import gzip
import json
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs
from xml.sax.saxutils import escape

from support.index import Answer, LoopbackIndex
from support.repository import Repository

AUTUMN = "nixos-26.05"
"""The branch of ``autumn_repository``, after the end of the table that envlock ships."""

_PAGE = 2
_MISSING = Answer(status=404, body=b'{"message": "Not Found"}')


def at(text: str) -> datetime:
    """The instant that an ISO text means in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def autumn_repository(folder: Path) -> Repository:
    """Commits of 1 to 5 October 2026 on ``AUTUMN``, each with one more file."""
    repository = Repository(folder)
    repository.git("checkout", "--quiet", "-b", AUTUMN)
    for number in range(5):
        (folder / f"file{number}").write_text(str(number))
        repository.git("add", "--all")
        date = at("2026-10-01") + timedelta(days=number)
        repository.git("commit", "--quiet", "-m", "x", date=date)
    return repository


def autumn_releases(repository: Repository) -> dict[str, tuple[datetime, str]]:
    """A release of each commit, three days after it; among them what is none."""
    commits = repository.git("rev-list", "--reverse", AUTUMN).split()
    releases = {"nixos/26.05/latest": (at("2026-10-01"), commits[0])}
    for number, commit in enumerate(commits):
        published = at("2026-10-04") + timedelta(days=number)
        # Their names do not sort as their dates do: 1000 comes before 998.
        releases[f"nixos/26.05/nixos-26.05.{998 + number}.{commit[:12]}"] = (published, commit)
        releases[f"nixos/26.05-small/nixos-26.05.{number}.{commit[:12]}"] = (published, commit)
    return releases


class NixServer(LoopbackIndex):
    """Serves ``/releases/``, ``/api/`` and ``/github/``; faults are those of the index.

    Args:
        repository: stands for nixpkgs.
        releases: key (``nixos/26.05/nixos-26.05.12.abc…``) → when it was published, and its commit.
    """

    def __init__(
        self, repository: Repository, releases: Mapping[str, tuple[datetime, str]]
    ) -> None:
        self.repository = repository
        self.releases = dict(releases)
        self._instead: list[tuple[str, bytes]] = []
        super().__init__("json")

    @property
    def variables(self) -> dict[str, str]:
        """What leads envlock here."""
        return {
            "ENVLOCK_NIX_RELEASES_URL": f"{self.base}/releases",
            "ENVLOCK_GITHUB_API_URL": f"{self.base}/api",
            "ENVLOCK_GITHUB_URL": f"{self.base}/github",
            "ENVLOCK_HTTP_RETRIES": "0",
        }

    def serve_instead(self, pattern: str, body: bytes) -> None:
        """Answer what matches the glob with these bytes."""
        self._instead.append((pattern, body))

    def answer(self, path: str, headers: Mapping[str, str]) -> Answer:
        """The response to a GET."""
        for pattern, body in self._instead:
            if fnmatch.fnmatchcase(path, pattern):
                return Answer(status=200, body=body)
        query = {key: values[0] for key, values in parse_qs(headers[":query"]).items()}
        if path == "/releases/":
            return self._list(query)
        if path.startswith("/releases/") and path.endswith("/git-revision"):
            key = path.removeprefix("/releases/").removesuffix("/git-revision")
            found = self.releases.get(key)
            return _MISSING if found is None else Answer(status=200, body=f"{found[1]}\n".encode())
        if path == "/api/repos/NixOS/nixpkgs/commits":
            return self._commits(query)
        prefix, suffix = "/github/NixOS/nixpkgs/archive/", ".tar.gz"
        if path.startswith(prefix) and path.endswith(suffix):
            tarball = self.tarball(path.removeprefix(prefix).removesuffix(suffix))
            return _MISSING if tarball is None else Answer(status=200, body=tarball)
        return _MISSING

    def tarball(self, commit: str) -> bytes | None:
        """What ``git archive`` makes of a commit; None where there is no such commit."""
        done = subprocess.run(
            ["git", "-C", str(self.repository.folder), "archive", f"--prefix=nixpkgs-{commit}/",
             "--format=tar", commit],
            capture_output=True,
            check=False,
        )  # fmt: skip
        return gzip.compress(done.stdout, mtime=0) if done.returncode == 0 else None

    def _list(self, query: Mapping[str, str]) -> Answer:
        """ListObjectsV2: pages of keys below the prefix, and of folders up to the delimiter."""
        assert query["list-type"] == "2"
        assert query["delimiter"] == "/"
        prefix = query["prefix"]
        below = sorted(key for key in self.releases if key.startswith(prefix))
        items: list[tuple[str, str]] = []
        for key in below:
            rest = key.removeprefix(prefix)
            if "/" in rest:
                continue
            published = self.releases[key][0]
            stamp = f"{published:%Y-%m-%dT%H:%M:%S}.000Z"
            entry = f"<Key>{escape(key)}</Key><LastModified>{stamp}</LastModified>"
            items.append((key, f"<Contents>{entry}<Size>9</Size></Contents>"))
            folder = f"<Prefix>{escape(key)}/</Prefix>"
            items.append((f"{key}/", f"<CommonPrefixes>{folder}</CommonPrefixes>"))
        start = int(query.get("continuation-token", "0"))
        page = items[start : start + _PAGE]
        cut = start + _PAGE < len(items)
        token = f"<NextContinuationToken>{start + _PAGE}</NextContinuationToken>" if cut else ""
        body = (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
            f"<Name>nix-releases</Name><Prefix>{escape(prefix)}</Prefix>"
            f"<IsTruncated>{str(cut).lower()}</IsTruncated>{token}"
            f"{''.join(text for _, text in page)}</ListBucketResult>"
        )
        return Answer(status=200, body=body.encode(), headers={"Content-Type": "application/xml"})

    def _commits(self, query: Mapping[str, str]) -> Answer:
        assert query["per_page"] == "1"
        branch = f"refs/heads/{query['sha']}"
        if branch not in self.repository.git("for-each-ref", "--format=%(refname)").splitlines():
            return _MISSING
        found = self.repository.git("rev-list", "-1", f"--before={query['until']}", branch)
        listed = [{"sha": found, "commit": {"committer": {}}}] if found else []
        return Answer(status=200, body=json.dumps(listed).encode())


def nar_hash(folder: Path) -> str:
    """What Nix itself says of a folder: the SRI digest of its NAR."""
    done = subprocess.run(
        ["nix", "--extra-experimental-features", "nix-command", "hash", "path", str(folder)],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()
