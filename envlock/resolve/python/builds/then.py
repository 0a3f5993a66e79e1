"""What the environment was like in which a published wheel was built: by its own word, and when.

The wheel names what made it (``generator``). It was built before it was uploaded; and before the
next release of what made it, where somebody built with what had long been replaced. So everything
else that a build takes is looked for as of the earlier of the two.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, replace
from datetime import datetime

from packaging.requirements import Requirement
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from envlock.io.http.client import Http
from envlock.lock.package import Artifact
from envlock.lock.target import wheel_tags
from envlock.resolve.python.builds.generator import preference, read_generator
from envlock.resolve.python.builds.graphs import Preference, World
from envlock.resolve.python.builds.sdist import SourceFacts
from envlock.resolve.python.builds.sdists import Sdist
from envlock.resolve.python.index.page import PageFile
from envlock.resolve.python.index.pages import Pages

_WRITERS = frozenset({"hatch-vcs", "setuptools-scm", "versioningit", "versioneer"})
"""Write files into wheels, whatever the backend."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Then:
    """How a published wheel was built, as far as is known; empty where nothing is.

    ``generator`` is the wheel's line of that name; ``prefer`` what follows from it. ``as_of`` is
    UTC, in whole seconds: what was uploaded before it may have been there.
    """

    generator: str | None = None
    prefer: tuple[Preference, ...] = ()
    as_of: datetime | None = None


class Past:
    """Looks up how published wheels were built; may be used from several threads."""

    def __init__(self, world: World, http: Http) -> None:
        self._world = world
        self._http = http
        self._pages = Pages(http, refresh=world.refresh)
        self._guard = threading.Lock()
        self._releases: dict[tuple[str, str], Future[dict[Version, datetime]]] = {}

    def of(self, sdist: Sdist, facts: SourceFacts) -> Then:
        """Of the wheel that was published beside an sdist; nothing for what only builds others.

        Raises:
            SourceError: the wheel, or the index's page of what made it, cannot be had.
            VerificationError: the wheel is not what its digest says.
        """
        wheel = None if sdist.deep else _published(sdist)
        if wheel is None:
            return Then()
        world = self._world
        generator = read_generator(wheel, world.root, world.sources, self._http)
        wish = preference(generator)
        if wish is None:
            then = Then(generator=generator)
        else:
            indexes = world.sources.indexes
            index = sdist.package.index or (indexes[-1].url if indexes else None)
            then = Then(generator=generator, prefer=((*wish, index),))
        if not _matters(facts, wish):
            return then
        moment = min(filter(None, (wheel.upload_time, self._replaced(then.prefer))), default=None)
        return replace(then, as_of=self._bounded(moment))

    def _bounded(self, moment: datetime | None) -> datetime | None:
        """Never later than the lock; None where that changes nothing."""
        if moment is None or moment >= self._world.as_of:
            return None
        return moment.replace(microsecond=0)

    def _replaced(self, prefer: tuple[Preference, ...]) -> datetime | None:
        """When the release after the preferred one came; None: there is none, or none is known.

        A release of an old series may be later than those of newer ones.
        """
        found = []
        for name, version, index in prefer:
            releases = self._known(index or "", name)
            own = Version(version)
            came = releases.get(own)
            later = [
                when
                for other, when in releases.items()
                if came and other > own and when > came and not other.is_prerelease
            ]
            found += [min(later)] if later else []
        return min(found, default=None)

    def _known(self, index: str, name: str) -> dict[Version, datetime]:
        """Each release of a project, and when its first file came; read once."""
        with self._guard:
            future = self._releases.get((index, name))
            mine = future is None
            if future is None:
                future = self._releases[index, name] = Future()
        if mine:
            try:
                future.set_result(self._read(index, name))
            except BaseException as error:
                future.set_exception(error)
        return future.result()

    def _read(self, url: str, name: str) -> dict[Version, datetime]:
        found: dict[Version, datetime] = {}
        for index in self._world.sources.indexes:
            if index.url != url or not url.startswith(("http://", "https://")):
                continue
            page = self._pages.dated(index, name)
            for file in page.files if page else ():
                version = _version(file)
                if version is not None and file.upload_time is not None:
                    found[version] = min(file.upload_time, found.get(version, file.upload_time))
        return found


def _matters(facts: SourceFacts, wish: tuple[str, str] | None) -> bool:
    """Whether more than what the generator names decides what is in the wheel.

    Flit, hatchling, poetry and pdm write all of a wheel's metadata, and name themselves. Where
    ``wheel`` made it, setuptools wrote metadata, too, of which no version is named; and what else
    is there may write: packaging, setuptools-scm.
    """
    names = {canonicalize_name(Requirement(text).name) for text in facts.requires}
    if names & _WRITERS:
        return True
    setuptools = facts.backend.startswith("setuptools") or "setuptools" in names
    return setuptools and not (names <= {"setuptools"} and wish and wish[0] == "setuptools")


def _published(sdist: Sdist) -> Artifact | None:
    wheels = sdist.package.wheels
    tags = wheel_tags(sdist.targets[0])
    fitting = [w for w in wheels if not parse_wheel_filename(w.name)[3].isdisjoint(tags)]
    return min(fitting or wheels, key=lambda wheel: wheel.name, default=None)


def _version(file: PageFile) -> Version | None:
    try:
        if file.filename.endswith(".whl"):
            return parse_wheel_filename(file.filename)[1]
        return parse_sdist_filename(file.filename)[1]
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion):
        return None
