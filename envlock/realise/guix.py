"""The lock's channel, manifest and definitions, built by real Guix into a profile.

`guix time-machine` first gets the Guix of the locked commit, which then builds: nothing of the
Guix that happens to be installed decides what comes out.
"""

from __future__ import annotations

import contextlib
import gzip
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import EnvlockError, SourceError, UsageError, VerificationError
from envlock.io.process import Completed, clean_environment, run
from envlock.io.progress import Reporter
from envlock.io.tools import find_guix
from envlock.realise.handed import Handed, handed_over
from envlock.realise.links import check_link
from envlock.resolve.nixpkgs.nar import File, Folder, NarDigest, Node, Symlink

STORE = Path("/gnu/store")

_ATTEMPTS = 3
_AT_ONCE = 200
_LOG_LINES = 25
_STEP = re.compile(r"(building|downloading|substituting)\s+(?:from )?\S*?/?[0-9a-z]{32}-(\S+?)\.*$")
_OURS = re.compile(r"(?P<what>the lock is for Python .*?): (?P<remedy>lock for that one.*)")
_ERROR = re.compile(r"^guix[a-z -]*: error: ", re.M)
_FAILED = re.compile(r"builder for `\S*?[0-9a-z]{32}-(?P<name>\S+?)\.drv' failed")
_LOG = re.compile(r"View build log at '(?P<path>[^']+)'")
_COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]")
_REFUSED = ("hash mismatch", "not signed by an authorized key", "could not authenticate")
_TROUBLE = (
    (
        re.compile(r"error: failed to connect to `"),
        "Guix's daemon does not answer",
        "start it: systemctl start guix-daemon (or, as root:"
        " guix-daemon --build-users-group=guixbuild &)",
    ),
    (
        re.compile(r"failed to resolve address|Name or service not known|failure in name resol"),
        "Guix cannot reach the network, and what it needs is not in its store",
        "it fetches the locked commit of Guix, and what that builds with, by itself:"
        " run it once where there is a network",
    ),
)
"""What Guix says of the machine it runs on, and what that means; all else is shown as it is."""

_ADD = """\
(use-modules (guix store) (guix ui))
(with-error-handling
  (with-store store
    (for-each (lambda (file)
                (add-to-store store (basename file) #f "sha256" file))
              (cdr (command-line)))))
"""
"""Files by their content's SHA-256 alone, as a fixed-output derivation's result is called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A profile in Guix's store, and the SRI digest of its own content as a Nix archive."""

    store_path: str
    nar_hash: str


def add_files(folder: Path, files: Iterable[Handed], reporter: Reporter) -> None:
    """Put files of envlock's store into Guix's, where what fetches them by digest finds them.

    Args:
        folder: where a script may be written.
        files: as the definitions call them.
        reporter: told of what Guix had to be asked again.

    Raises:
        SourceError: Guix is missing, or cannot take them.
    """
    script = folder / "add.scm"
    script.write_text(_ADD)
    with handed_over(files) as paths:
        for first in range(0, len(paths), _AT_ONCE):
            argv = ["repl", "--", str(script), *paths[first : first + _AT_ONCE]]
            _guix(argv, folder, reporter, where="guix repl")


def build_profile(
    folder: Path, *, link: Path, reporter: Reporter, jobs: int | None = None
) -> Profile:
    """Build what `envlock export guix` wrote into ``folder``; ``link`` becomes a link to it.

    The link is a root for Guix's collector of garbage. One that is there is replaced only when
    everything is built. ``jobs`` is how many builds run at once, None: as the daemon is told.

    Raises:
        UsageError: something else is at ``link``, or this Guix has another Python.
        VerificationError: a file or commit is not what the lock says.
        SourceError: Guix is missing, or failed.
    """
    check_link(link, STORE)
    link.parent.mkdir(parents=True, exist_ok=True)
    fresh = not link.is_symlink()
    root = link if fresh else link.with_name(f".{link.name}.envlock-{os.getpid()}")
    argv = ["time-machine", "-C", "channels.scm", "--", "shell", "-L", "modules"]
    argv += ["-m", "manifest.scm", f"--root={root}", "--search-paths"]
    argv += [] if jobs is None else [f"--max-jobs={jobs}"]
    reporter.step("building with Guix, beginning with the Guix of the locked commit")
    try:
        _guix(argv, folder, reporter, where="guix shell")
        if not fresh:
            # The link is known to Guix as a root by its name.
            root.replace(link)
    finally:
        if not fresh:
            with contextlib.suppress(OSError):
                root.unlink()
    path = link.resolve()
    return Profile(store_path=str(path), nar_hash=tree_digest(path))


def tree_digest(path: Path) -> str:
    """What ``nix hash path`` says of a folder: the SRI digest of its Nix archive."""
    files: dict[int, Path] = {}
    root = _node(path, files)
    if not isinstance(root, Folder):
        raise SourceError("Guix's result is no folder", where=str(path))
    digest = NarDigest(root)
    for found, file in _in_order(root, files):
        digest.feed(file.read_bytes())
        if digest.is_next(found):
            digest.fed()
    return digest.sri()


def _node(path: Path, files: dict[int, Path]) -> Node:
    if path.is_symlink():
        return Symlink(target=os.fsencode(path.readlink()))
    if path.is_dir():
        return Folder(
            entries={os.fsencode(entry.name): _node(entry, files) for entry in path.iterdir()}
        )
    status = path.stat()
    file = File(size=status.st_size, executable=bool(status.st_mode & 0o100))
    files[id(file)] = path
    return file


def _in_order(node: Node, files: dict[int, Path]) -> Iterable[tuple[File, Path]]:
    if isinstance(node, File):
        yield node, files[id(node)]
    elif isinstance(node, Folder):
        for name in sorted(node.entries):
            yield from _in_order(node.entries[name], files)


def _guix(argv: list[str], folder: Path, reporter: Reporter, *, where: str) -> None:
    """Run Guix in ``folder``, once more where its own display fell over."""
    guix = str(find_guix())

    def step(line: str) -> None:
        match = _STEP.search(_COLOUR.sub("", line))
        if match:
            reporter.step(f"{match[1]} {match[2].removesuffix('.drv')}")

    for attempt in range(_ATTEMPTS):
        done = run([guix, *argv], cwd=folder, env=clean_environment(), on_stderr=step)
        if done.code == 0:
            return
        if attempt + 1 == _ATTEMPTS or not _lost_its_count(done.stderr):
            break
        reporter.note("Guix's own display of downloads fell over; what was built is kept: again")
    raise _failure(done, where)


def _lost_its_count(said: str) -> bool:
    """Whether the client fell over its display, as it does when a line of a log comes in two.

    It counts downloads by what the daemon prints (guix/status.scm, up to 1.5).
    """
    return "(compute-status " in said and "In procedure struct-vtable" in said


def _failure(done: Completed, where: str) -> EnvlockError:
    said = _COLOUR.sub("", done.stderr).strip()
    ours = _OURS.search(" ".join(said.split()))
    if ours:
        return UsageError(ours["what"], where="guix", remedy=ours["remedy"])
    first = _ERROR.search(said)
    last = "\n".join(said[first.end() if first else 0 :].strip().splitlines()[:_LOG_LINES])
    if any(text in said for text in _REFUSED):
        at = min(said.index(text) for text in _REFUSED if text in said)
        start = said.rfind("\n", 0, at) + 1
        return VerificationError(
            "\n".join(said[start:].splitlines()[:_LOG_LINES]),
            where=where,
            remedy="what Guix got is not what the lock says: look before you lock again",
        )
    for pattern, what, remedy in _TROUBLE:
        if pattern.search(said):
            return SourceError(f"{what}:\n{last}", where=where, remedy=remedy)
    failed = _FAILED.search(said)
    if failed is not None:
        log = _LOG.search(said, failed.end())
        end = "" if log is None else _end_of(Path(log["path"]))
        return SourceError(
            f"Guix could not build {failed['name']}" + (f":\n{end}" if end else ""),
            where=log["path"] if log else where,
            remedy="the rest is kept: once it is mended, the same command goes on from there",
        )
    return SourceError(
        f"Guix failed: {last or f'exit code {done.code}'}",
        where=where,
        remedy="`envlock export guix`, then the command that it names, shows everything",
    )


def _end_of(log: Path) -> str:
    """The last lines of a build's log, as far as it can be read here."""
    try:
        content = gzip.decompress(log.read_bytes()) if log.suffix == ".gz" else b""
    except (OSError, EOFError, gzip.BadGzipFile):
        return ""
    lines = content.decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])
