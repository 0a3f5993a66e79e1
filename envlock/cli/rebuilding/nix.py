"""`envlock rebuild --backend nix`: the environment, built by Nix from the locked nixpkgs."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from envlock.check.drift import Code, Drift
from envlock.check.python.compare import compare_environment
from envlock.check.python.environment import look
from envlock.check.python.owned import NO_DIGEST
from envlock.cli.rebuilding.order import Order
from envlock.cli.rebuilding.store import (
    StoreReport,
    beside_wheels,
    gathered_for,
    hold_to_lock,
    write_files,
)
from envlock.cli.rebuilding.work import target_of
from envlock.io.interpreters import query
from envlock.io.machine import machine_platform
from envlock.io.progress import Reporter
from envlock.lock.artifacts import PythonFile, used_files
from envlock.lock.target import Target

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet


def rebuild_nix(order: Order, reporter: Reporter) -> StoreReport:
    """Have Nix build the environment, with ``order.folder`` as a link to it; what came of it.

    Raises:
        SourceError: files are missing, or Nix is, or it fails.
        UsageError: the lock has nothing for Nix.
        VerificationError: what was built carries another lock.
    """
    from envlock.export.nix.content import SYSTEMS, fetched, output_name
    from envlock.export.nix.exporter import NixExporter
    from envlock.io.tools import find_nix
    from envlock.realise.links import check_link
    from envlock.realise.nix import add_files, build_flake, store_folder

    lock = order.subject.lock
    target = target_of(order, machine_platform())
    files = NixExporter().export(lock)
    find_nix()
    check_link(order.folder, store_folder())
    [data] = [t for t in json.loads(files["env.json"])["targets"] if t["target"] == target.key]
    output = "from-source" if order.from_source else "environment"
    gathered, handed = gathered_for(order, target, fetched(data, output), reporter)
    reporter.step("handing the locked files to Nix")
    add_files(handed)
    with tempfile.TemporaryDirectory(prefix="envlock-nix-") as folder:
        write_files(Path(folder), files)
        built = build_flake(
            Path(folder),
            f"packages.{SYSTEMS[target.platform]}.{output_name(lock, target, output)}",
            link=order.folder,
            reporter=reporter,
            offline=order.places.offline,
            jobs=order.jobs,
        )
    prefix = Path(built.store_path)
    hold_to_lock(order, prefix)
    entries = {entry["name"]: entry for entry in data["wheels"]}
    from_source = {
        name
        for name, entry in entries.items()
        if entry["build"] and (order.from_source or not entry["wheel"])
    }
    wheels = {e["wheel"]["sha256"] for e in entries.values() if e["wheel"] is not None}
    against = beside_wheels(order, prefix, _site(prefix), _files(order, target, wheels), reporter)
    return StoreReport(
        order=order,
        backend="nix",
        target=target,
        store_path=built.store_path,
        digest=built.nar_hash,
        gathered=gathered,
        against=against,
        built=frozenset(from_source),
        drift=_drift(order, target, prefix, from_source),
    )


def _files(order: Order, target: Target, wheels: set[str]) -> list[PythonFile]:
    used = used_files(order.subject.lock, (target,), os=False).python
    return [entry for entry in used if entry.file.sha256 in wheels]


def _site(prefix: Path) -> Path:
    return next(iter(sorted(prefix.glob("lib/python*/site-packages"))), prefix)


def _drift(
    order: Order, target: Target, prefix: Path, built: AbstractSet[str]
) -> tuple[Drift, ...]:
    """As `envlock check` sees it, where this machine can run it.

    For scripts and libraries the RECORD of a flake's environment has no digest on purpose: these
    are held to the wheels.
    """
    if target.platform != machine_platform():
        return ()
    environment = look(query(prefix / "bin" / "python"), virtual=True, paranoid=True)
    found = compare_environment(order.subject.lock, target, environment, root=order.subject.root)
    return tuple(
        d
        for d in found
        if not (d.code is Code.BROKEN_RECORD and d.found == NO_DIGEST)
        and not (d.code is Code.OTHER_FILE and d.subject in built)
    )
