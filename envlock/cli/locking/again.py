"""``envlock lock`` asked again: what follows from the same bytes is not worked out a second time.

A lock is a function of the project's files, the configuration, and what uv answers. All of them are
kept beside the lock that came of them. Where the files and the configuration are the same, uv is
asked again as then (it looks at the index as it always does); where it answers the same, byte for
byte, the lock is the same, too, and only has to be written. Everything else goes the whole way, on
which that answer of uv serves (``uv_runs``). ADR 28 has the reasons.
"""

from __future__ import annotations

import os
import sys

from envlock import __version__

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envlock.resolve.python.engines.uv_runs import UvAnswer, UvOrder

_KIND = "locks-again-1"
_QUIET = ("-q", "--quiet")
_CERTIFICATE = "SSL_CERT_FILE"
# What every shell sets anew, and uv does not look at.
_PASSING = ("_", "OLDPWD", "PWD", "SHLVL")
_ABSENT = b"-"


def attempt(arguments: list[str]) -> int | None:
    """Write the lock and give the exit code, if all is as it was; None: there is more to do."""
    if not _is_plain(arguments):
        return None
    entry = _find(_key(arguments))
    if entry is None or not entry.holds():
        return None
    from envlock.resolve.python.engines import uv_runs

    order = entry.order()
    if order is not None and not uv_runs.begin(order):
        return None
    return _finish(entry)


def _finish(entry: _Entry) -> int | None:
    from envlock.io import placed
    from envlock.resolve.python.engines import uv_runs

    if uv_runs.begun() and not entry.is_answered_by(uv_runs.finish()):
        return None
    handle = placed.hold(entry.root)
    if handle is None:
        return None
    try:
        if not entry.holds() or not placed.put(entry.lock_path, entry.text):
            return None
    finally:
        os.close(handle)
    sys.stderr.write(entry.said)
    uv_runs.drop()
    return 0


def remember(
    arguments: Sequence[str],
    *,
    files: Iterable[str],
    places: Iterable[str],
    root: str,
    lock_path: str,
    run: tuple[UvOrder, UvAnswer] | None,
    said: Iterable[str],
    since: int,
) -> None:
    """Keep what came of a plain ``lock`` that began without a lockfile.

    Args:
        arguments: the command line.
        files: all that were read.
        places: where there could be more, outside of the project.
        root: the project's folder.
        lock_path: what was written.
        run: what uv was given, and its answer; None where nothing had to be asked.
        said: what people were told.
        since: when the command began, in nanoseconds since the epoch.
    """
    from envlock.io.cache import DiskCache
    from envlock.io.content import unchanged

    asked = None if run is None else _asked(*run)
    if not _is_plain(list(arguments)) or (run is not None and asked is None):
        return
    files = sorted(files)
    inside = (os.path.dirname(file) for file in files if file.startswith(root + os.sep))
    folders = sorted({*_upwards(os.getcwd(), root), *inside})
    programs = () if run is None else (run[0].argv[0],)
    try:
        if not all(unchanged.settled_file(file, since) for file in files):
            return
        parts = [
            [os.fsencode(lock_path), os.fsencode(root)],
            [part for path in files for part in (path.encode(), unchanged.content(path))],
            [part for path in folders for part in (path.encode(), _names(path))],
            [part for path in (*places, *programs) for part in (path.encode(), _stat(path))],
            *(asked or ([], [], [])),
            [unchanged.content(lock_path), "".join(f"{line}\n" for line in said).encode()],
        ]
    except (OSError, UnicodeEncodeError):
        return
    DiskCache(_KIND).put(
        _key(list(arguments)), unchanged.joined([unchanged.joined(part) for part in parts])
    )


def _asked(order: UvOrder, answer: UvAnswer) -> list[list[bytes]] | None:
    """A run of uv to keep: argv, files, and what certificate, lock and words there were."""
    from envlock.resolve.python.engines import uv_settings, uv_workspace

    certificate = dict(order.env).get(_CERTIFICATE, "")
    more = {_CERTIFICATE: certificate} if certificate else {}
    # Whatever else uv was given (a password, say) is not for a cache.
    if (
        answer.lock is None
        or dict(order.env) != uv_settings.environment() | more | uv_workspace.LOG
    ):
        return None
    return [
        [argument.encode() for argument in order.argv],
        [part.encode() for file in order.files for part in file],
        [certificate.encode(), answer.lock.encode(), _words(answer).encode()],
    ]


class _Entry:
    """What was kept of one lock."""

    def __init__(self, parts: list[list[bytes]]) -> None:
        (path, root), self._files, self._folders, self._places = parts[:4]
        argv, files, self._answer, (self.text, said) = parts[4:]
        self.lock_path, self.root = os.fsdecode(path), os.fsdecode(root)
        self.said = said.decode()
        self._argv = tuple(argument.decode() for argument in argv)
        self._uv_files = tuple((n.decode(), t.decode()) for n, t in _pairs(files))

    def holds(self) -> bool:
        """Whether there is no lockfile, and all that was looked at is as it was."""
        from envlock.io.content.unchanged import content

        try:
            return (
                not os.path.lexists(self.lock_path)
                and all(_stat(path.decode()) == stat for path, stat in _pairs(self._places))
                and all(_names(path.decode()) == names for path, names in _pairs(self._folders))
                and all(content(path.decode()) == text for path, text in _pairs(self._files))
            )
        except OSError:
            return False

    def order(self) -> UvOrder | None:
        """What uv is to be asked; None for nothing."""
        if not self._argv:
            return None
        from envlock.resolve.python.engines import uv_runs, uv_settings, uv_workspace

        certificate = self._answer[0].decode()
        more = {_CERTIFICATE: certificate} if certificate else {}
        environment = uv_settings.environment() | more | uv_workspace.LOG
        return uv_runs.order(self._argv, dict(self._uv_files), environment)

    def is_answered_by(self, answer: UvAnswer) -> bool:
        """Whether uv says what it said then."""
        lock = None if answer.code else answer.lock
        return lock is not None and self._answer[1:] == [lock.encode(), _words(answer).encode()]


def _find(key: str) -> _Entry | None:
    from envlock.io.cache import DiskCache
    from envlock.io.content.unchanged import split

    kept = DiskCache(_KIND).get(key)
    return None if kept is None else _Entry([split(part) for part in split(kept)])


def _pairs(parts: list[bytes]) -> list[tuple[bytes, bytes]]:
    return list(zip(parts[::2], parts[1::2], strict=True))


def _is_plain(arguments: list[str]) -> bool:
    """Whether nothing is asked for but a lock, maybe with a date, in this folder."""
    words = [argument for argument in arguments if argument not in _QUIET]
    return words[:1] == ["lock"] and (
        len(words) == 1 or (len(words) == 3 and words[1] == "--as-of")
    )


def _key(arguments: list[str]) -> str:
    """All that is not in files: the command line, the variables, this Python and machine.

    Another envlock, or another installation of it, may lock otherwise.
    """
    here = os.stat(__file__)
    variables = sorted((k, v) for k, v in os.environ.items() if k not in _PASSING)
    parts = [
        *(__version__, __file__, f"{here.st_mtime_ns} {here.st_size}", os.getcwd()),
        *(sys.version, sys.executable, sys.platform, str(getattr(os, "uname", str)()[-1:])),
        str(sys.stderr is not None and sys.stderr.isatty()),
        *arguments,
        *(f"{name}={text}" for name, text in variables),
    ]
    return "\0".join(parts).encode("utf-8", "backslashreplace").decode()


def _upwards(folder: str, root: str) -> Iterable[str]:
    """The folder and those above it, up to the project's."""
    while True:
        yield folder
        parent = os.path.dirname(folder)
        if folder == root or parent == folder:
            return
        folder = parent


def _names(folder: str) -> bytes:
    """What there is in a folder, lockfiles aside."""
    names = [name for name in os.listdir(folder) if not name.lstrip(".").startswith("pylock.")]
    return "\0".join(sorted(names)).encode("utf-8", "surrogateescape")


def _stat(path: str) -> bytes:
    """What changes when a file is written, comes or goes."""
    try:
        found = os.stat(path)
    except OSError:
        return _ABSENT
    return f"{found.st_mtime_ns} {found.st_size} {found.st_ino}".encode()


def _words(answer: UvAnswer) -> str:
    """What uv said, but for how long it took."""
    lines = answer.stderr.splitlines()
    return "\n".join(line for line in lines if not line.startswith("Resolved "))
