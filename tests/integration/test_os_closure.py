"""The closure of OS packages is apt's: real indexes, real apt as the oracle.

Each request is resolved by ``apt-get install --no-install-recommends`` in a private root in
which the essential packages are installed, and by envlock on the same files. Random requests are
seeded. ``OS_CLOSURE_REQUESTS`` says how many (300 is a full run of some minutes); the shares that
must agree are the same for any number. Conflicts are counted on their own: pairs that exclude one
another, where both must refuse. A checker that shares no code with the solver reads every answer.
"""

from __future__ import annotations

import os
import random
import re
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from urllib.parse import unquote

import pytest
from support.apt_cases import CASES, Case
from support.apt_root import AptRoot, Listing

from envlock.errors import NoSolutionError
from envlock.resolve.os.archive.index import IndexPart, PackageIndex
from envlock.resolve.os.builds.relations import build_relations
from envlock.resolve.os.closure.close import close, close_needs
from envlock.resolve.os.packages.control import read_fields
from envlock.resolve.os.packages.version import compare

pytestmark = pytest.mark.network

ARCHITECTURE = "amd64"
REQUESTS = int(os.environ.get("OS_CLOSURE_REQUESTS", "24"))
HEAVY = (
    "ffmpeg",
    "gdal-bin",
    "r-base",
    "texlive-latex-base",
    "openjdk-17-jdk",
    "postgresql",
    "octave",
    "libopencv-dev",
)


class Archive:
    """A suite as apt fetched it: apt's answers, the index, and an independent reading."""

    def __init__(self, folder: Path, codename: str, *, sources: bool = False) -> None:
        self.apt = AptRoot(folder)
        self.apt.use_machine_sources(codename, sources=sources)
        self.apt.update()
        self.listings = self.apt.listings()
        self.base = self.apt.install_essential()
        self.paragraphs: dict[tuple[str, str], dict[str, str]] = {}
        for listing in self.listings:
            for text in listing.path.read_text().split("\n\n"):
                fields = dict(re.findall(r"^([\w-]+): (.*)$", text, re.M))
                if fields:
                    self.paragraphs.setdefault((fields["Package"], fields["Version"]), fields)

    def index(self) -> PackageIndex:
        return PackageIndex(
            [_part(listing) for listing in self.listings], architecture=ARCHITECTURE
        )

    @property
    def names(self) -> list[str]:
        return sorted({name for name, _ in self.paragraphs})


def _part(listing: Listing) -> IndexPart:
    return IndexPart(
        suite=listing.suite,
        component=listing.component,
        architecture=ARCHITECTURE,
        sha256=listing.sha256,
        priority=500,
        packages=listing.path.read_bytes,
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("bookworm"), "bookworm", sources=True)


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    return Archive(tmp_path_factory.mktemp("trixie"), "trixie")


@pytest.fixture
def index(archive: Archive, tmp_path: Path) -> Iterator[PackageIndex]:
    with archive.index() as opened:
        yield opened


def _sample(archive: Archive, count: int, seed: int) -> list[tuple[str, ...]]:
    rng = random.Random(seed)
    names = archive.names
    found = [(name,) for name in HEAVY if name in names]
    while len(found) < count:
        found.append(tuple(sorted(rng.sample(names, rng.choice((1, 1, 1, 2, 3))))))
    return found


def _exclusive_pairs(archive: Archive, count: int, seed: int) -> list[tuple[str, ...]]:
    rng = random.Random(seed)
    names = set(archive.names)
    pairs: set[tuple[str, ...]] = set()
    for (name, _), fields in archive.paragraphs.items():
        # Those without a version always apply.
        for other in fields.get("Conflicts", "").split(", "):
            if other in names and other != name:
                pairs.add(tuple(sorted((name, other))))
    return rng.sample(sorted(pairs), count)


def _ours(
    index: PackageIndex, request: tuple[str, ...], *, recommends: bool = False
) -> frozenset[tuple[str, str]] | None:
    try:
        solution = close(index, request, recommends=recommends)
    except NoSolutionError:
        return None
    added = {(c.package.name, c.package.version) for c in solution.packages if not c.base}
    return frozenset(added | {(f"-{package.name}", "") for package in solution.left_out})


def _compare(
    archive: Archive, index: PackageIndex, requests: list[tuple[str, ...]], **wish: bool
) -> list[str]:
    """What differs, in words; every answer of ours is checked for closure on the way."""
    theirs = archive.apt.simulate_all(requests, **wish)
    differences = []
    refused = 0
    for request, expected in zip(requests, theirs, strict=True):
        answer = _ours(index, request, **wish)
        if answer is not None:
            removed = {name[1:] for name, _ in answer if name.startswith("-")}
            there = {pair for pair in answer | archive.base if not pair[0].startswith("-")}
            _assert_whole(archive, {n: v for n, v in there if n not in removed}, request)
        refused += answer is None and expected is None
        if answer != expected:
            differences.append(f"{request}: {_difference(answer, expected)}")
    print(f"{len(requests) - len(differences)} of {len(requests)} as apt, {refused} refused")
    print("\n".join(differences))
    return differences


def _difference(
    ours: frozenset[tuple[str, str]] | None, apt: frozenset[tuple[str, str]] | None
) -> str:
    if ours is None or apt is None:
        return f"envlock {'refuses' if ours is None else 'installs'}, apt does not agree"
    return f"only envlock {sorted(ours - apt)[:9]}, only apt {sorted(apt - ours)[:9]}"


@cache
def _clauses(field: str) -> tuple[tuple[tuple[str, str, str, str], ...], ...]:
    pattern = r"\s*([^\s:(]+)(?::(\S+))?\s*(?:\((\S+?)\s*([^\s)]+)\))?\s*"
    found = []
    for clause in field.split(","):
        parts = []
        for text in clause.split("|"):
            match = re.fullmatch(pattern, text)
            assert match, text
            parts.append((match[1], match[2] or "", match[3] or "", match[4] or ""))
        found.append(tuple(parts))
    return tuple(found)


_HOLDS = {
    "": lambda order: True,
    "=": lambda order: order == 0,
    ">=": lambda order: order >= 0,
    "<=": lambda order: order <= 0,
    ">>": lambda order: order > 0,
    "<<": lambda order: order < 0,
}


def _assert_whole(archive: Archive, there: dict[str, str], request: tuple[str, ...]) -> None:
    """Every dependency is met and nothing is excluded, read anew from the index's text."""
    offers: dict[str, list[tuple[str, str]]] = {}  # name → (owner, version or "")
    for name, version in there.items():
        offers.setdefault(name, []).append((name, version))
        for clause in _clauses(archive.paragraphs[name, version].get("Provides", "x-none")):
            offers.setdefault(clause[0][0], []).append((name, clause[0][3]))

    def matching(relation: tuple[str, str, str, str]) -> list[str]:
        wanted, qualifier, operator, bound = relation
        if qualifier not in ("", "any", "native", ARCHITECTURE):
            return []  # of another architecture, and everything here is native
        return [
            owner
            for owner, version in offers.get(wanted, ())
            if not operator or (version and _HOLDS[operator](compare(version, bound)))
        ]

    for name, version in there.items():
        fields = archive.paragraphs[name, version]
        for field in ("Pre-Depends", "Depends"):
            if field in fields:
                for clause in _clauses(fields[field]):
                    assert any(map(matching, clause)), f"{request}: {name} lacks {clause}"
        for field in ("Conflicts", "Breaks"):
            if field in fields:
                for clause in _clauses(fields[field]):
                    others = [owner for owner in matching(clause[0]) if owner != name]
                    assert not others, f"{request}: {name} excludes {others}"


def test_base_is_what_apt_installs_for_the_essential_packages(
    archive: Archive, index: PackageIndex
) -> None:
    solution = close(index, ())
    assert {(c.package.name, c.package.version) for c in solution.packages} == archive.base
    assert all(c.base for c in solution.packages)


def test_closures_are_apts(archive: Archive, index: PackageIndex) -> None:
    requests = _sample(archive, REQUESTS, seed=20260301)
    differences = _compare(archive, index, requests)
    assert len(differences) <= 0.01 * len(requests)


def test_what_builds_need_beside_what_runs_is_apts(archive: Archive, index: PackageIndex) -> None:
    runs = ("libgomp1", "python3.11-venv")
    builds = ("cmake", "g++", "gfortran", "libc6-dev", "ninja-build", "python3.11-dev")
    there = [f"{c.package.name}={c.package.version}" for c in close(index, runs).packages]
    both = close(index, builds, base=there)
    assert [f"{c.package.name}={c.package.version}" for c in both.packages if c.base] == there
    added = {(c.package.name, c.package.version) for c in both.packages}
    assert added - archive.base == archive.apt.simulate((*runs, *builds))


def test_what_excludes_one_another_is_refused_as_apt_refuses(
    archive: Archive, index: PackageIndex
) -> None:
    requests = _exclusive_pairs(archive, max(8, REQUESTS // 4), seed=5)
    differences = _compare(archive, index, requests)
    assert len(differences) <= 0.05 * len(requests)


def test_recommends_are_apts(archive: Archive, index: PackageIndex) -> None:
    requests = _sample(archive, len(HEAVY) + max(2, REQUESTS // 10), seed=7)[len(HEAVY) :]
    differences = _compare(archive, index, requests, recommends=True)
    assert len(differences) <= 0.05 * len(requests)


BUILT = max(16, REQUESTS // 12)
BUILDS = {"binary": (), "any": ("--arch-only",), "all": ("--indep-only",)}
_FETCHED = re.compile(r"^'[^']*' ([^_ ]+)_([^_ ]+)_\S+ ", re.M)


def test_build_dependencies_are_apts(archive: Archive, index: PackageIndex) -> None:
    """Random source packages, built whole, for one machine or for all, by ``apt-get build-dep``."""
    sources = _source_paragraphs(archive)
    rng = random.Random(25)
    asked = [(name, rng.choice(sorted(BUILDS))) for name in rng.sample(sorted(sources), BUILT)]
    with ThreadPoolExecutor(2) as pool:
        theirs = list(pool.map(lambda one: _build_dep(archive, *one), asked))
    differences = []
    for (name, kind), expected in zip(asked, theirs, strict=True):
        fields = read_fields(sources[name].encode(), name)
        depends, conflicts = build_relations(fields, kind, ARCHITECTURE, name)
        depends = ", ".join(filter(None, ("build-essential", depends)))
        try:
            found = close_needs(
                index, f"builddeps:{name}", "1", depends=depends, conflicts=conflicts
            )
        except NoSolutionError:
            answer = None
        else:
            answer = {(c.package.name, c.package.version) for c in found.packages if not c.base}
        if answer != expected:
            differences.append(f"{name} ({kind})")
    print(
        f"{len(asked) - len(differences)} of {len(asked)} as apt-get build-dep; not: {differences}"
    )
    assert len(differences) <= 0.01 * len(asked) + 1


def _source_paragraphs(archive: Archive) -> dict[str, str]:
    """Of each source package of bookworm that is there in one version."""
    [path] = (archive.apt.root / "lists").glob("*_bookworm_main_source_Sources")
    found: dict[str, list[str]] = {}
    for text in path.read_text().split("\n\n"):
        if text.strip():
            name = re.search(r"^Package: (.*)$", text, re.M)
            assert name, text
            found.setdefault(name[1], []).append(text)
    security = next((archive.apt.root / "lists").glob("*-security_main_source_Sources")).read_text()
    newer = set(re.findall(r"^Package: (.*)$", security, re.M))
    return {
        name: texts[0] for name, texts in found.items() if len(texts) == 1 and name not in newer
    }


def _build_dep(archive: Archive, name: str, kind: str) -> set[tuple[str, str]] | None:
    done = archive.apt.run(
        *("apt-get", "-q", "--print-uris", "-o", "Debug::NoLocking=true"),
        *("--no-install-recommends", *BUILDS[kind], "build-dep", name),
    )
    if done.returncode:
        assert done.returncode == 100, done.stderr
        return None
    return {(package, unquote(version)) for package, version in _FETCHED.findall(done.stdout)}


def test_another_suite_agrees_too(second: Archive) -> None:
    requests = _sample(second, max(12, REQUESTS // 3), seed=11)
    with second.index() as index:
        differences = _compare(second, index, requests)
    assert len(differences) <= 0.01 * len(requests)


@pytest.mark.parametrize("case", CASES, ids=[case.label for case in CASES])
def test_apt_answers_the_made_up_cases_as_the_unit_tests_expect(case: Case, tmp_path: Path) -> None:
    apt = AptRoot(tmp_path / "apt")
    apt.use_text(*case.files)
    apt.update()
    answer = apt.simulate(case.request)
    assert (None if answer is None else " ".join(sorted(n for n, _ in answer))) == case.expected


def test_order_of_the_request_does_not_matter(index: PackageIndex) -> None:
    names = ["octave", "postgresql", "ffmpeg", "php-cli"]
    assert close(index, names) == close(index, names[::-1]) == close(index, [*names, "ffmpeg"])


def test_versions_are_ordered_as_dpkg_orders_them(archive: Archive) -> None:
    rng = random.Random(3)
    versions = sorted({version for _, version in archive.paragraphs})
    pairs = [(rng.choice(versions), rng.choice(versions)) for _ in range(150)]
    # Neighbours in a long list of look-alikes are where an order goes wrong.
    pieces = ("1", "0", "~", "+", "-", ".", "a", "Z", "9", "00", "10", "~~", "b1")
    for _ in range(250):
        epoch = rng.choice(("", "", "0:", "1:"))
        left, right = ("1" + "".join(rng.choices(pieces, k=4)) + "0" for _ in range(2))
        pairs.append((epoch + left, right))
    assert _dpkg(pairs) == [compare(left, right) for left, right in pairs]


def _dpkg(pairs: list[tuple[str, str]]) -> list[int]:
    # One shell for all: a process for each comparison would take minutes.
    program = (
        'while [ $# -gt 0 ]; do if dpkg --compare-versions "$1" lt "$2" 2>/dev/null; then echo -1;'
        ' elif dpkg --compare-versions "$1" eq "$2" 2>/dev/null; then echo 0; else echo 1; fi;'
        " shift 2; done"
    )
    flat = [version for pair in pairs for version in pair]
    done = subprocess.run(
        ["sh", "-c", program, "sh", *flat], capture_output=True, text=True, check=True
    )
    return [int(line) for line in done.stdout.split()]
