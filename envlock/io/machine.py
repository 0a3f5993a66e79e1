"""What this machine and this Python are called."""

from __future__ import annotations

import platform
import sys
import sysconfig

from envlock.errors import UsageError

_SYSTEMS = {"linux": "linux", "darwin": "macos", "win32": "windows"}
_MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def machine_platform() -> str:
    """This machine by the names that targets use: ``linux/amd64``.

    Raises:
        UsageError: none of them fits (another system, processor or C library).
    """
    return platform_name(
        sys.platform, platform.machine(), str(sysconfig.get_config_var("HOST_GNU_TYPE") or "")
    )


def platform_name(system: str, machine: str, triplet: str = "") -> str:
    """The target platform of ``sys.platform``, ``platform.machine()`` and a GNU triplet.

    Raises:
        UsageError: there is none.
    """
    known = _SYSTEMS.get(system), _MACHINES.get(machine.lower())
    if None in known or "musl" in triplet:
        name = f"{system} on {machine}" + (" with musl" if "musl" in triplet else "")
        raise UsageError(
            f"this machine ({name}) is not a platform that can be locked for by default",
            remedy='say what to lock for: targets = ["linux/amd64"]',
        )
    return f"{known[0]}/{known[1]}"


def running_python() -> str:
    """The series of the Python that runs this: ``3.11``."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"
