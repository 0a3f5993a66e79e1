"""The layers that ``envlock check`` compares: which are asked for, and each in its turn."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from envlock.check.compare import compare_request
from envlock.check.drift import Drift, Layer
from envlock.cli.checking.exports import ExportsCompared, exports_drift
from envlock.cli.checking.python import python_answer
from envlock.cli.common import current_request
from envlock.cli.context import Context
from envlock.cli.output import say
from envlock.errors import UsageError
from envlock.io.files import read_text
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.realised import parse, realised_path
from envlock.project.locate import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is to be compared.

    ``only`` is the option of the one layer that is asked for (``--python-only``), or None for all
    (``--lock-only``: none of these);
    ``prefix``, ``python`` and ``root`` are where to look, None for the usual places; ``paranoid``
    is to read every file again.
    """

    only: str | None
    prefix: Path | None
    python: str | None
    root: Path | None
    paranoid: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The differences, the layers that were compared, and lines for people beside them.

    ``records`` are those in ``io.index`` (key, and when it was made) of what was looked at; None
    where something else decided, too. ``exports`` is what was found of exported files.
    ``os_listed`` says whether the files of OS packages could be compared.
    """

    drift: tuple[Drift, ...]
    layers: frozenset[Layer]
    notes: tuple[str, ...] = ()
    records: tuple[tuple[str, int], ...] | None = None
    exports: ExportsCompared = field(default_factory=ExportsCompared)
    os_listed: bool = True


def compare_layers(context: Context, project: Project, lock: Lock, asked: Asked) -> Found:
    """What is found in the layers that are asked for."""
    only = asked.only
    os_listed = True
    exports = ExportsCompared()
    found: tuple[Drift, ...] = ()
    layers: set[Layer] = set()
    records: list[tuple[str, int] | None] = []
    notes: tuple[str, ...] = ()
    if only in (None, "--request-only"):
        found += _request_drift(project, lock)
        layers.add(Layer.REQUEST)
    if only in (None, "--exports-only"):
        exports = exports_drift(context, project, lock, required=only is not None)
        found += exports.drift
        if exports.count:
            layers.add(Layer.EXPORTS)
    if only in (None, "--python-only"):
        python = python_answer(
            context,
            project,
            lock,
            prefix=asked.prefix,
            python=asked.python,
            paranoid=asked.paranoid,
        )
        for note in python.notes:
            say(context, note)
        found += python.drift
        notes += python.notes
        layers.add(Layer.PYTHON)
        records.append(python.record)
    if only in (None, "--os-only"):
        required = only is not None or asked.root is not None
        if lock.os is not None or required:
            from envlock.cli.checking.os import os_answer

            answer = os_answer(
                context, lock, asked.root, required=required, paranoid=asked.paranoid
            )
            for note in answer.notes:
                say(context, note)
            found += answer.drift
            notes += answer.notes
            os_listed = answer.listed
            if answer.compared:
                layers.add(Layer.OS)
                records.append(answer.record)
    if only == "--nix-only" or (only is None and realised_path(project.lock_path).exists()):
        found += _nix_drift(project, lock)
        layers.add(Layer.NIX)
        records.append(None)
    known = tuple(record for record in records if record is not None)
    return Found(
        drift=found,
        layers=frozenset(layers),
        notes=notes,
        records=known if len(known) == len(records) and exports.whole else None,
        exports=exports,
        os_listed=os_listed,
    )


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


def scope(lock: Lock, found: Found) -> tuple[str, ...]:
    """What was compared, in words."""
    words = {
        Layer.REQUEST: "the project",
        Layer.EXPORTS: _counted(found.exports.count, "exported file"),
        Layer.PYTHON: _with_files(len(lock.packages), "Python package"),
        Layer.OS: _counted(_os_packages(lock), "OS package")
        if not found.os_listed
        else _with_files(_os_packages(lock), "OS package"),
        Layer.NIX: "what Nix built",
        Layer.IMAGE: "the image's labels",
        Layer.INDEX: "the places of the locked files",
        Layer.ADVISORIES: "advisories",
    }
    return tuple(words[layer] for layer in Layer if layer in found.layers)


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"


def _with_files(count: int, noun: str) -> str:
    return f"{_counted(count, noun)} and {'its' if count == 1 else 'their'} files"


def _os_packages(lock: Lock) -> int:
    """How many one architecture has."""
    of = [] if lock.os is None else [package.architecture for package in lock.os.packages]
    return max((of.count(architecture) for architecture in set(of)), default=0)


def _request_drift(project: Project, lock: Lock) -> tuple[Drift, ...]:
    return compare_request(current_request(project, lock, now=now()), lock)


def _nix_drift(project: Project, lock: Lock) -> tuple[Drift, ...]:
    """What Nix built and the store has."""
    path = realised_path(project.lock_path)
    if not path.exists():
        raise UsageError(
            "Nix has built nothing of this lock", where=str(path), remedy="envlock build nix"
        )
    from envlock.check.nix import compare_nix, observe_nix

    built = parse(read_text(path), where=str(path))
    return compare_nix(environment_hash(lock).root, built, observe_nix(built))


def now() -> datetime:
    """This second, in UTC."""
    return datetime.now(UTC).replace(microsecond=0)
