"""One build of a source package, as Debian's builders do it: sbuild in a fresh root.

In a root that has the essential packages and the build dependencies, as an ordinary user, without
a network, in ``/build/reproducible-path``. ``dpkg-buildpackage`` takes SOURCE_DATE_EPOCH from the
last entry of the changelog. No root privileges are needed where ``mmdebstrap`` can map further
ids (``/etc/subuid``): it makes the namespaces, for root and for others.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from envlock.errors import SourceError
from envlock.io import process
from envlock.io.confined import last_lines, run_confined
from envlock.io.files import disk_error
from envlock.io.store import stored
from envlock.io.tools import system_path
from envlock.lock.os import OsSource
from envlock.realise.debian.root import NAMESPACES, roomy

_SHOWN = 20
_PREFIX = "envlock-debian-"
_LOCK = "lock"
_SMALL = 4 << 20
_ROOT_SECONDS = 1800.0
"""How long the root may take to be unpacked, and its results to be copied."""


class BuildFailedError(Exception):
    """A build that gave no packages; the text says how it ended, with the end of its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is built.

    ``source`` is in the store; ``kind`` as for ``dpkg-buildpackage --build``; ``entry`` is the
    changelog entry of a binary-only rebuild (binNMU), empty where it is none; ``root`` the archive
    of the root; ``processors`` how many it may use.
    """

    source: OsSource
    kind: str
    entry: str
    root: Path
    processors: int

    @property
    def dsc(self) -> str:
        """The name of the ``.dsc``."""
        return next(file.name for file in self.source.files if file.name.endswith(".dsc"))

    @property
    def folder(self) -> str:
        """What the folder of the sources is called, as dpkg-source calls it."""
        return source_folder(self.source.name, self.source.version)


def source_folder(name: str, version: str) -> str:
    """``tree-2.1.0`` of ``tree`` 2.1.0-1: without epoch and revision."""
    plain = version.partition(":")[2] or version
    return f"{name}-{plain.rpartition('-')[0] or plain}"


@contextmanager
def building(order: Order, log: Path, seconds: float) -> Iterator[tuple[Path, ...]]:
    """Build; the .debs and the .buildinfo are there until the context ends.

    Args:
        order: see there.
        log: gets all that is said.
        seconds: how long it may take.

    Raises:
        BuildFailedError: there are no packages in the end.
        SourceError: the root cannot be prepared here, or the disk cannot take it.
    """
    with _folder() as work:
        _furnish(order, work)
        log.parent.mkdir(parents=True, exist_ok=True)
        try:
            code = run_confined(
                [
                    *NAMESPACES,
                    "sh",
                    "-c",
                    _script("outside.sh"),
                    "sh",
                    str(work),
                    f"{seconds:f}",
                    _place(order),
                ],
                cwd=work,
                env=process.clean_environment("DEB", "DPKG", "APT", PATH=system_path()),
                log=log,
                seconds=seconds + _ROOT_SECONDS,
            )
        except SourceError as error:
            raise SourceError(error.what, remedy="apt-get install mmdebstrap uidmap") from None
        yield _made(work, code, log, seconds)


def _made(work: Path, code: int | None, log: Path, seconds: float) -> tuple[Path, ...]:
    inside = work / "inside"
    said = last_lines(log, _SHOWN)
    if not (inside / "started").exists():
        raise SourceError(
            "no root to build in can be prepared here" + (said and f":\n{_indented(said)}"),
            remedy="it takes namespaces: root, or a user with lines in /etc/subuid and /etc/subgid",
        )
    told = inside / "code"
    ended = told.read_text().strip() if told.exists() else "late" if code is None else "killed"
    if ended != "0":
        words = {
            "late": f"did not end within {seconds:g} seconds",
            "killed": f"was ended from outside (exit code {code})",
        }
        how = words.get(ended, f"ended with exit code {ended}")
        raise BuildFailedError(f"the build {how}" + (said and f":\n{said}"))
    files = tuple(sorted(p for p in (inside / "out").iterdir() if p.is_file()))
    if not any(path.suffix == ".deb" for path in files):
        raise BuildFailedError("the build made no package" + (said and f":\n{said}"))
    return files


def _place(order: Order) -> str:
    """Where the root is unpacked: what is small, in memory, where there is enough."""
    small = sum(file.size for file in order.source.files) < _SMALL
    return "memory" if small and roomy() else "disk"


def _indented(text: str) -> str:
    return "\n".join(f"  {line}" for line in text.splitlines())


def _furnish(order: Order, work: Path) -> None:
    """All that the build is given, where mapped users can read it."""
    source = work / "source"
    source.mkdir()
    for file in order.source.files:
        shutil.copyfile(stored(file.sha256), source / file.name)
    job = {
        "dsc": order.dsc,
        "folder": order.folder,
        "kind": order.kind,
        "parallel": str(order.processors),
    }
    lines = (f"{name}={shlex.quote(value)}\n" for name, value in job.items())
    (source / "job").write_text("".join(lines), encoding="utf-8")
    if order.entry:
        (source / "entry").write_text(order.entry, encoding="utf-8")
    (source / "inside.sh").write_text(_script("inside.sh"), encoding="utf-8")
    if os.geteuid() == 0:
        (work / "root.tar").symlink_to(order.root)
    else:
        shutil.copyfile(order.root, work / "root.tar")
    inside = work / "inside"
    inside.mkdir()
    inside.chmod(0o1777)  # for mapped users; the folder above is this user's


def _script(name: str) -> str:
    file = resources.files("envlock.realise.debian") / "files" / name
    return file.read_text("utf-8")


@contextmanager
def _folder() -> Iterator[Path]:
    """The build's own folder, empty; those that a killed run left go first."""
    base = Path(tempfile.gettempdir())
    mask = os.umask(0o022)
    try:
        for left in base.glob(f"{_PREFIX}*"):
            _sweep(left)
        path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base))
        try:
            with (path / _LOCK).open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                path.chmod(0o755)  # for mapped users
                yield path
        finally:
            _remove(path)
    except OSError as error:
        raise disk_error(error, base) from None
    finally:
        os.umask(mask)


def _sweep(path: Path) -> None:
    """Remove a folder of this user's that nobody builds in any more."""
    with contextlib.suppress(OSError):
        if path.is_symlink() or path.stat().st_uid != os.getuid():
            return
        with (path / _LOCK).open("r+") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(path)


def _remove(path: Path) -> None:
    """Remove the folder, and what other users have in it."""
    inside = path / "inside"
    if inside.exists() and os.geteuid() != 0:
        script = 'chmod -R u+rwx "$1"/* && rm -rf --one-file-system "$1"/*'
        process.run([*NAMESPACES, "sh", "-c", script, "sh", str(inside)])
    if path.exists():
        shutil.rmtree(path)
