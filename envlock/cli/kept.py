"""What of an existing lock stays when the project is locked again, for ``envlock lock``."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from envlock.lock.builds import Builds
    from envlock.lock.image import BaseImage
    from envlock.lock.interpreter import StandalonePython
    from envlock.lock.model import Lock
    from envlock.lock.os import OsLayer
    from envlock.lock.request import Request
    from envlock.lock.toolchain import GuixChannel, Nixpkgs


def os_layer(
    request: Request, previous: Lock | None, date: datetime, *, anew: bool
) -> OsLayer | None:
    """The existing OS layer, where nothing that decides it has changed: it would come out again."""
    if previous is None or previous.as_of != date or anew:
        return None
    before = previous.request.canonical()
    after = request.canonical()
    decisive = {key for key in before | after if key.startswith("os-")} | {"interpreter", "targets"}
    # What is looked for in wheels is looked at anew in any case, as wheels change, too.
    decisive -= {"os-no-libraries", "os-ignore-libraries"}
    same = all(before.get(key) == after.get(key) for key in decisive)
    if not same or previous.os is None or request.sources > previous.request.sources:
        return None
    return previous.os if request.sources else replace(previous.os, sources=())


def standalone(
    request: Request, previous: Lock | None, date: datetime, *, anew: bool
) -> tuple[StandalonePython, ...]:
    """The existing archives of Python, where nothing that decides them has changed."""
    if previous is None or previous.as_of != date or anew:
        return ()
    before, after = previous.request, request
    same = (before.interpreter, set(before.targets)) == (after.interpreter, set(after.targets))
    return previous.standalone if same else ()


def toolchain(
    request: Request, previous: Lock | None, date: datetime, *, anew: bool
) -> tuple[Nixpkgs | None, GuixChannel | None]:
    """The existing pins, each where nothing that decides it has changed; names do not."""
    if previous is None or previous.as_of != date or anew:
        return None, None
    before, after = previous.request.canonical(), request.canonical()
    changed = {key for key in before | after if before.get(key) != after.get(key)} - {
        "nix",
        "nix-names",
        "guix",
        "guix-names",
    }
    return (
        None if any(key.startswith("nix") for key in changed) else previous.nixpkgs,
        None if any(key.startswith("guix") for key in changed) else previous.guix,
    )


def image(
    request: Request, previous: Lock | None, date: datetime, *, anew: bool
) -> BaseImage | None:
    """The existing base image, where the same one is asked for; platforms may be others."""
    if previous is None or previous.as_of != date or anew:
        return None
    return previous.image if request.image_base == previous.request.image_base else None


_WORLD = ("targets", "default-index", "index-urls", "find-links", "no-index", "allow-undated")
"""Parts of a request that decide what a build requirement is answered with."""


def builds(
    request: Request, previous: Lock | None, *, anew: bool, moving: AbstractSet[str]
) -> Builds:
    """The existing builds that stay while their sdist does: nothing that decides them changed.

    ``moving`` are packages whose pins may move; no build with one of them stays.
    """
    from envlock.lock.builds import Builds, declared_requires

    if previous is None or not previous.builds or anew:
        return Builds()
    before, after = previous.request.canonical(), request.canonical()
    if any(before.get(key) != after.get(key) for key in _WORLD):
        return Builds()
    stay = tuple(
        build
        for build in previous.builds
        if declared_requires(build.package, previous.request)
        == declared_requires(build.package, request)
        and moving.isdisjoint({build.package, *(pin.name for pin in build.pins)})
    )
    return Builds(builds=stay, packages=previous.build_packages, repairs=previous.repairs)


def os_floors(previous: Lock | None, date: datetime) -> dict[str, datetime]:
    """What the existing lock saw of each suite, where its date is not later than ``date``."""
    if previous is None or previous.os is None or previous.as_of > date:
        return {}
    return {archive.suite: archive.release_date for archive in previous.os.archives}


def os_seen(previous: Lock | None, date: datetime) -> dict[str, str]:
    """What the existing lock, if it is of this date, saw of each suite on a live mirror."""
    if previous is None or previous.os is None or previous.as_of != date:
        return {}
    return {a.suite: a.release_sha256 for a in previous.os.archives if a.snapshot is None}


def limits(request: Request) -> tuple[object, ...]:
    """What decides, for one version, which of its files are locked."""
    hashed = {(w.text, w.hashes) for w in (*request.wishes, *request.constraints) if w.hashes}
    return (request.targets, set(request.only_binary), set(request.no_binary), hashed)
