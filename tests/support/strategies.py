"""Hypothesis strategies for locks: any that PEP 751 and envlock allow, hostile texts included."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import strategies as st
from packaging.version import Version

from envlock.lock.bootstrap import seeds_of
from envlock.lock.builds import Build, BuildPin, Seed, source_of, wanted_builds
from envlock.lock.image import BaseImage, PlatformImage
from envlock.lock.interpreter import PROVIDERS, StandalonePython
from envlock.lock.model import Lock
from envlock.lock.os import OsArchive, OsLayer, OsLibrary, OsPackage, OsSource, OsSourceFile
from envlock.lock.package import (
    Archive,
    Artifact,
    Dependency,
    Directory,
    PythonPackage,
    Repair,
    Vcs,
)
from envlock.lock.request import Request, Wish, wish_line
from envlock.lock.tables.image import linux_platforms
from envlock.lock.target import PLATFORMS, Target
from envlock.lock.toolchain import Found, GuixChannel, GuixRequest, Nixpkgs, NixRequest

HOSTILE = (
    "'",
    '"',
    '"""',
    "'''",
    "\\",
    "\\u0041",
    "#",
    "=",
    "[tool.envlock]",
    "\n[[packages]]\n",
    "\r\n",
    "\x00",
    "\x1b[31m",
    "\x7f",
    "\x85",
    "\u2028",
    "\ufeff",
    "\u202e",
    "\U0001f40d",
    "é",
    "e\u0301",
    "${HOME}",
    "$(id)",
    "`id`",
    "../../etc",
    " --hash=sha256:0",
    "; os_name == 'nt'",
)
"""Pieces that break what forgets to quote: TOML, JSON, shell, terminals, requirement lines."""

# No surrogates: neither TOML nor UTF-8 can carry them.
hostile_texts = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12),
    st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3).map("".join),
)
names = st.from_regex(r"[a-z0-9]{1,5}(-[a-z0-9]{1,3}){0,2}", fullmatch=True)
sha256s = st.binary(min_size=32, max_size=32).map(bytes.hex)
seconds = st.datetimes(
    min_value=datetime(1990, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
instants = st.datetimes(
    min_value=datetime(1990, 1, 1),
    max_value=datetime(2100, 1, 1),
    timezones=st.just(UTC),
)
versions = st.from_regex(
    r"(1!)?[0-9]{1,3}(\.[0-9]{1,2}){0,3}((a|b|rc)[0-9])?(\.post[0-9])?(\.dev[0-9])?(\+[a-z0-9]{1,3})?"
    r"|1\.0-1|v2\.0|1\.0RC1|1\.0alpha",
    fullmatch=True,
)
"""PEP 440 versions, some in a spelling that is not the normal one."""

targets = st.builds(
    Target,
    platform=st.sampled_from(sorted(PLATFORMS)),
    python=st.one_of(
        st.integers(8, 16).map(lambda minor: f"3.{minor}"),
        st.tuples(st.integers(8, 16), st.integers(0, 20)).map(lambda v: f"3.{v[0]}.{v[1]}"),
    ),
)
_marker_values = st.one_of(
    st.sampled_from(["linux", "win32", "3.11", "x86_64", "cpython", ""]),
    st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=5),
)
_comparisons = st.builds(
    lambda name, operator, value, quote: f"{name} {operator} {quote}{value}{quote}",
    st.sampled_from(["sys_platform", "platform_machine", "os_name", "implementation_name"]),
    st.sampled_from(["==", "!=", "in"]),
    _marker_values,
    st.sampled_from(["'", '"']),
)
markers = st.recursive(
    _comparisons,
    lambda inner: st.builds(
        lambda a, word, b: f"({a}) {word} ({b})", inner, st.sampled_from(["and", "or"]), inner
    ),
    max_leaves=3,
)
"""PEP 508 markers, in either quotes, some with letters of any script."""


@st.composite
def _wish_texts(draw: st.DrawFn) -> str:
    name = draw(names)
    kind = draw(st.integers(0, 4))
    if kind == 0:
        return f"{name} @ https://example.org/{draw(names)}-1.tar.gz"
    if kind == 1:
        return f"{name} @ file:{draw(names)}/%20{draw(names)}"
    text = name + draw(st.sampled_from(["", "[extra]", ">=1", "<2,>=1.5", "==1.*", "~=2.1"]))
    return text if kind == 2 else f"{text}; {draw(markers)}"


wishes = st.builds(
    Wish,
    text=_wish_texts(),
    hashes=st.lists(sha256s.map("sha256:{}".format), max_size=2, unique=True).map(
        lambda found: tuple(sorted(found))
    ),
    editable=st.booleans(),
)


def _sorted_texts(elements: st.SearchStrategy[str]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(elements, max_size=3, unique=True).map(lambda found: tuple(sorted(found)))


def _sorted_wishes(size: int) -> st.SearchStrategy[tuple[Wish, ...]]:
    return st.lists(wishes, max_size=size, unique_by=wish_line).map(
        lambda found: tuple(sorted(found, key=wish_line))
    )


def target_sets() -> st.SearchStrategy[tuple[Target, ...]]:
    """One to three targets, sorted."""
    return st.lists(targets, min_size=1, max_size=3, unique=True).map(
        lambda found: tuple(sorted(found))
    )


commits = st.binary(min_size=20, max_size=20).map(bytes.hex)
fingerprints = commits.map(str.upper)
nar_hashes = st.binary(min_size=32, max_size=32).map(
    lambda digest: f"sha256-{b64encode(digest).decode()}"
)
other_names = _sorted_texts(st.builds("{}={}".format, names, hostile_texts))
"""Names that differ from Debian's: ``debian=other``, the other one being any text."""


def nix_requests() -> st.SearchStrategy[NixRequest]:
    """What may be asked of nixpkgs."""
    return st.builds(
        NixRequest,
        branch=st.none() | hostile_texts,
        source=st.none() | st.sampled_from(Found),
        names=other_names,
    )


@st.composite
def guix_requests(draw: st.DrawFn) -> GuixRequest:
    """What may be asked of Guix; an introduction is whole or absent."""
    introduced = draw(st.booleans())
    return GuixRequest(
        url=draw(st.none() | hostile_texts),
        branch=draw(st.none() | hostile_texts),
        introduction_commit=draw(commits) if introduced else None,
        introduction_fingerprint=draw(fingerprints) if introduced else None,
        names=draw(other_names),
    )


nixpkgs_pins = st.builds(
    Nixpkgs,
    branch=hostile_texts,
    rev=commits,
    last_modified=seconds,
    nar_hash=nar_hashes,
    found=st.sampled_from(Found),
    names=other_names,
)
guix_pins = st.builds(
    GuixChannel,
    name=hostile_texts,
    url=hostile_texts,
    branch=hostile_texts,
    commit=commits,
    introduction_commit=commits,
    introduction_fingerprint=fingerprints,
    names=other_names,
)


image_digests = sha256s.map("sha256:{}".format)


@st.composite
def base_images(draw: st.DrawFn, targets: tuple[Target, ...]) -> BaseImage | None:
    """An image for the Linux platforms of the targets."""
    platforms = linux_platforms(targets)
    if not platforms:
        return None
    own = tuple(PlatformImage(platform=p, digest=draw(image_digests)) for p in platforms)
    digest = own[0].digest if draw(st.booleans()) else draw(image_digests)
    suffix = draw(st.sampled_from([":v1.2_x", "", f"@{digest}", f":v1@{digest}"]))
    name = draw(st.sampled_from(["docker.io/library/debian", "localhost:5000/a/b-c", "[::1]:80/x"]))
    return BaseImage(reference=name + suffix, digest=digest, platforms=own)


def requests() -> st.SearchStrategy[Request]:
    """Requests in the order that the file keeps."""
    return st.builds(
        Request,
        wishes=_sorted_wishes(3),
        constraints=_sorted_wishes(2),
        overrides=_sorted_wishes(1),
        targets=target_sets(),
        extras=_sorted_texts(names),
        groups=_sorted_texts(hostile_texts),
        requires_python=st.sampled_from([None, ">=3.8", "<4,>=3.10"]),
        as_of=st.none() | seconds,
        prereleases=st.booleans(),
        only_binary=_sorted_texts(names | st.just(":all:")),
        no_binary=_sorted_texts(names),
        default_index=st.none() | hostile_texts,
        index_urls=st.lists(hostile_texts, max_size=2).map(tuple),
        find_links=st.lists(hostile_texts, max_size=2).map(tuple),
        no_index=st.booleans(),
        allow_undated=_sorted_texts(hostile_texts),
        sources=st.booleans(),
        nix=st.none() | nix_requests(),
        guix=st.none() | guix_requests(),
        os_base=st.none() | hostile_texts,
        os_packages=_sorted_texts(hostile_texts),
        os_build_packages=_sorted_texts(hostile_texts),
        os_components=_sorted_texts(hostile_texts),
        os_recommends=st.booleans(),
        interpreter=st.none() | st.sampled_from(sorted(PROVIDERS)),
        image_base=st.none() | hostile_texts,
        local_sources=_sorted_texts(
            st.builds("{} sha256:{}".format, hostile_texts, st.sampled_from(["a" * 64, "b" * 64]))
        ),
    )


@st.composite
def _locations(draw: st.DrawFn) -> dict[str, Any]:
    """Either a URL or a path, a size or none."""
    key = draw(st.sampled_from(["url", "path"]))
    size = draw(st.none() | st.integers(0, 2**63 - 1))
    return {key: draw(hostile_texts), "size": size}


@st.composite
def artifacts(draw: st.DrawFn, filename: str) -> Artifact:
    """A file called ``filename``, anywhere."""
    return Artifact(
        name=filename,
        sha256=draw(sha256s),
        upload_time=draw(st.none() | instants),
        **draw(_locations()),
    )


def _indexed(draw: st.DrawFn, name: str, version: str) -> dict[str, Any]:
    stem = f"{name.replace('-', '_')}-{Version(version)}"
    tags = draw(
        st.lists(
            st.sampled_from(["py3-none-any", "cp311-cp311-win_amd64", "cp311-abi3-linux_x86_64"]),
            max_size=3,
            unique=True,
        )
    )
    wheels = [draw(artifacts(f"{stem}-{tag}.whl")) for tag in sorted(tags)]
    sdist = draw(artifacts(f"{stem}.tar.gz")) if not wheels or draw(st.booleans()) else None
    return {"wheels": tuple(wheels), "sdist": sdist, "index": draw(st.none() | hostile_texts)}


def _direct(draw: st.DrawFn) -> dict[str, Any]:
    subdirectory = draw(st.none() | hostile_texts)
    kind = draw(st.sampled_from(["archive", "vcs", "directory"]))
    if kind == "archive":
        archive = Archive(sha256=draw(sha256s), subdirectory=subdirectory, **draw(_locations()))
        return {"archive": archive}
    if kind == "vcs":
        vcs = Vcs(
            kind="git",
            url=draw(hostile_texts),
            commit=draw(st.binary(min_size=20, max_size=20).map(bytes.hex)),
            requested=draw(st.none() | hostile_texts),
            subdirectory=subdirectory,
        )
        return {"vcs": vcs}
    path, editable = draw(hostile_texts), draw(st.booleans())
    return {"directory": Directory(path=path, editable=editable, subdirectory=subdirectory)}


dependencies = st.builds(Dependency, name=names, version=st.none() | versions)


@st.composite
def packages(draw: st.DrawFn, name: str | None = None) -> PythonPackage:
    """One entry, from an index or directly from somewhere."""
    name = name or draw(names)
    version = draw(versions)
    if draw(st.integers(0, 2)):
        source = _indexed(draw, name, version)
    else:
        source = _direct(draw)
        version = version if draw(st.booleans()) else None  # type: ignore[assignment]
    needed = draw(st.lists(dependencies, max_size=2, unique=True))
    return PythonPackage(
        name=name,
        version=version,
        marker=draw(st.none() | markers),
        requires_python=draw(st.sampled_from([None, ">=3.8", "<4,>=3.7", "!=3.9.1,>=3"])),
        dependencies=tuple(sorted(needed, key=lambda d: (d.name, d.version or ""))),
        **source,
    )


def _pins(packages: tuple[PythonPackage, ...]) -> st.SearchStrategy[tuple[BuildPin, ...]]:
    """Some of the packages, each under one marker or none."""
    pins = st.lists(
        st.tuples(st.sampled_from(packages), st.none() | markers),
        max_size=3,
        unique_by=lambda pin: pin[0].sort_key,
    )
    return pins.map(
        lambda some: tuple(
            sorted(
                (BuildPin(name=p.name, version=p.version or "", marker=m) for p, m in some),
                key=lambda pin: pin.sort_key,
            )
        )
    )


architectures = st.sampled_from(["amd64", "arm64", "i386"])
deb_names = st.from_regex(r"[a-z0-9][a-z0-9+.-]{1,6}", fullmatch=True)
deb_versions = st.from_regex(r"([0-9]:)?[0-9][0-9a-z.+~]{0,5}(-[0-9a-z.+~]{1,4})?", fullmatch=True)
sizes = st.integers(0, 2**63 - 1)
snapshots = st.none() | seconds.map(lambda moment: f"{moment:%Y%m%dT%H%M%SZ}")


@st.composite
def os_packages(draw: st.DrawFn) -> OsPackage:
    """One .deb of one architecture; where it comes from may be any text."""
    return OsPackage(
        architecture=draw(architectures),
        name=draw(deb_names),
        version=draw(deb_versions),
        sha256=draw(sha256s),
        size=draw(sizes),
        file_name=draw(hostile_texts),
        suite=draw(hostile_texts),
        source=draw(hostile_texts),
        source_version=draw(deb_versions),
        base=draw(st.booleans()),
        requested=draw(st.booleans()),
        via=draw(_sorted_texts(deb_names)),
        via_wheels=draw(_sorted_texts(names)),
    )


os_archives = st.builds(
    OsArchive,
    archive=hostile_texts,
    suite=hostile_texts,
    components=st.lists(hostile_texts, max_size=3).map(tuple),
    snapshot=snapshots,
    release_sha256=sha256s,
    release_date=seconds,
    key=hostile_texts,
)


_source_files = st.builds(OsSourceFile, name=deb_names, sha256=sha256s, size=sizes)
_libraries = st.builds(
    OsLibrary,
    architecture=architectures,
    soname=hostile_texts,
    package=st.none() | deb_names,
    wheels=_sorted_texts(names),
    partly_read=st.booleans(),
)


@st.composite
def os_layers(draw: st.DrawFn, *, sources: bool = False) -> OsLayer:
    """OS layers in the order that the file keeps; a package once for each architecture."""
    archives = draw(st.lists(os_archives, max_size=2, unique_by=lambda a: (a.archive, a.suite)))
    debs = draw(st.lists(os_packages(), max_size=3, unique_by=lambda p: (p.architecture, p.name)))
    libraries = draw(
        st.lists(_libraries, max_size=2, unique_by=lambda one: (one.architecture, one.soname))
    )
    extra = draw(st.lists(os_packages(), max_size=2, unique_by=lambda p: (p.architecture, p.name)))
    there = {(p.architecture, p.name) for p in debs}
    built_from = {(p.source, p.source_version) for p in debs} if sources else set()
    files = st.lists(_source_files, min_size=1, max_size=2, unique=True)
    return OsLayer(
        base=draw(hostile_texts),
        archives=tuple(sorted(archives, key=lambda a: (a.archive, a.suite))),
        packages=tuple(sorted(debs)),
        build_packages=tuple(sorted(p for p in extra if (p.architecture, p.name) not in there)),
        sources=tuple(
            OsSource(
                name=name,
                version=version,
                suite=draw(hostile_texts),
                directory=draw(names),
                files=tuple(sorted(draw(files))),
            )
            for name, version in sorted(built_from)
        ),
        libraries=tuple(sorted(libraries, key=lambda one: (one.architecture, one.soname))),
        unread=draw(_sorted_texts(hostile_texts)),
    )


@st.composite
def _builds(
    draw: st.DrawFn, found: tuple[PythonPackage, ...], request: Request
) -> tuple[tuple[Build, ...], tuple[PythonPackage, ...]]:
    """A build for each source, and the files of their pins."""
    wanted = wanted_builds(found, request) if request.sources else ()
    pool = []
    for name, version in (("hatchling", "1.0"), ("tomli", "2.0"), ("tomli", "2.1")):
        source = _indexed(draw, name, version)
        pool.append(PythonPackage(name=name, version=version, **source))
    builds = {}
    for package in wanted:
        source_file = source_of(package)
        assert source_file is not None
        build = Build(
            package=package.name,
            version=package.version or "",
            sdist=source_file.sha256,
            backend=draw(hostile_texts),
            backend_path=draw(st.lists(hostile_texts, max_size=2).map(tuple)),
            static=draw(_sorted_texts(st.sampled_from(["hatchling", "tomli>=1.0"]))),
            dynamic=draw(_sorted_texts(st.sampled_from(["ninja", "cmake>=3"]))),
            asked_on=draw(_sorted_texts(targets.map(lambda target: target.key))),
            pins=draw(_pins(tuple(pool))),
            generator=draw(st.none() | hostile_texts),
            preferred=draw(_sorted_texts(st.just("hatchling==1.0"))),
            as_of=draw(st.none() | seconds),
            programs=draw(_sorted_texts(hostile_texts)),
        )
        builds[build.key] = build
    pinned = {(pin.name, pin.version) for build in builds.values() for pin in build.pins}
    files = tuple(package for package in pool if (package.name, package.version) in pinned)
    return tuple(build for _, build in sorted(builds.items())), files


@st.composite
def standalone_pythons(draw: st.DrawFn, target: Target) -> StandalonePython:
    """An archive of a target's Python."""
    patch = "" if target.python != target.series else f".{draw(st.integers(0, 30))}"
    return StandalonePython(
        target=target,
        version=target.python + patch,
        build=draw(seconds.map(lambda moment: f"{moment:%Y%m%d}")),
        url=draw(names.map("https://files.example.org/{}.tar.gz".format)),
        sha256=draw(sha256s),
        size=draw(sizes),
    )


@st.composite
def locks(draw: st.DrawFn, max_packages: int = 4) -> Lock:
    """Any lock, its parts in the order that the file keeps, so that reading it gives it back."""
    request = draw(requests())
    found = draw(
        st.lists(packages(), max_size=max_packages, unique_by=lambda p: p.sort_key).map(
            lambda some: tuple(sorted(some, key=lambda p: p.sort_key))
        )
    )
    repairs = st.builds(Repair, subject=hostile_texts, found=hostile_texts, used=hostile_texts)
    if request.sources:
        # A version has one sdist, whatever its markers; and what has none cannot be built.
        found = tuple({(p.name, p.version): p for p in found if p.version}.values())
    builds, build_packages = draw(_builds(found, request))
    bootstrap: tuple[Seed, ...] = ()
    if builds and draw(st.booleans()):
        both = (*found, *build_packages)
        bootstrap = seeds_of(request, builds, both, programs=frozenset({"tomli"}))
    return Lock(
        as_of=draw(seconds),
        engine=draw(st.sampled_from(["uv", "pip-tools"])),
        request=request,
        targets=request.targets,
        packages=found,
        built=draw(_sorted_texts(hostile_texts)),
        repairs=draw(
            st.lists(repairs, max_size=2, unique=True).map(
                lambda some: tuple(sorted(some, key=lambda r: (r.subject, r.found, r.used)))
            )
        ),
        nixpkgs=draw(st.none() | nixpkgs_pins),
        guix=draw(st.none() | guix_pins),
        builds=builds,
        build_packages=build_packages,
        bootstrap=bootstrap,
        image=draw(st.none() | base_images(request.targets)),
        os=draw(st.none() | st.none() | os_layers(sources=request.sources)),
        standalone=tuple(
            draw(standalone_pythons(target)) for target in request.targets if draw(st.booleans())
        ),
    )


@st.composite
def shuffled(draw: st.DrawFn, lock: Lock) -> Lock:
    """The same lock, with everything that has no order in another one."""

    def mixed(items: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(draw(st.permutations(items)))

    request = replace(
        lock.request,
        wishes=mixed(lock.request.wishes),
        constraints=mixed(lock.request.constraints),
        targets=mixed(lock.request.targets),
        extras=mixed(lock.request.extras),
        groups=mixed(lock.request.groups),
        only_binary=mixed(lock.request.only_binary),
        allow_undated=mixed(lock.request.allow_undated),
        os_packages=mixed(lock.request.os_packages),
    )
    layer = lock.os
    if layer is not None:
        layer = replace(
            layer,
            archives=mixed(layer.archives),
            packages=tuple(replace(p, via=mixed(p.via)) for p in mixed(layer.packages)),
            build_packages=mixed(layer.build_packages),
            sources=mixed(layer.sources),
            libraries=mixed(layer.libraries),
            unread=mixed(layer.unread),
        )
    entries = tuple(
        replace(p, wheels=mixed(p.wheels), dependencies=mixed(p.dependencies))
        for p in mixed(lock.packages)
    )
    return replace(
        lock,
        request=request,
        targets=mixed(lock.targets),
        packages=entries,
        nixpkgs=lock.nixpkgs and replace(lock.nixpkgs, names=mixed(lock.nixpkgs.names)),
        guix=lock.guix and replace(lock.guix, names=mixed(lock.guix.names)),
        built=mixed(lock.built),
        repairs=mixed(lock.repairs),
        builds=mixed(lock.builds),
        build_packages=mixed(lock.build_packages),
        bootstrap=mixed(lock.bootstrap),
        os=layer,
        standalone=mixed(lock.standalone),
        image=lock.image and replace(lock.image, platforms=mixed(lock.image.platforms)),
    )


@st.composite
def relocated(draw: st.DrawFn, lock: Lock) -> Lock:
    """The same lock from other places: URLs, indexes, archives, sizes, times and dates differ."""

    def moved(file: Artifact) -> Artifact:
        fresh = draw(artifacts(file.name))
        return replace(fresh, sha256=file.sha256)

    def elsewhere(package: PythonPackage) -> PythonPackage:
        archive, vcs = package.archive, package.vcs
        if archive is not None:
            fresh = {"url": None, "path": None} | draw(_locations())
            archive = replace(archive, **fresh)
        if vcs is not None:
            vcs = replace(vcs, url=draw(hostile_texts), requested=draw(st.none() | hostile_texts))
        return replace(
            package,
            index=draw(st.none() | hostile_texts),
            sdist=None if package.sdist is None else moved(package.sdist),
            wheels=tuple(moved(wheel) for wheel in package.wheels),
            archive=archive,
            vcs=vcs,
        )

    def other_deb(package: OsPackage) -> OsPackage:
        kept = {key: getattr(package, key) for key in ("architecture", "name", "version", "sha256")}
        return replace(draw(os_packages()), **kept)

    layer = lock.os
    if layer is not None:
        debs = tuple(other_deb(package) for package in layer.packages)
        more = tuple(other_deb(package) for package in layer.build_packages)
        layer = replace(draw(os_layers()), packages=debs, build_packages=more)
    return replace(
        lock,
        os=layer,
        standalone=tuple(
            replace(build, url="https://elsewhere.example.org/x.tar.gz", size=draw(sizes))
            for build in lock.standalone
        ),
        image=lock.image
        and replace(lock.image, reference=f"mirror.example.org/x@{lock.image.digest}"),
        as_of=draw(seconds),
        packages=tuple(elsewhere(package) for package in lock.packages),
        nixpkgs=None
        if lock.nixpkgs is None
        else replace(
            lock.nixpkgs,
            branch=draw(hostile_texts),
            last_modified=draw(seconds),
            found=draw(st.sampled_from(Found)),
        ),
        guix=None
        if lock.guix is None
        else replace(lock.guix, url=draw(hostile_texts), branch=draw(hostile_texts)),
        request=replace(lock.request, index_urls=draw(st.lists(hostile_texts).map(tuple))),
    )
