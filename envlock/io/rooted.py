"""Runs a program with another folder as its root: read-only, without a network, as this user.

Namespaces of Linux do it (user, mount, network), so that no privileges are needed where the system
lets ordinary users have them. Nothing of it is left when the program ends.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

# Any Python 3.6 or later runs it. Mounts come first and the program last: what it is loaded from
# is the new root's. A folder in which something is to be mounted that is not there is covered by
# one in memory that has the same entries.
_ENTER = r"""
import ctypes, json, os, sys
job = json.loads(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
READ_ONLY, REMOUNT, BIND, REC, PRIVATE = 1, 32, 4096, 16384, 1 << 18
NEW_NET, NEW_USER, NEW_MOUNTS = 0x40000000, 0x10000000, 0x20000

def refuse(what):
    error = ctypes.get_errno()
    raise SystemExit("envlock: no root to build in: %s: %s" % (what, os.strerror(error)))

def mount(source, target, kind, flags, options=None):
    given = [os.fsencode(text) if text else None for text in (source, target, kind)]
    if libc.mount(*given, ctypes.c_ulong(flags), options and options.encode()) != 0:
        refuse("mount at " + target)

def lock(target):
    kept, now = 0, os.statvfs(target).f_flag
    # What another user namespace has set for a mount must stay as it is.
    for bit, flag in ((2, 2), (4, 4), (8, 8), (1024, 1024), (2048, 2048), (4096, 1 << 21)):
        kept |= flag if now & bit else 0
    mount(None, target, None, REMOUNT | BIND | READ_ONLY | kept)

covers = []

def cover(folder):
    held = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    mount("tmpfs", folder, "tmpfs", 0, "mode=755")
    covers.append(folder)
    there = "/proc/self/fd/%d/" % held
    for name in sorted(os.listdir(there)):
        place(there + name, os.path.join(folder, name), link=True)
    os.close(held)

def place(source, target, link=False):
    if link and os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    if os.path.isdir(source):
        os.makedirs(target, exist_ok=True)
    elif not os.path.exists(target):
        os.close(os.open(target, os.O_CREAT | os.O_WRONLY))
    mount(source, target, None, BIND | REC)

def point(path):
    # Have all folders above a path of the new root, which then is to be mounted at.
    here = root
    parts = [part for part in path.split("/") if part]
    for number, part in enumerate(parts):
        below = os.path.join(here, part)
        if os.path.islink(below):
            raise SystemExit("envlock: no root to build in: %s leads through a link there" % path)
        last = number + 1 == len(parts)
        if not os.path.lexists(below):
            try:
                os.mkdir(below) if not last else open(below, "x").close()
            except OSError:
                cover(here)
                os.mkdir(below) if not last else open(below, "x").close()
            if last:
                os.unlink(below)
        here = below
    return here

user, group = os.geteuid(), os.getegid()
if libc.unshare(NEW_USER | NEW_MOUNTS | NEW_NET) == 0:
    for name, text in (("setgroups", "deny"), ("uid_map", "%d %d 1" % (user, user)),
                       ("gid_map", "%d %d 1" % (group, group))):
        with open("/proc/self/" + name, "w") as file:
            file.write(text)
elif libc.unshare(NEW_MOUNTS | NEW_NET) != 0:
    refuse("namespaces")
mount(None, "/", None, REC | PRIVATE)
root = job["root"]
# Opened now: what they are may be hidden by what is mounted next.
sources = [os.open(source, os.O_PATH) for source, _, _ in job["places"]]
cover(root)
for name in os.listdir(root):
    entry = os.path.join(root, name)
    if not os.path.islink(entry):
        lock(entry)
for name in ("proc", "dev", "tmp"):
    where = os.path.join(root, name)
    os.makedirs(where, exist_ok=True)
    if name == "proc":
        mount("/proc", where, None, BIND | REC)
    else:
        mount("tmpfs", where, "tmpfs", 0, "mode=755" if name == "dev" else "mode=1777")
for name in ("full", "null", "random", "urandom", "zero"):
    place("/dev/" + name, os.path.join(root, "dev", name))
for name, target in (("fd", "/proc/self/fd"), ("stdin", "fd/0"), ("stdout", "fd/1"),
                     ("stderr", "fd/2")):
    os.symlink(target, os.path.join(root, "dev", name))
os.mkdir(os.path.join(root, "dev", "shm"), 0o1777)
for source, (_, target, writable) in zip(sources, job["places"]):
    where = point(target)
    place("/proc/self/fd/%d" % source, where)
    os.close(source)
    if not writable:
        lock(where)
for where in covers:
    lock(where)
os.chdir(root)
if libc.pivot_root(b".", b".") != 0:
    refuse("pivot_root")
if libc.umount2(b".", 2) != 0:
    refuse("umount")
os.chdir("/")
if job["argv"]:
    os.chdir(job["cwd"])
    try:
        os.execve(job["argv"][0], job["argv"], job["env"])
    except OSError as error:
        raise SystemExit("envlock: cannot start %s: %s" % (job["argv"][0], error.strerror))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A file or folder of this machine that is to be seen in a root, at an absolute path there."""

    source: Path
    target: str
    writable: bool = False


def in_root(
    root: Path,
    argv: Sequence[str],
    *,
    shown: Sequence[Shown] = (),
    cwd: str = "/",
    env: Mapping[str, str],
) -> list[str]:
    """The command by which ``argv`` runs with ``root`` as its root.

    Args:
        root: a folder; nothing in it is changed. ``/proc`` is the machine's, ``/dev`` has what
            programs need, ``/tmp`` is empty, in memory and writable.
        argv: a program, by its path in the root, and its arguments; empty: only try.
        shown: what of this machine is to be there.
        cwd: working directory in the root.
        env: the program's whole environment.
    """
    job = {
        "root": str(root),
        "argv": list(argv),
        "places": [[str(one.source), one.target, one.writable] for one in shown],
        "cwd": cwd,
        "env": dict(env),
    }
    return [sys.executable, "-I", "-S", "-B", "-c", _ENTER, json.dumps(job)]


def why_no_roots() -> str | None:
    """Why this system lets no program have another root, in words; None where it does."""
    if not sys.platform.startswith("linux"):
        return "namespaces are Linux's"
    with tempfile.TemporaryDirectory(prefix="envlock-root-") as folder:
        done = subprocess.run(
            in_root(Path(folder), (), env={}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    if done.returncode == 0:
        return None
    said = done.stderr.strip().splitlines()
    return (said[-1] if said else f"exit code {done.returncode}").removeprefix(
        "envlock: no root to build in: "
    )
