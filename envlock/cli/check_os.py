"""``envlock check``: the OS packages of a system against the lock."""

from __future__ import annotations

from pathlib import Path

from envlock.check.drift import Code, Drift
from envlock.check.os_compare import compare_os
from envlock.check.os_content import has_digests, os_content
from envlock.check.os_observe import distribution, observe_os
from envlock.cli.context import Context
from envlock.cli.output import say
from envlock.errors import UsageError
from envlock.io.machine import machine_platform
from envlock.lock.model import Lock


def os_drift(
    context: Context, lock: Lock, root: Path | None, *, required: bool, paranoid: bool
) -> tuple[Drift, ...]:
    """The OS layer against dpkg's status and digests.

    ``required``: the user asked for just that.
    """
    if lock.os is None:
        if required:
            raise UsageError(
                "the lock has no OS packages",
                remedy="ask for some in [tool.envlock.os], and run `envlock lock`",
            )
        return ()
    there = context.directory / root if root is not None else Path("/")
    machine = distribution(there)
    if machine != lock.os.base and root is None:
        told = f"this system is {machine or 'no Debian or Ubuntu'}, the lock is for {lock.os.base}"
        if required:
            raise UsageError(told, remedy="name the root to compare: --root DIR")
        say(context, f"OS packages not compared: {told}")
        return ()
    architecture = machine_platform().partition("/")[2]
    architectures = {p.architecture for p in lock.os.packages}
    if architecture not in architectures:
        architecture = min(architectures)
    installed = observe_os(there)
    found = compare_os(lock.os, architecture, installed)
    if not has_digests(there):
        say(context, "content of OS packages not compared: dpkg keeps no lists of files there")
        return found
    off = {d.subject for d in found if d.code is not Code.OS_HELD}
    packages = (p for p in lock.os.packages if p.architecture == architecture)
    conffiles = {package: one.conffiles for package, one in installed.items()}
    return found + os_content(
        there, (p for p in packages if p.name not in off), conffiles, paranoid=paranoid
    )
