"""The layers that ``envlock check`` compares: which are asked for, and each in its turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from envlock.check.compare import compare_request
from envlock.check.drift import Drift, Layer
from envlock.check.os_observe import distribution
from envlock.cli.check_os import os_drift
from envlock.cli.check_python import python_drift
from envlock.cli.common import current_request
from envlock.cli.context import Context
from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.realised import parse, realised_path
from envlock.project.locate import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be compared.

    ``only`` is the option of the one layer that is asked for (``--python-only``), or None for all;
    ``prefix``, ``python`` and ``root`` are where to look, None for the usual places; ``paranoid``
    is to read every file again.
    """

    only: str | None
    prefix: Path | None
    python: str | None
    root: Path | None
    paranoid: bool


def compare_layers(
    context: Context, project: Project, lock: Lock, asked: Asked
) -> tuple[tuple[Drift, ...], set[Layer]]:
    """The differences of what is asked for, and the layers that were compared."""
    only = asked.only
    found: tuple[Drift, ...] = ()
    if only in (None, "--request-only"):
        found += _request_drift(project, lock)
    if only in (None, "--python-only"):
        found += python_drift(
            context,
            project,
            lock,
            prefix=asked.prefix,
            python=asked.python,
            paranoid=asked.paranoid,
        )
    if only in (None, "--os-only"):
        required = only is not None or asked.root is not None
        found += os_drift(context, lock, asked.root, required=required, paranoid=asked.paranoid)
    if only in (None, "--nix-only"):
        found += _nix_drift(project, lock, required=only is not None)
    return found, _compared(project, lock, asked)


def _compared(project: Project, lock: Lock, asked: Asked) -> set[Layer]:
    """The layers of which something is known now."""
    if asked.only is not None:
        return {Layer(asked.only.removeprefix("--").removesuffix("-only"))}
    found = {Layer.REQUEST, Layer.PYTHON}
    if realised_path(project.lock_path).exists():
        found.add(Layer.NIX)
    if lock.os is not None and (asked.root is not None or distribution(Path("/")) == lock.os.base):
        found.add(Layer.OS)
    return found


_BELONGS = {"--prefix": "--python-only", "--python": "--python-only", "--root": "--os-only"}
"""An option that names a place → the part of the comparison that looks there."""


def only_one(parts: dict[str, bool], places: dict[str, bool]) -> str | None:
    """The one part that is asked for, or None for all."""
    asked = [option for option, given in parts.items() if given]
    named = [option for option, given in places.items() if given]
    clashes = [asked] if len(asked) > 1 else []
    clashes += [[part, place] for part in asked for place in named if _BELONGS[place] != part]
    clashes += [["--prefix", "--python"]] if {"--prefix", "--python"} <= set(named) else []
    for clash in clashes:
        raise UsageError(f"{' and '.join(clash)} exclude one another")
    return asked[0] if asked else None


def _request_drift(project: Project, lock: Lock) -> tuple[Drift, ...]:
    return compare_request(current_request(project, lock, now=now()), lock)


def _nix_drift(project: Project, lock: Lock, *, required: bool) -> tuple[Drift, ...]:
    """What Nix built and the store has; ``required`` when the user asked for just that."""
    path = realised_path(project.lock_path)
    if not path.exists():
        if required:
            raise UsageError(
                "Nix has built nothing of this lock", where=str(path), remedy="envlock build nix"
            )
        return ()
    from envlock.check.nix import compare_nix, observe_nix

    built = parse(read_text(path), where=str(path))
    return compare_nix(environment_hash(lock).root, built, observe_nix(built))


def now() -> datetime:
    """This second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
