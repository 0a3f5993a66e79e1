"""Puts a lock together from a request: the path from ``Request`` to ``Lock``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from envlock.errors import NoSolutionError, SourceError, UsageError, VerificationError
from envlock.io.progress import Reporter
from envlock.lock.builds import Builds
from envlock.lock.interpreter import StandalonePython
from envlock.lock.model import Lock
from envlock.lock.package import PythonPackage
from envlock.lock.request import Request
from envlock.lock.selection import applies
from envlock.lock.target import Target, wheel_tags
from envlock.resolve.python.config.find import discover_sources
from envlock.resolve.python.engines.engine import NO_UPGRADE, Engine, Question, Resolution, Upgrade
from envlock.resolve.python.sources import Sources

if TYPE_CHECKING:
    from packaging.tags import Tag

    from envlock.io.http.client import Http
    from envlock.lock.image import BaseImage
    from envlock.lock.os import OsLayer
    from envlock.lock.toolchain import GuixChannel, Nixpkgs
    from envlock.resolve.os.libraries.needs import Finder
    from envlock.resolve.python.direct import PinnedRequest

ENGINES = "envlock.engines"
"""The entry-point group of engines."""

BUILT_IN = {
    "uv": "envlock.resolve.python.engines.uv:UvEngine",
    "pip-tools": "envlock.resolve.python.engines.piptools:PipToolsEngine",
}
"""Our own entries of that group: reading the metadata of what is installed takes its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How to lock: what the command line and an existing lock decide beside the request.

    ``as_of`` is UTC, whole seconds. ``dated`` is whether someone fixed that date (then places
    without dates are refused), as opposed to "now". ``pins`` are kept where ``upgrade`` allows,
    with their files where ``keep_files`` says that the request limits files as it did before.
    ``os_layer``, ``standalone``, ``nixpkgs``, ``guix`` and ``image`` are the existing lock's, where
    each answers the same question (but for names and platforms) of the same date; ``os_floors``:
    suite → date of the Release that an earlier lock saw; ``os_seen``: suite → its digest, where
    that lock is of the same date and saw a live mirror. ``builds`` are the existing lock's that
    stay as they are where their sdist does.
    """

    root: Path
    as_of: datetime
    dated: bool
    now: datetime
    engine: str = "uv"
    pins: tuple[PythonPackage, ...] = ()
    keep_files: bool = False
    os_layer: OsLayer | None = None
    standalone: tuple[StandalonePython, ...] = ()
    os_floors: Mapping[str, datetime] = field(default_factory=dict)
    os_seen: Mapping[str, str] = field(default_factory=dict)
    nixpkgs: Nixpkgs | None = None
    guix: GuixChannel | None = None
    image: BaseImage | None = None
    builds: Builds = field(default_factory=Builds)
    upgrade: Upgrade = NO_UPGRADE
    build: bool = True
    refresh: bool = False


def load_engine(name: str) -> Engine:
    """The engine of that entry-point name.

    Raises:
        UsageError: no such engine; the known ones are listed.
    """
    if name in BUILT_IN:
        module, _, attribute = BUILT_IN[name].partition(":")
        known: Engine = getattr(import_module(module), attribute)()
        return known
    from importlib.metadata import entry_points

    found = {point.name: point for point in entry_points(group=ENGINES)}
    if name not in found:
        raise UsageError(f"unknown engine {name!r}", remedy=f"known: {', '.join(sorted(found))}")
    engine: Engine = found[name].load()()
    return engine


def make_lock(request: Request, plan: Plan, reporter: Reporter) -> Lock:
    """Resolve ``request`` as ``plan`` says and give the whole lock.

    Raises:
        NoSolutionError: no set of packages satisfies the request at that date; says why.
        SourceError: an index, repository or tool failed, or has no dates.
        VerificationError: a file's digest is not the stated one.
    """
    sources = discover_sources(request, plan.root, dated=plan.dated, reporter=reporter)
    pinned = _pinned(request, plan, sources, reporter)
    resolution = _resolution(request if pinned is None else pinned.request, plan, sources, reporter)
    packages = resolution.packages
    if pinned is not None:
        packages = tuple(pinned.complete(package) for package in packages)
    packages = _with_kept_files(packages, plan)
    packages = _only_allowed_files(packages, request)
    packages = tuple(_of_allowed_kinds(package, request) for package in packages)
    _verify(packages, plan.as_of)
    # Imported here: an engine at work leaves the time to load them (``uv_engine.NEXT``).
    from envlock.io.http.client import Http
    from envlock.resolve import sizes

    with Http(certificate=sources.certificate) as http:
        packages = sizes.fill(packages, sources, http, reporter)
        builds = _builds(request, plan, packages, sources, http, reporter)
        lock = Lock(
            as_of=plan.as_of,
            engine=plan.engine,
            request=request,
            targets=request.targets,
            packages=packages,
            built=_built(packages, request.targets),
            repairs=tuple(sorted({*resolution.repairs, *builds.repairs}, key=repr)),
            builds=builds.builds,
            build_packages=builds.packages,
            bootstrap=builds.bootstrap,
        )
        return replace(
            lock,
            os=_os_layer(lock, plan, sources, http, reporter),
            standalone=_standalone(request, plan, http, reporter),
            nixpkgs=_nixpkgs(request, plan, http, reporter),
            guix=_guix(request, plan, reporter),
            image=_image(request, plan, http, reporter),
        )


def _resolution(request: Request, plan: Plan, sources: Sources, reporter: Reporter) -> Resolution:
    """The engine's answer; where nothing is asked for, no engine has to say so."""
    if not request.wishes and plan.engine in BUILT_IN:
        return Resolution(packages=())
    engine = load_engine(plan.engine)
    question = Question(
        request=request,
        root=plan.root,
        as_of=plan.as_of,
        sources=sources,
        pins=plan.pins,
        upgrade=plan.upgrade,
        build=plan.build,
        refresh=plan.refresh,
    )
    try:
        return engine.resolve(question, reporter)
    except NoSolutionError as error:
        from envlock.resolve import explain

        reporter.step("looking for a date that works")
        raise explain.with_date(error, engine, question, plan.now, reporter) from None


def _pinned(
    request: Request, plan: Plan, sources: Sources, reporter: Reporter
) -> PinnedRequest | None:
    """The request with every direct reference fixed; None where it has none."""
    wishes = (*request.wishes, *request.constraints, *request.overrides)
    if not any("@" in wish.text for wish in wishes):
        return None
    from envlock.io.http.client import Http
    from envlock.resolve.python import direct

    with Http(certificate=sources.certificate) as http:
        return direct.pin_direct(
            request,
            plan.root,
            plan.as_of,
            dated=plan.dated,
            http=http,
            reporter=reporter,
            pins=_kept(plan),
        )


def _os_layer(
    lock: Lock, plan: Plan, sources: Sources, http: Http, reporter: Reporter
) -> OsLayer | None:
    """The layer, and notes on the libraries that it lacks.

    Imports are inside: a lock without OS packages is not to pay for them.
    """
    request = lock.request
    if request.os_base is None:
        return None
    kept = plan.os_layer
    if kept is not None:
        from envlock.resolve.os.builds.programs import renewed_for_builds

        kept = renewed_for_builds(kept, request, lock.builds)
    if not request.os_libraries or not lock.packages:
        if kept is not None:
            return replace(kept, libraries=(), unread=())
        return _new_os_layer(lock, request.os_base, plan, None, http, reporter)
    from envlock.resolve.os.libraries.advice import notes, renewed
    from envlock.resolve.os.libraries.needs import finder
    from envlock.resolve.os.libraries.wheels import WheelReader

    needs = finder(lock, WheelReader(http, sources.login, reporter), plan.root)
    layer = None if kept is None else renewed(kept, needs)
    if layer is None:
        try:
            layer = _new_os_layer(lock, request.os_base, plan, needs, http, reporter)
        except SourceError as error:
            if plan.os_layer is None:
                raise
            raise SourceError(
                f"wheels need other libraries than before, or other programs to be built, and"
                f" {error.what}",
                where=error.where,
                remedy=f"{error.remedy or 'give a mirror'}; to keep the OS packages as they are,"
                " set libraries = false in [tool.envlock.os]",
            ) from None
    for note in notes(layer):
        reporter.note(note)
    return layer


def _new_os_layer(
    lock: Lock,
    base: str,
    plan: Plan,
    needs: Finder | None,
    http: Http,
    reporter: Reporter,
) -> OsLayer:
    from envlock.resolve.os.lock import make_os_layer

    return make_os_layer(
        lock.request,
        base,
        plan.root,
        plan.as_of,
        live=not plan.dated and plan.as_of == plan.now,
        floors=plan.os_floors,
        needs=needs,
        seen=plan.os_seen,
        builds=lock.builds,
        http=http,
        reporter=reporter,
    )


def _nixpkgs(request: Request, plan: Plan, http: Http, reporter: Reporter) -> Nixpkgs | None:
    if request.nix is None:
        return None
    if plan.nixpkgs is not None:
        return replace(plan.nixpkgs, names=request.nix.names)
    from envlock.resolve.nixpkgs.find import find_nixpkgs

    return find_nixpkgs(request.nix, plan.as_of, http=http, reporter=reporter)


def _guix(request: Request, plan: Plan, reporter: Reporter) -> GuixChannel | None:
    if request.guix is None:
        return None
    if plan.guix is not None:
        return replace(plan.guix, names=request.guix.names)
    from envlock.resolve.guix import find_guix

    return find_guix(request.guix, plan.as_of, reporter=reporter)


def _image(request: Request, plan: Plan, http: Http, reporter: Reporter) -> BaseImage | None:
    if request.image_base is None:
        return None
    from envlock.lock.tables.image import linux_platforms

    platforms = linux_platforms(request.targets)
    if plan.image is not None and tuple(p.platform for p in plan.image.platforms) == platforms:
        return plan.image
    from envlock.io.images.registry import Registry
    from envlock.resolve.image import find_image, kept_image

    registry = Registry(http)
    if plan.image is not None:
        return kept_image(plan.image, platforms, registry=registry, reporter=reporter)
    return find_image(
        request.image_base,
        platforms,
        not_later_than=plan.as_of if plan.dated or plan.as_of != plan.now else None,
        registry=registry,
        reporter=reporter,
    )


def _builds(
    request: Request,
    plan: Plan,
    packages: tuple[PythonPackage, ...],
    sources: Sources,
    http: Http,
    reporter: Reporter,
) -> Builds:
    """What building the sdists needs, where the request asks for sources."""
    if not request.sources:
        return Builds()
    if not plan.build:
        raise UsageError(
            "sources = true asks the build backends of sdists, which run their code;"
            " --no-build forbids that",
            remedy="leave out one of them",
        )
    # Imported here: most locks are of wheels alone.
    from envlock.resolve import sizes
    from envlock.resolve.python.builds.graphs import World
    from envlock.resolve.python.builds.requirements import lock_builds

    world = World(
        engine=load_engine(plan.engine),
        root=plan.root,
        as_of=plan.as_of,
        sources=sources,
        refresh=plan.refresh,
    )
    found = lock_builds(request, packages, world, kept=plan.builds, http=http, reporter=reporter)
    _verify(found.packages, plan.as_of)
    return replace(found, packages=sizes.fill(found.packages, sources, http, reporter))


def _standalone(
    request: Request, plan: Plan, http: Http, reporter: Reporter
) -> tuple[StandalonePython, ...]:
    if request.interpreter != "standalone" or plan.standalone:
        return plan.standalone
    from envlock.resolve.standalone import choose

    return choose(request.targets, plan.as_of, plan.root, http, reporter)


def _with_kept_files(packages: Iterable[PythonPackage], plan: Plan) -> tuple[PythonPackage, ...]:
    """Files of a pin that stays are the locked ones: what came to the index since stays out."""
    if not plan.keep_files:
        return tuple(packages)
    pins = {(p.name, p.version, p.index, p.marker): p for p in _kept(plan) if p.files}
    kept = []
    for package in packages:
        pin = pins.get((package.name, package.version, package.index, package.marker))
        if pin is not None:
            package = replace(package, sdist=pin.sdist, wheels=pin.wheels)
        kept.append(package)
    return tuple(kept)


def _kept(plan: Plan) -> tuple[PythonPackage, ...]:
    """The pins that the upgrade leaves alone."""
    if plan.upgrade.everything:
        return ()
    return tuple(p for p in plan.pins if p.name not in plan.upgrade.names)


def _only_allowed_files(
    packages: Iterable[PythonPackage], request: Request
) -> tuple[PythonPackage, ...]:
    """Files limited to the ``--hash`` values of the requirements that state some, as pip does."""
    allowed: dict[str, set[str]] = {}
    origins: dict[str, str] = {}
    for wish in (*request.wishes, *request.constraints):
        if wish.hashes:
            name = canonicalize_name(Requirement(wish.text).name)
            allowed.setdefault(name, set()).update(h.partition(":")[2] for h in wish.hashes)
            origins[name] = wish.origin
    kept = []
    for package in packages:
        digests = allowed.get(package.name)
        if digests is None or package.index is None:
            kept.append(package)
            continue
        sdist = package.sdist if package.sdist and package.sdist.sha256 in digests else None
        wheels = tuple(w for w in package.wheels if w.sha256 in digests)
        if sdist is None and not wheels:
            raise VerificationError(
                f"no file of {package.name} {package.version} has one of the stated hashes",
                where=origins[package.name],
                remedy="correct the --hash lines, or pin the version that they belong to",
            )
        kept.append(replace(package, sdist=sdist, wheels=wheels))
    return tuple(kept)


def _of_allowed_kinds(package: PythonPackage, request: Request) -> PythonPackage:
    """Without the wheels or the sdist that the request forbids: an installer would take them."""
    if _names(request.no_binary, package.name, but=request.only_binary):
        return replace(package, wheels=())
    if _names(request.only_binary, package.name, but=request.no_binary):
        return replace(package, sdist=None)
    return package


def _names(names: tuple[str, ...], name: str, *, but: tuple[str, ...]) -> bool:
    """Whether ``names`` mean ``name``; ``:all:`` does, unless the other list has it by name."""
    return name in names or (":all:" in names and name not in but)


def _verify(packages: Iterable[PythonPackage], as_of: datetime) -> None:
    """Hold the engine to its promise: something to install from, and nothing from the future."""
    for package in packages:
        if package.index is None:
            continue
        if not package.files:
            raise NoSolutionError(
                f"{package.name} {package.version} has no file for the targets",
                remedy="constrain it to a version that has, or change the targets",
            )
        for file in package.files:
            if file.upload_time is None:
                raise SourceError(
                    f"the index does not say when {file.name} was uploaded",
                    where=package.index,
                    remedy="use an index that states upload times (PEP 700)",
                )
            if file.upload_time > as_of:
                raise SourceError(
                    f"{file.name} was uploaded {file.upload_time:%Y-%m-%dT%H:%M:%SZ},"
                    " after the lock's date",
                    where=package.index,
                    remedy="report this: an engine must never choose such a file",
                )


def _built(packages: Iterable[PythonPackage], targets: tuple[Target, ...]) -> tuple[str, ...]:
    """What some target can only build: no wheel fits it."""
    found = set()
    for package in packages:
        if package.sdist is None:
            continue
        tags = [parse_wheel_filename(wheel.name)[3] for wheel in package.wheels]
        if any(_unserved(tags, target) for target in targets if applies(package, target)):
            found.add(f"{package.name}=={package.version}")
    return tuple(sorted(found))


def _unserved(wheels: list[frozenset[Tag]], target: Target) -> bool:
    usable = wheel_tags(target)
    return all(tags.isdisjoint(usable) for tags in wheels)
