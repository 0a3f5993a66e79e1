"""The lock's flake, built by real Nix."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import EnvlockError, SourceError, UsageError, VerificationError
from envlock.io.process import Completed, clean_environment, run
from envlock.io.progress import Reporter
from envlock.io.tools import find_nix
from envlock.realise.handed import Handed, handed_over

_FEATURES = ("--extra-experimental-features", "nix-command flakes")
_OURS = re.compile(r"^\s*error: envlock: (?P<what>.*?)(; (?P<remedy>.*))?$", re.M)
# Attempts that are made again are told as warnings.
_ERROR = re.compile(r"^\s*error:", re.M)
_STEP = re.compile(r"(building|copying|downloading|unpacking) .*?([0-9a-z]{32})-(?P<name>[^'\" ]+)")
_AT_ONCE = 200
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")

_TROUBLE = (
    (
        re.compile(r"cannot connect to socket at"),
        "Nix's daemon does not answer",
        "start it: systemctl start nix-daemon (or, as root: nix-daemon &)",
    ),
    (
        re.compile(r"on '/nix/[^']*'.*: Operation not permitted|'/nix/[^']*': Permission denied"),
        "Nix's store belongs to another user, and no daemon was asked",
        "start Nix's daemon, join the group that may use it (Debian: nix-users), and say"
        " NIX_REMOTE=daemon",
    ),
    (
        re.compile(r"Could ?n[o']t resolve host", re.IGNORECASE),
        "Nix cannot reach the network, and what it needs is not in its store",
        "it fetches nixpkgs (and what that needs) by itself: run it once where there is a network",
    ),
)
"""What Nix says of the machine it runs on, and what that means; all else is shown as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A path in Nix's store, and the SRI digest of its content as a Nix archive."""

    store_path: str
    nar_hash: str


def build_flake(
    flake: Path,
    attribute: str,
    *,
    link: Path | None,
    reporter: Reporter,
    offline: bool = False,
    jobs: int | None = None,
) -> Built:
    """Build one output of the flake in a folder, as it is: its lock must need no change.

    Args:
        flake: the folder.
        attribute: ``packages.x86_64-linux.default``.
        link: where a link to the result is made, which also keeps it from being collected.
        reporter: told what Nix is doing.
        offline: nothing but what is in its store.
        jobs: builds at once, None: as Nix is configured.

    Raises:
        UsageError: nixpkgs has not what the lock asks of it.
        VerificationError: a file is not what its digest says.
        SourceError: Nix is missing, or failed.
    """
    nix = str(find_nix())
    # From inside, since Nix's references cannot hold every folder's name.
    argv = [nix, *_FEATURES, "build", f"path:.#{attribute}", "--json"]
    argv += ["--no-update-lock-file", "--no-write-lock-file"]
    argv += ["--offline"] if offline else []
    argv += [] if jobs is None else ["--max-jobs", str(jobs)]
    argv += ["--no-link"] if link is None else ["--out-link", str(link)]

    def step(line: str) -> None:
        match = _STEP.search(line)
        if match:
            reporter.step(f"{match[1]} {match['name'].removesuffix('.drv')}")

    done = run(argv, cwd=flake, env=clean_environment(), on_stderr=step)
    if done.code != 0:
        raise _failure(done, attribute)
    path = str(json.loads(done.stdout)[0]["outputs"]["out"])
    return Built(store_path=path, nar_hash=_nar_hash(nix, path))


def store_folder() -> Path:
    """Where Nix's store is on this machine."""
    return Path(os.environ.get("NIX_STORE_DIR") or "/nix/store")


def add_files(files: Iterable[Handed]) -> None:
    """Put files of envlock's store into Nix's, where what fetches them by digest finds them.

    Args:
        files: as the flake calls them.

    Raises:
        SourceError: Nix is missing, or cannot take them.
    """
    program = find_nix().with_name("nix-store")
    with handed_over(files) as paths:
        for first in range(0, len(paths), _AT_ONCE):
            argv = [str(program), "--add-fixed", "sha256", *paths[first : first + _AT_ONCE]]
            done = run(argv, env=clean_environment())
            if done.code != 0:
                raise _failure(done, "nix-store --add-fixed")


def _nar_hash(nix: str, path: str) -> str:
    done = run([nix, *_FEATURES, "path-info", "--json", path], env=clean_environment())
    if done.code != 0:
        raise _failure(done, path)
    answer = json.loads(done.stdout)
    # A list until Nix 2.19, an object by path since.
    [info] = answer if isinstance(answer, list) else answer.values()
    return str(info["narHash"])


def _failure(done: Completed, where: str) -> EnvlockError:
    said = _COLOUR.sub("", done.stderr).strip()
    ours = _OURS.search(said)
    if ours:
        return UsageError(ours["what"], where="nix", remedy=ours["remedy"])
    if "hash mismatch in fixed-output derivation" in said:
        told = said[said.index("hash mismatch") :]
        return VerificationError(
            told.strip(),
            where="nix",
            remedy="the address gives another file than the locked one: look before you lock again",
        )
    for pattern, what, remedy in _TROUBLE:
        if pattern.search(said):
            return SourceError(f"{what}:\n{_end(said)}", where="nix", remedy=remedy)
    return SourceError(
        f"nix build failed: {_end(said) or f'exit code {done.code}'}",
        where=where,
        remedy="the whole log: `envlock export nix`, then `nix build -L path:nix`",
    )


def _end(said: str) -> str:
    """What Nix said from its first error on; of a build that failed it shows the log's end."""
    first = _ERROR.search(said)
    return "\n".join(said[first.end() if first else 0 :].strip().splitlines()[:25])
