"""``envlock check --online`` and ``--advisories``: the lock against the world as it is today."""

from __future__ import annotations

from pathlib import Path

from envlock.check.drift import Drift, Layer
from envlock.check.online.advisories import Subject, compare_advisories, subjects_of
from envlock.check.online.osv import PYPI, Advisory, parse_advisory
from envlock.cli.checking.layers import now
from envlock.cli.common import current_request
from envlock.cli.context import Context
from envlock.cli.output import reporting
from envlock.errors import SourceError, UsageError
from envlock.io.http.client import Http
from envlock.io.osv import api as osv_api
from envlock.io.osv.records import read_records
from envlock.io.progress import Reporter, SilentReporter
from envlock.lock.model import Lock
from envlock.lock.request import Request
from envlock.project.locate import Project
from envlock.project.settings.check import CheckSettings
from envlock.resolve.python.config.find import discover_sources


def beyond_drift(
    context: Context,
    project: Project,
    lock: Lock,
    settings: CheckSettings,
    places: tuple[str, ...],
    *,
    online: bool,
) -> tuple[tuple[Drift, ...], frozenset[Layer]]:
    """What ``--online`` and ``--advisories`` find, and the layers that they look at.

    Raises:
        SourceError: someone gives no answer: nothing is said of what could not be asked.
        UsageError: a configuration, or a file of advisories, cannot be used.
    """
    found: tuple[Drift, ...] = ()
    layers: set[Layer] = set()
    service = settings.osv if online else None
    if online:
        request = current_request(project, lock, now=now())
        found += online_drift(context, project.root, lock, request)
        layers.add(Layer.INDEX)
    if places or service:
        found += advisory_drift(context, lock, places, service)
        layers.add(Layer.ADVISORIES)
    return found, frozenset(layers)


def online_drift(context: Context, root: Path, lock: Lock, request: Request) -> tuple[Drift, ...]:
    """The lock against indexes, archives and the registry that it names.

    Args:
        context: the command's.
        root: the project's folder.
        lock: what is asked for.
        request: the project's own, which says where its mirrors are today.

    Raises:
        SourceError: someone gives no answer; names them.
        UsageError: a configuration cannot be used.
    """
    from envlock.check.online.python import compare_index

    sources = discover_sources(lock.request, root, dated=False, reporter=SilentReporter())
    with Http(certificate=sources.certificate) as http, reporting(context) as reporter:
        found = compare_index(lock, sources, http, reporter)
        if lock.os is None and lock.image is None:
            return found
        from envlock.check.online.os import Asking, compare_archives, compare_base_image

        asking = Asking(root=root, mirrors=request.os_mirrors, keyring=request.os_keyring)
        found += compare_archives(lock, asking, http, reporter)
        if lock.image is not None:
            found += compare_base_image(lock.image, http, reporter)
    return found


def advisory_drift(
    context: Context, lock: Lock, places: tuple[str, ...], service: str | None
) -> tuple[Drift, ...]:
    """What advisories say of the lock's packages.

    Args:
        context: the command's.
        lock: whose packages are looked up.
        places: files, folders and addresses of OSV records.
        service: the address of an OSV service to ask, too; None: none.

    Raises:
        SourceError: an address or the service gives no answer.
        UsageError: what is there are no OSV records.
    """
    subjects = subjects_of(lock)
    said: dict[Subject, frozenset[str]] = {}
    advisories: dict[str, Advisory] = {}
    with Http() as http, reporting(context) as reporter:
        if service is not None:
            for one in _asked(http, service, subjects, said, reporter):
                advisories[one.id] = one
        names = {subject.name for subject in subjects}
        for place in places:
            reporter.step(f"reading advisories in {place}")
            for where, record in read_records(place, context.directory, names, http, reporter):
                try:
                    found = parse_advisory(record)
                except ValueError as error:
                    raise UsageError(f"no OSV record: {error}", where=where) from None
                advisories[found.id] = found
    return compare_advisories(subjects, advisories.values(), said=said)


def _asked(
    http: Http,
    service: str,
    subjects: tuple[Subject, ...],
    said: dict[Subject, frozenset[str]],
    reporter: Reporter,
) -> list[Advisory]:
    """The service's records; ``said`` gets the ids that it gives for each subject."""
    try:
        answers = osv_api.query(http, service, [_query(one) for one in subjects], reporter)
        records = osv_api.records(http, service, osv_api.merged(answers), reporter)
    except SourceError as error:
        without = "to ask no OSV service: osv = false in [tool.envlock.check]"
        remedy = f"{error.remedy}; {without}" if error.remedy else without
        raise SourceError(error.what, where=error.where, remedy=remedy) from None
    for subject, answer in zip(subjects, answers, strict=True):
        said[subject] = frozenset(answer)
    found = []
    for record in records:
        try:
            found.append(parse_advisory(record))
        except ValueError as error:
            where = f"{service}/v1/vulns/{record['id']}"
            raise SourceError(f"no OSV record: {error}", where=where) from None
    return found


def _query(subject: Subject) -> dict[str, object]:
    if subject.commit is not None:
        return {"commit": subject.commit}
    version = subject.version
    if subject.ecosystem == PYPI:
        version = version.partition("+")[0]
    return {"package": {"ecosystem": subject.ecosystem, "name": subject.name}, "version": version}
