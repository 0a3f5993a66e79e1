"""`envlock rebuild --backend guix`: the environment, built by the Guix of the locked commit."""

from __future__ import annotations

import tempfile
from pathlib import Path

from envlock.check.compare import compare
from envlock.check.drift import Drift
from envlock.check.python.observe import observe
from envlock.cli.rebuilding.order import Order
from envlock.cli.rebuilding.store import (
    StoreReport,
    beside_wheels,
    gathered_for,
    hold_to_lock,
    write_files,
)
from envlock.cli.rebuilding.work import target_of
from envlock.errors import SourceError, UsageError
from envlock.io.interpreters import query
from envlock.io.machine import machine_platform
from envlock.io.progress import Reporter
from envlock.lock.artifacts import PythonFile, used_files
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target


def rebuild_guix(order: Order, reporter: Reporter) -> StoreReport:
    """Have Guix build the environment, with ``order.folder`` as a link to it; what came of it.

    Everything is built from locked sdists, whatever ``order.from_source`` says.

    Raises:
        SourceError: files are missing, or Guix is, or it fails.
        UsageError: the lock has nothing for Guix, or it is asked to do without a network.
        VerificationError: what was built carries another lock.
    """
    from envlock.export.guix.builds import pure_wheel
    from envlock.export.guix.exporter import GuixExporter
    from envlock.export.guix.packages import plan
    from envlock.export.store import base32
    from envlock.io.tools import find_guix
    from envlock.realise.guix import STORE, add_files, build_profile
    from envlock.realise.links import check_link

    lock = order.subject.lock
    target = target_of(order, machine_platform())
    if target.platform != machine_platform():
        raise UsageError(
            f"Guix builds for {machine_platform()} here, and the target is {target.key}",
            remedy=f"`envlock export guix --target {target.key}` writes its files for a machine"
            " that can",
        )
    files = GuixExporter().export(lock, target)
    wanted = plan(lock, target)
    find_guix()
    check_link(order.folder, STORE)
    names = {d.source.digest: d.source.file for d in (*wanted.packages, *wanted.tools)}
    known = used_files(lock, (target,), os=False, sources=True).python
    fetched = {
        f.file.sha256: names[base32(f.file.sha256)] for f in known if base32(f.file.sha256) in names
    }
    gathered, handed = gathered_for(order, target, fetched, reporter)
    with tempfile.TemporaryDirectory(prefix="envlock-guix-") as temporary:
        folder = Path(temporary)
        write_files(folder, files)
        reporter.step("handing the locked files to Guix")
        add_files(folder, handed, reporter)
        built = build_profile(folder, link=order.folder, reporter=reporter, jobs=order.jobs)
    prefix = Path(built.store_path)
    hold_to_lock(order, prefix)
    packages = wanted_packages(lock, target)
    pure = [(package, pure_wheel(package, target)) for package in packages]
    wheels = [PythonFile(package=package, file=wheel) for package, wheel in pure if wheel]
    return StoreReport(
        order=order,
        backend="guix",
        target=target,
        store_path=built.store_path,
        digest=built.nar_hash,
        gathered=gathered,
        against=beside_wheels(order, prefix, _site(prefix), wheels, reporter),
        built=frozenset(package.name for package in packages),
        drift=_drift(order, target, prefix),
        hint=f"use it: . {order.folder}/etc/profile",
    )


def _site(prefix: Path) -> Path:
    for site in sorted(prefix.glob("lib/python*/site-packages")):
        return site
    raise SourceError("what Guix built has no folder for Python's packages", where=str(prefix))


def _drift(order: Order, target: Target, prefix: Path) -> tuple[Drift, ...]:
    """Packages and their versions, as `envlock check` sees them; the Python, too."""
    python = query(prefix / "bin" / "python3")
    observed = observe(
        prefix, (_site(prefix),), version=python.version, implementation=python.implementation
    )
    return compare(order.subject.lock, target, observed, root=order.subject.root)
