"""`envlock rebuild --os-package`: packages of the distribution, built again and compared."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from envlock.cli.rebuilding.files import refuse_missing
from envlock.cli.rebuilding.order import Order
from envlock.cli.rebuilding.python import with_mirrors
from envlock.errors import DiskError, EnvlockError, UsageError, VerificationError
from envlock.io.machine import machine_platform
from envlock.io.progress import Reporter
from envlock.lock.artifacts import UsedFiles
from envlock.realise.debian.perform import Built, Workshop, deliver, rebuild_package
from envlock.realise.debian.plan import Job, make_jobs
from envlock.realise.rebuild.gather import Places, gather
from envlock.realise.source.build import build_seconds
from envlock.realise.source.perform import processors
from envlock.resolve.os.builds.needs import LockedArchive


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """What came of a job: what was built, and the folder that it is in (None where that failed);
    or why it was not even begun."""

    job: Job
    built: Built | None = None
    folder: Path | None = None
    error: EnvlockError | None = None

    @property
    def failure(self) -> str | None:
        """Why there are no packages."""
        if self.error is not None:
            where = f"{self.error.where}: " if self.error.where else ""
            return f"{where}{self.error.what}"
        return None if self.built is None else self.built.failure


def rebuild_debian(
    order: Order, names: tuple[str, ...], reporter: Reporter
) -> tuple[Delivered, ...]:
    """Build the packages, one after the other; one that fails does not keep others from theirs.

    Raises:
        UsageError: the lock has no such package, or it is not for this machine.
        DiskError: the disk cannot take it.
        EnvlockError: of a single package, whatever keeps it from being built.
    """
    lock = order.subject.lock
    if lock.os is None:
        raise UsageError(
            "the lock has no OS packages",
            where=order.subject.lock_name,
            remedy="ask for some in [tool.envlock.os], then run `envlock lock`",
        )
    if sys.platform != "linux":
        raise UsageError("packages of the distribution are built on Linux alone")
    architecture = machine_platform().partition("/")[2]
    jobs = make_jobs(lock.os, names, architecture)
    places = with_mirrors(lock, order.subject.root, order.places)

    if places.bundles:
        from envlock.realise.bundle.archives import learn_archives
        from envlock.resolve.os.archive.locate import lock_mirrors

        root, keyring = order.subject.root, places.keyring
        mirrors = lock_mirrors(lock.os, root, given=places.mirrors, keyring=keyring)
        for place in places.bundles:
            learn_archives(place, lock, mirrors)

    def bring(files: UsedFiles) -> None:
        _bring(order, files, places, reporter)

    with LockedArchive(
        lock.os,
        lock.as_of,
        order.subject.root,
        architecture=architecture,
        mirrors=places.mirrors,
        keyring=places.keyring,
        offline=places.offline,
        reporter=reporter,
    ) as archive:
        shop = Workshop(
            archive=archive,
            bring=bring,
            as_of=lock.as_of,
            architecture=architecture,
            processors=order.jobs or processors(),
            seconds=build_seconds(),
            again=order.recreate,
            reporter=reporter,
        )
        done = []
        for job in jobs:
            try:
                built = rebuild_package(job, shop)
            except EnvlockError as error:
                if len(jobs) == 1 or isinstance(error, DiskError):
                    raise
                done.append(Delivered(job=job, error=error))
                continue
            folder = None if built.failure else deliver(built, order.folder)
            done.append(Delivered(job=job, built=built, folder=folder))
    return tuple(done)


def _bring(order: Order, files: UsedFiles, places: Places, reporter: Reporter) -> None:
    found = gather(order.subject.lock, files, order.subject.root, places, reporter)
    names = {
        **{p.sha256: p.file_name.rpartition("/")[2] for p in files.os},
        **{s.file.sha256: s.file.name for s in files.os_sources},
    }
    for sha256, one in found.items():
        wrong = [tried.place for tried in one.tried if tried.why == "other bytes"]
        if one.origin is None and wrong:
            raise VerificationError(
                f"{names[sha256]} has other bytes than the archive's index says (sha256 {sha256})",
                where=wrong[0],
                remedy="use another mirror, or give a folder that has the file: --from DIR",
            )
    refuse_missing(files, found)
