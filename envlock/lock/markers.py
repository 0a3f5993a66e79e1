"""The markers of targets, for what has to know them before anything else is loaded."""

from __future__ import annotations

MACHINES = {
    "linux/amd64": ("linux", "x86_64"),
    "linux/arm64": ("linux", "aarch64"),
    "macos/amd64": ("darwin", "x86_64"),
    "macos/arm64": ("darwin", "arm64"),
    "windows/amd64": ("win32", "AMD64"),
    "windows/arm64": ("win32", "ARM64"),
}
"""Platform → ``sys_platform`` and ``platform_machine`` (PEP 508)."""


def marker(platform: str, python: str) -> str:
    """The PEP 508 marker that holds on this platform with CPython ``3.11`` or ``3.11.7`` alone."""
    system, machine = MACHINES[platform]
    version = "python_full_version" if python.count(".") == 2 else "python_version"
    return (
        f"{version} == '{python}' and sys_platform == '{system}'"
        f" and platform_machine == '{machine}' and implementation_name == 'cpython'"
    )
