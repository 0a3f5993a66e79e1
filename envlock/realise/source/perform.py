"""All builds of a plan: in parallel, each as soon as what it needs is there, none of them twice."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.cache import DiskCache
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.io.store import has_stored, store_made, stored
from envlock.lock.package import Artifact
from envlock.realise.source.build import BuildFailedError, Workshop, building, input_digest
from envlock.realise.source.compare import Comparison, compare_wheels
from envlock.realise.source.plan import Job, Key, Plan

_KIND = "source-wheels-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """What came of one job.

    ``wheel`` is in the store; None where the build failed, and ``failure`` says how, or which
    requirement could not be built. ``inputs`` is the digest of what it was built of, None where it
    was not. ``cached``: it was built before, of the same inputs. ``alone``: the build had no
    network. ``comparison`` with the published wheel, None where that is not at hand. ``log`` is
    what the backend said, kept.
    """

    job: Job
    wheel: Artifact | None = None
    failure: str | None = None
    inputs: str | None = None
    cached: bool = False
    alone: bool = False
    comparison: Comparison | None = None
    log: Path | None = None


def build_all(
    plan: Plan, workshop: Workshop, *, jobs: int | None, reporter: Reporter
) -> tuple[Built, ...]:
    """Build what is not known yet; what fails keeps only those from it that need it.

    Args:
        plan: see there; its files are in the store.
        workshop: see there.
        jobs: how many at once; None: as many as this process may use processors.
        reporter: told how many are done.

    Raises:
        SourceError: uv is missing, or the disk cannot take a wheel.
    """
    reporter.step(f"building {len(plan.jobs)} wheels")
    done: dict[Key, Built] = {}
    left = {job.key: job for job in plan.jobs}
    running: dict[Future[Built], Key] = {}
    with ThreadPoolExecutor(jobs or processors(), "envlock-build") as pool:
        try:
            while left or running:
                for job in list(_ready(left, done)):
                    del left[job.key]
                    running[pool.submit(_build, job, done, workshop)] = job.key
                finished, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in finished:
                    done[running.pop(future)] = future.result()
                reporter.progress(len(done), len(plan.jobs))
        except BaseException:
            workshop.stop.set()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return tuple(done[job.key] for job in plan.jobs)


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _ready(left: dict[Key, Job], done: dict[Key, Built]) -> Iterator[Job]:
    for job in left.values():
        if all(one.built is None or one.built in done for one in job.requirements):
            yield job


def _build(job: Job, done: dict[Key, Built], workshop: Workshop) -> Built:
    wheels = wheels_of(job, done)
    if isinstance(wheels, str):
        return Built(job=job, failure=f"{wheels}, which it is built with, failed")
    key = input_digest(job, wheels, workshop)
    log = log_of(job, key)
    known = _known(key)
    if known is not None:
        wheel, alone = known
        return Built(
            job=job,
            wheel=wheel,
            inputs=key,
            cached=True,
            alone=alone,
            comparison=_compared(job, wheel),
            log=log,
        )
    try:
        with building(job, wheels, key[:16], workshop, log) as made:
            sha256 = store_made(made.path)
            wheel = Artifact(
                name=made.path.name,
                path=made.path.name,
                sha256=sha256,
                size=stored(sha256).stat().st_size,
            )
            alone = made.alone
    except BuildFailedError as error:
        return Built(job=job, failure=str(error), log=log if log.exists() else None)
    table = {"name": wheel.name, "sha256": wheel.sha256, "size": wheel.size, "alone": alone}
    DiskCache(_KIND).put(key, json.dumps(table).encode())
    return Built(
        job=job,
        wheel=wheel,
        inputs=key,
        alone=alone,
        comparison=_compared(job, wheel),
        log=log,
    )


def wheels_of(job: Job, done: dict[Key, Built]) -> list[tuple[str, str]] | str:
    """Name and digest of each requirement's wheel; the title of the first that failed."""
    wheels = []
    for one in job.requirements:
        file = one.wheel if one.built is None else done[one.built].wheel
        if file is None:
            return " ".join(one.key)
        wheels.append((file.name, file.sha256))
    return wheels


def log_of(job: Job, key: str) -> Path:
    """Where what a backend says is kept."""
    return cache_dir() / "build-logs" / f"{'-'.join(job.key)}-{key[:16]}.log"


def _known(key: str) -> tuple[Artifact, bool] | None:
    content = DiskCache(_KIND).get(key)
    if content is None:
        return None
    table = json.loads(content)
    if not has_stored(table["sha256"], table["size"]):
        return None
    wheel = Artifact(
        name=table["name"], path=table["name"], sha256=table["sha256"], size=table["size"]
    )
    return wheel, bool(table["alone"])


def _compared(job: Job, wheel: Artifact) -> Comparison | None:
    published = job.beside(wheel.name)
    if job.deep or published is None or not has_stored(published.sha256):
        return None
    try:
        return compare_wheels(stored(wheel.sha256), stored(published.sha256))
    except UsageError as error:
        return Comparison(state="different", files=(f"! {error.what}",))
