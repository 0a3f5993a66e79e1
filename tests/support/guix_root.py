"""A real Guix: Debian sid in a folder (``scripts/guix-root``), its daemon, commands run in it."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# A mount namespace of its own: what is mounted here goes with the process. Guile keeps compiled
# files by path and time, and every folder is /mnt, so each has a cache of its own.
_ENTER = """
mount --rbind /dev "$0/dev"
mount -t proc proc "$0/proc"
mount --bind "$1" "$0/mnt"
root=$0
shift
cd /
exec chroot "$root" /usr/bin/env -i HOME=/root XDG_CACHE_HOME=/mnt/.cache \
    PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
    /bin/sh -c 'cd /mnt && exec "$@"' sh "$@"
"""
_SOCKETS = "/var/guix/daemon-socket"


@dataclass(frozen=True, slots=True)
class GuixRoot:
    """The folder. A command sees ``folder`` as ``/mnt`` and stands in it.

    ``socket`` is a name of its own: several daemons may serve one store, each for one process of
    the tests.
    """

    root: Path
    socket: str

    def command(self, folder: Path, *arguments: str) -> list[str]:
        """What runs ``arguments`` in the root."""
        variable = f"GUIX_DAEMON_SOCKET={_SOCKETS}/{self.socket}"
        inside = ["sh", "-e", "-c", _ENTER, str(self.root), str(folder)]
        inside += ["env", variable, *arguments]
        return ["unshare", "--mount", *inside]

    def run(self, folder: Path, *arguments: str, check: bool = True, text: str = "") -> Said:
        """Run to the end; with ``check``, a failure shows what was said."""
        for _ in range(3):
            done = subprocess.run(
                self.command(folder, *arguments),
                input=text,
                capture_output=True,
                text=True,
                timeout=300,
                check=False,
            )
            if done.returncode == 0 or not _lost_its_count(done.stderr):
                break
        if check:
            assert done.returncode == 0, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return Said(code=done.returncode, out=done.stdout, err=done.stderr)

    def path(self, inside: str) -> Path:
        """A path of the root, from outside."""
        return self.root / inside.removeprefix("/")

    @contextlib.contextmanager
    def daemon(self, folder: Path, log: Path) -> Iterator[None]:
        """Guix's daemon, which builds without a sandbox and asks nobody for substitutes."""
        socket = self.path(f"{_SOCKETS}/{self.socket}")
        options = ["--build-users-group=guixbuild", "--disable-chroot", "--no-substitutes"]
        options.append(f"--listen={_SOCKETS}/{self.socket}")
        with (
            log.open("wb") as said,
            subprocess.Popen(
                self.command(folder, "guix-daemon", *options), stdout=said, stderr=said
            ) as process,
        ):
            try:
                for _ in range(300):
                    if socket.exists():
                        break
                    assert process.poll() is None, log.read_text()
                    time.sleep(0.1)
                yield
            finally:
                process.terminate()
                socket.unlink(missing_ok=True)


def _lost_its_count(said: str) -> bool:
    """Did Guix's own display of downloads fall over?

    The client counts downloads from what the daemon prints, and fails with a backtrace when the
    log of a build cuts the line in two that begins one (seen with Guix 1.4). What was built stays.
    """
    return "(compute-status " in said and "In procedure struct-vtable" in said


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What a command gave."""

    code: int
    out: str
    err: str


def write(files: Mapping[str, bytes], folder: Path) -> Path:
    """A tree on disk."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder
