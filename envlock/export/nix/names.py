"""What an OS package is called in nixpkgs."""

from __future__ import annotations

from collections.abc import Mapping

from envlock.errors import UsageError


def attribute(name: str, overrides: Mapping[str, str]) -> str | None:
    """``libgl1`` → ``libGL``; None for what every environment has anyway.

    Args:
        name: the package's name in Debian.
        overrides: the project's own names, which go first.

    Raises:
        UsageError: nobody knows; says the line to add.
    """
    if name in overrides:
        return overrides[name]
    raise UsageError(
        f"it is not known what the OS package {name} is called in nixpkgs",
        remedy="name its attribute, and run `envlock lock`:\n"
        f'[tool.envlock.nix]\nnames = {{ "{name}" = "…" }}',
    )
