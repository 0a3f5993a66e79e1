"""A real Guix: Debian sid in a folder (``scripts/guix-root``), its daemon, commands run in it."""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_STAND_IN = Path(__file__).parents[1] / "guix" / "channel.scm"
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
# The machine's own folders, and the root's store among them: all in a mount namespace.
_VIEW = """
top=$0
root=$1
shift
mount -t tmpfs tmpfs "$top"
for entry in /*; do
    if [ -L "$entry" ]; then
        cp -P "$entry" "$top/"
    elif [ -d "$entry" ] && [ "$entry" != /var ] && [ "$entry" != /gnu ]; then
        mkdir "$top$entry"
        mount --rbind "$entry" "$top$entry"
    fi
done
mkdir -p "$top/gnu" "$top/var/log/guix"
mount --bind "$root/gnu" "$top/gnu"
mount --bind "$root/var/log/guix" "$top/var/log/guix"
exec chroot "$top" sh -c 'cd "$0" && exec "$@"' "$PWD" "$@"
"""
# `guix` for programs outside: it stands where they do, and sees one folder at the same path.
_CLIENT = """\
#!/bin/sh
exec unshare --mount sh -e -c '
mkdir -p "{root}{folder}"
mount --rbind /dev "{root}/dev"
mount -t proc proc "{root}/proc"
mount --bind "{folder}" "{root}{folder}"
exec chroot "{root}" /usr/bin/env -i HOME=/root USER={user} XDG_CACHE_HOME={folder}/cache \\
    PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \\
    GUIX_DAEMON_SOCKET="${{GUIX_DAEMON_SOCKET:-{socket}}}" \\
    /bin/sh -c "cd \\"\\$0\\" && exec guix \\"\\$@\\"" "$PWD" "$@"
' sh "$@"
"""
_CHANNEL = """\
#!/bin/sh
export STAND_IN_PYTHON={python}
set -- /usr/lib/*/guix/guile --no-auto-compile -s {script} "$@"
exec "$@"
"""
_SOCKETS = "/var/guix/daemon-socket"


@dataclass(frozen=True)
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

    @functools.cached_property
    def python(self) -> str:
        """The version of the root's Python."""
        argv = ["chroot", str(self.root), "/usr/bin/python3", "-c"]
        argv.append("import platform; print(platform.python_version())")
        return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()

    def client(self, folder: Path, commit: str) -> tuple[tuple[str, ...], dict[str, str]]:
        """Make a `guix` for a program outside, such as envlock, that works below ``folder``.

        Guix keeps what it built of a commit in a folder that the commit names. There it finds
        the stand-in for ``commit`` (tests/guix/channel.scm), and runs that.

        Returns:
            The command that the program has to be started through, and its variables.
        """
        programs, view, temporary = folder / "bin", folder / "view", folder / "tmp"
        channel = folder / "channel" / "bin"
        for made in (programs, view, temporary, channel):
            made.mkdir(parents=True)
        digest = hashlib.sha256(commit.encode()).digest()
        user = f"{self.socket}-{hashlib.sha256(bytes(folder)).hexdigest()[:8]}"
        known = self.path(f"/var/guix/profiles/per-user/{user}/inferiors")
        known.mkdir(parents=True)
        key = base64.b32encode(digest).decode().rstrip("=").lower()
        (known / key).symlink_to(channel.parent)
        script = folder / "channel.scm"
        shutil.copyfile(_STAND_IN, script)
        socket = f"{_SOCKETS}/{self.socket}"
        texts = {
            programs / "guix": _CLIENT.format(
                root=self.root, folder=folder, socket=socket, user=user
            ),
            channel / "guix": _CHANNEL.format(python=self.python, script=script),
        }
        for path, text in texts.items():
            path.write_text(text)
            path.chmod(0o755)
        variables = {"PATH": f"{programs}:{os.environ['PATH']}", "TMPDIR": str(temporary)}
        through = ("unshare", "--mount", "sh", "-e", "-c", _VIEW, str(view), str(self.root))
        return through, variables

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
