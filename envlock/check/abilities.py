"""What this machine can do for envlock: its tools, its Pythons, its kernel, its cache.

Nothing is changed, and nobody is asked over the network.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from envlock import __version__
from envlock.errors import EnvlockError, SourceError
from envlock.io import process
from envlock.io.apt_config import apt_sources
from envlock.io.interpreters import installed, pyenv_folders
from envlock.io.machine import machine_platform
from envlock.io.paths import cache_dir
from envlock.io.rooted import why_no_roots
from envlock.io.tools import find_nix, find_uv
from envlock.io.trace.kinds import Method
from envlock.io.trace.supervise import supervise
from envlock.lock.model import Lock

_LITTLE = 2 * 10**9
"""Bytes below which a cache soon has no room for an environment's files."""


class State(StrEnum):
    """``LIMITED``: it works, in a lesser way. ``MISSING``: what it is for does not work here."""

    OK = "ok"
    LIMITED = "limited"
    MISSING = "missing"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ability:
    """One thing that this machine has, or lacks.

    Args:
        name: what it is called: ``uv``.
        state: whether it is there.
        found: what is there, or why not.
        purpose: what needs it.
        remedy: what makes it right, where something is wrong.
        needed: nothing works without it, or the project's lock asks for it.
    """

    name: str
    state: State
    found: str
    purpose: str
    remedy: str | None = None
    needed: bool = False


def abilities(lock: Lock | None) -> Iterator[Ability]:
    """Everything in turn, as it is found out; ``lock`` says what is needed beyond the least."""
    # First of all: it forks, which is safest before anything else was started.
    tracing = _tracing()
    yield Ability(
        name="envlock",
        state=State.OK,
        found=f"{__version__}, CPython {platform.python_version()}, {sys.prefix}",
        purpose="everything",
    )
    yield _uv()
    yield _pythons(lock)
    yield _tool("git", "requirements from repositories, --as-of git, the code of runs", "git")
    yield _archives(lock)
    yield tracing
    yield _scripts()
    yield _roots()
    yield _images()
    yield _nix()
    yield _tool("guix", "rebuild --backend guix", "guix", "works without it: envlock export guix")
    yield _tool("cc", "building sdists that have C code, but in a build root", "gcc")
    yield _tool("diffoscope", "verify: differences in full", "diffoscope", "works without it")
    yield _cache()


def _uv() -> Ability:
    purpose = "lock, sync, rebuild"
    try:
        uv = find_uv()
        version = _version(str(uv))
    except SourceError as error:
        return _missing("uv", error, purpose, needed=True)
    return Ability(name="uv", state=State.OK, found=f"{version}, {uv}", purpose=purpose)


def _pythons(lock: Lock | None) -> Ability:
    purpose = "environments of these versions"
    try:
        folders = os.pathsep.join((os.environ.get("PATH", os.defpath), *pyenv_folders()))
        versions = [str(version) for version in installed(folders)]
    except SourceError as error:
        return _missing("Python", error, purpose, needed=True)
    here = machine_platform()
    targets = lock.targets if lock is not None else ()
    wanted = [target.series for target in targets if target.platform == here]
    having = {version.rpartition(".")[0] for version in versions}
    listed = ", ".join(versions) or "none"
    lacking = [series for series in wanted if series not in having]
    if not lacking:
        state = State.OK if versions else State.MISSING
        return Ability(name="Python", state=state, found=listed, purpose=purpose)
    short = ", ".join(lacking)
    # One of several is enough, and a lock may bring its own.
    brought = lock is not None and bool(lock.standalone)
    enough = brought or len(lacking) < len(wanted)
    return Ability(
        name="Python",
        state=State.LIMITED if enough else State.MISSING,
        found=f"{listed}; the lock is for {short}, too",
        purpose=purpose,
        remedy=f"uv python install {short}, pyenv, or the distribution's package;"
        " `envlock rebuild` takes it from locked OS packages",
        needed=not enough,
    )


def _archives(lock: Lock | None) -> Ability:
    purpose = "locking OS packages as they are now"
    try:
        sources = apt_sources()
    except (EnvlockError, OSError) as error:
        return _missing("apt archives", error, purpose)
    if sources:
        suites = sorted({suite for source in sources for suite in source.suites})
        found = f"{len(sources)} in apt's configuration: {', '.join(suites)}"
        return Ability(name="apt archives", state=State.OK, found=found, purpose=purpose)
    return Ability(
        name="apt archives",
        state=State.LIMITED,
        found="none in apt's configuration",
        purpose=purpose,
        remedy="set `mirrors` in [tool.envlock.os]; dated locks take the snapshot service",
        needed=lock is not None and lock.os is not None,
    )


def _tracing() -> Ability:
    purpose = "run: which files a program read and wrote"
    true = shutil.which("true") or "true"
    silent = os.open(os.devnull, os.O_RDWR)
    try:
        seen = supervise([true], stdio=(silent, silent, silent)).trace
    except EnvlockError as error:
        return _missing("tracing", error, purpose)
    finally:
        os.close(silent)
    if seen.method == Method.SECCOMP:
        return Ability(
            name="tracing", state=State.OK, found="every call, in the kernel", purpose=purpose
        )
    return Ability(
        name="tracing",
        state=State.LIMITED,
        found="; ".join(seen.gaps) or str(seen.method),
        purpose=purpose,
        remedy="runs are recorded all the same; see docs/tracing.md",
    )


def _scripts() -> Ability:
    name, purpose = "mmdebstrap", "build image --mode scripts"
    if shutil.which("mmdebstrap") is None:
        return Ability(
            name=name,
            state=State.LIMITED,
            found="not installed: --mode unpack works, for packages whose scripts are known",
            purpose=purpose,
            remedy="apt-get install mmdebstrap",
        )
    version = _version("mmdebstrap")
    how = "as root" if os.geteuid() == 0 else "in a user namespace"
    probe = ["unshare", "--mount", *(["--user", "--map-root-user"] if os.geteuid() else []), "true"]
    if shutil.which("unshare") and process.run(probe).code == 0:
        return Ability(name=name, state=State.OK, found=f"{version}, {how}", purpose=purpose)
    return Ability(
        name=name,
        state=State.MISSING,
        found=f"{version}, but this user may make no namespaces",
        purpose=purpose,
        remedy="sysctl kernel.unprivileged_userns_clone=1 (or be root); --mode unpack needs none",
    )


def _roots() -> Ability:
    name, purpose = "build roots", "rebuild --from-source, verify: by locked compilers"
    why = why_no_roots()
    if why is None:
        found = "programs may have another root"
        return Ability(name=name, state=State.OK, found=found, purpose=purpose)
    return Ability(
        name=name,
        state=State.LIMITED,
        found=f"programs may have no other root ({why}): this machine's compilers serve",
        purpose=purpose,
        remedy="sysctl kernel.unprivileged_userns_clone=1; on Ubuntu also"
        " kernel.apparmor_restrict_unprivileged_userns=0; a container must allow namespaces",
    )


def _images() -> Ability:
    there = [name for name in ("podman", "docker", "buildah", "skopeo") if shutil.which(name)]
    return Ability(
        name="containers",
        state=State.OK if there else State.LIMITED,
        found=", ".join(there) or "no podman, docker, buildah or skopeo",
        purpose="build image --load, check --image of images on this machine",
        remedy=None if there else "images are built, pushed and checked without any of them",
    )


def _nix() -> Ability:
    purpose = "build nix, rebuild --backend nix"
    try:
        nix = find_nix()
        return Ability(name="nix", state=State.OK, found=_version(str(nix)), purpose=purpose)
    except SourceError as error:
        return _missing("nix", error, purpose)


def _tool(name: str, purpose: str, package: str, otherwise: str | None = None) -> Ability:
    if shutil.which(name) is None:
        found = "not installed" + (f"; {otherwise}" if otherwise else "")
        state = State.LIMITED if otherwise else State.MISSING
        remedy = f"apt-get install {package}"
        return Ability(name=name, state=state, found=found, purpose=purpose, remedy=remedy)
    return Ability(name=name, state=State.OK, found=_version(name), purpose=purpose)


def _cache() -> Ability:
    purpose, folder = "files of locks, and answers that save time", cache_dir()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            free = shutil.disk_usage(folder).free
    except OSError as error:
        return Ability(
            name="cache",
            state=State.MISSING,
            found=f"{folder}: {error.strerror or error}",
            purpose=purpose,
            remedy="set ENVLOCK_CACHE_DIR to a folder that can be written",
            needed=True,
        )
    little = free < _LITTLE
    return Ability(
        name="cache",
        state=State.LIMITED if little else State.OK,
        found=f"{folder}, {free / 1e9:.1f} GB free",
        purpose=purpose,
        remedy="envlock cache prune, or ENVLOCK_CACHE_DIR on a larger disk" if little else None,
    )


def _missing(name: str, error: Exception, purpose: str, *, needed: bool = False) -> Ability:
    said, remedy = str(error), None
    if isinstance(error, EnvlockError):
        said, remedy = error.what.splitlines()[0], (error.remedy or "").partition("\n")[0] or None
    return Ability(
        name=name,
        state=State.MISSING,
        found=said,
        purpose=purpose,
        remedy=remedy,
        needed=needed,
    )


def _version(program: str) -> str:
    """The first version number that the program says of itself; its path where it says none."""
    try:
        said = process.run([program, "--version"])
    except EnvlockError as error:
        return error.what
    match = re.search(r"\d+(\.\d+)+\S*", said.stdout + said.stderr)
    return match[0].rstrip(",;)") if match else str(Path(shutil.which(program) or program))
