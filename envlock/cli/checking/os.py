"""``envlock check``: the OS packages of a system against the lock."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from envlock.check.drift import Code, Drift
from envlock.check.os.compare import compare_os
from envlock.check.os.content import System, has_digests, os_content
from envlock.check.os.observe import distribution, observe_os
from envlock.cli.context import Context
from envlock.errors import UsageError
from envlock.io.machine import machine_platform
from envlock.lock.model import Lock

_NO_LISTS = "content of OS packages not compared: dpkg keeps no lists of files there"


@dataclass(frozen=True, slots=True, kw_only=True)
class OsAnswer:
    """What is to be said of a system.

    ``record`` is that in ``io.index`` (its key, and when it was made) as long as which the answer
    holds; ``notes`` are lines for people. ``compared`` is whether there was anything to compare.
    """

    drift: tuple[Drift, ...] = ()
    record: tuple[str, int] | None = None
    notes: tuple[str, ...] = ()
    compared: bool = False
    listed: bool = True


def os_answer(
    context: Context, lock: Lock, root: Path | None, *, required: bool, paranoid: bool
) -> OsAnswer:
    """The OS layer against dpkg's status and digests, and apt's sources.

    ``required``: the user asked for just that.
    """
    if lock.os is None:
        if required:
            raise UsageError(
                "the lock has no OS packages",
                remedy="ask for some in [tool.envlock.os], and run `envlock lock`",
            )
        return OsAnswer()
    there = context.directory / root if root is not None else Path("/")
    machine = distribution(there)
    if machine != lock.os.base and root is None:
        told = f"this system is {machine or 'no Debian or Ubuntu'}, the lock is for {lock.os.base}"
        if required:
            raise UsageError(told, remedy="name the root to compare: --root DIR")
        return OsAnswer(notes=(f"OS packages not compared: {told}",))
    architecture = machine_platform().partition("/")[2]
    architectures = {p.architecture for p in lock.os.packages}
    if architecture not in architectures:
        architecture = min(architectures)
    installed = observe_os(there)
    found = compare_os(lock.os, architecture, installed)
    if not has_digests(there):
        return OsAnswer(drift=found, notes=(_NO_LISTS,), compared=True, listed=False)
    off = {d.subject for d in found if d.code is not Code.OS_HELD}
    system = System(
        root=there,
        layer=lock.os,
        architecture=architecture,
        packages=tuple(
            p for p in lock.os.packages if p.architecture == architecture and p.name not in off
        ),
        installed=installed,
    )
    content, record = os_content(system, paranoid=paranoid)
    return OsAnswer(drift=found + content, record=record, compared=True)
