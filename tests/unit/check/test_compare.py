"""Every kind of drift is found and named with its code; where there is none, none is told."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from support import samples
from support.samples import LINUX, digest, package, small_lock
from support.strategies import locks

from envlock.check.compare import compare, compare_request, fits_python
from envlock.check.drift import MEANINGS, Code, Drift, Layer
from envlock.check.python.observe import DirectUrl, Distribution, Observed
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Directory, PythonPackage, Vcs
from envlock.lock.provider import locked_python
from envlock.lock.request import Wish
from envlock.lock.selection import wanted_packages
from envlock.lock.target import Target

ROOT = Path("/projects/here")


def installed(
    name: str, version: str | None = "1.0", url: DirectUrl | None = None, problem: str | None = None
) -> Distribution:
    path = Path(f"/env/{name}-{version}.dist-info")
    return Distribution(name=name, version=version, path=path, direct_url=url, problem=problem)


def environment(
    *distributions: Distribution, version: str = "3.11.7", implementation: str = "cpython"
) -> Observed:
    return Observed(
        prefix=Path("/env"),
        version=version,
        implementation=implementation,
        distributions=distributions,
    )


def told(found: Iterable[Drift]) -> list[tuple[str, str, str | None, str | None]]:
    return [(d.code, d.subject, d.expected, d.found) for d in found]


def as_installed(entry: PythonPackage, root: Path = ROOT) -> Distribution:
    """What a faithful installer leaves of a locked package."""
    url = None
    if entry.vcs is not None:
        url = DirectUrl(kind="vcs", url=entry.vcs.url, commit=entry.vcs.commit)
    elif entry.archive is not None:
        place = entry.archive.url or (root / str(entry.archive.path)).as_uri()
        url = DirectUrl(kind="archive", url=place, sha256=entry.archive.sha256)
    elif entry.directory is not None:
        place = (root / entry.directory.path).as_uri()
        url = DirectUrl(kind="directory", url=place, editable=entry.directory.editable)
    return installed(entry.name, entry.version or "0.1", url)


def full_version(lock: Lock, target: Target) -> str:
    """A CPython that the lock takes for the target."""
    python = locked_python(lock, target)
    return python if python.count(".") == 2 else f"{python}.5"


@given(lock=locks())
def test_what_the_lock_says_is_no_drift(lock: Lock) -> None:
    for target in lock.targets:
        full = full_version(lock, target)
        wanted = {p.name: p for p in wanted_packages(lock, target, full)}
        there = environment(*(as_installed(p) for p in wanted.values()), version=full)
        assert compare(lock, target, there, root=ROOT) == ()


@given(lock=locks())
def test_an_empty_environment_misses_everything_that_is_wanted(lock: Lock) -> None:
    target = lock.targets[0]
    full = full_version(lock, target)
    found = compare(lock, target, environment(version=full))
    assert {d.subject for d in found} == {p.name for p in wanted_packages(lock, target, full)}
    assert {d.code for d in found} <= {Code.MISSING}


def test_missing_extra_and_other_version_most_important_first() -> None:
    lock = small_lock(package("aa"), package("bb"), package("cc"))
    there = environment(installed("bb", "2.0"), installed("cc"), installed("zz", "9"))
    assert told(compare(lock, LINUX, there)) == [
        ("PY001", "aa", "1.0", None),
        ("PY003", "bb", "1.0", "2.0"),
        ("PY002", "zz", None, "9"),
    ]


@pytest.mark.parametrize("seed", ["pip", "setuptools", "uv", "wheel"])
def test_what_tools_seed_is_no_drift_unless_it_is_locked(seed: str) -> None:
    there = environment(installed(seed, "25.0"))
    assert compare(small_lock(), LINUX, there) == ()
    [found] = compare(small_lock(package(seed, "26.0")), LINUX, there)
    assert (found.code, found.expected, found.found) == (Code.OTHER_VERSION, "26.0", "25.0")


@pytest.mark.parametrize(
    ("locked", "there", "same"),
    [
        ("1.0", "1.0.0", True),
        ("1.0", "1.0+cpu", False),
        ("1.0rc1", "1.0.RC1", True),
        ("1.0", "1.1", False),
        ("2004d", "2004d", True),
        ("1.0", "not a version", False),
    ],
)
def test_versions_are_compared_as_versions(locked: str, there: str, *, same: bool) -> None:
    lock = small_lock(dataclasses.replace(package("aa"), version=locked))
    assert (compare(lock, LINUX, environment(installed("aa", there))) == ()) is same


@pytest.mark.parametrize(
    ("version", "implementation", "found"),
    [("3.12.1", "cpython", "CPython 3.12.1"), ("3.11.7", "pypy", "PyPy 3.11.7")],
)
def test_another_interpreter_is_named(version: str, implementation: str, found: str) -> None:
    there = environment(installed("aa"), version=version, implementation=implementation)
    assert told(compare(small_lock(package("aa")), LINUX, there)) == [
        ("PY004", "python", "CPython 3.11", found)
    ]


def test_a_fixed_patch_must_be_that_patch() -> None:
    assert fits_python("3.11.7", environment(version="3.11.7"))
    assert not fits_python("3.11.7", environment(version="3.11.8"))
    assert fits_python("3.11", environment(version="3.11.8"))


def test_markers_are_judged_on_the_interpreter_that_is_there() -> None:
    lock = small_lock(
        package("old", marker="python_full_version < '3.11.5'"),
        package("new", marker="python_full_version >= '3.11.5'"),
        package("dev", marker="'dev' in dependency_groups"),
        package("mac", marker="sys_platform == 'darwin'"),
    )
    assert compare(lock, LINUX, environment(installed("new"), version="3.11.5")) == ()
    assert compare(lock, LINUX, environment(installed("old"), version="3.11.4")) == ()
    with_group = dataclasses.replace(
        lock, request=dataclasses.replace(lock.request, groups=("dev",))
    )
    [found] = compare(with_group, LINUX, environment(installed("new"), version="3.11.5"))
    assert (found.code, found.subject) == (Code.MISSING, "dev")


VCS = PythonPackage(name="aa", vcs=Vcs(kind="git", url="https://example.org/aa", commit="c" * 40))
ARCHIVE = PythonPackage(
    name="aa", archive=Archive(url="https://example.org/aa-1.0.tar.gz", sha256=digest("a"))
)
FOLDER = PythonPackage(name="aa", directory=Directory(path="libs/aa"))
EDITABLE = PythonPackage(name="aa", directory=Directory(path="libs/aa", editable=True))
HERE = (ROOT / "libs/aa").as_uri()


@pytest.mark.parametrize(
    ("entry", "url", "same"),
    [
        (VCS, DirectUrl(kind="vcs", url="https://example.org/aa", commit="c" * 40), True),
        (VCS, DirectUrl(kind="vcs", url="https://mirror.example.org/aa", commit="c" * 40), True),
        (VCS, DirectUrl(kind="vcs", url="https://example.org/aa", commit="d" * 40), False),
        (VCS, None, False),
        (
            ARCHIVE,
            DirectUrl(kind="archive", url="https://example.org/x", sha256=digest("a")),
            True,
        ),
        (ARCHIVE, DirectUrl(kind="archive", url=ARCHIVE.archive.url, sha256=digest("b")), False),
        # uv writes no digest: the file's name has to do.
        (ARCHIVE, DirectUrl(kind="archive", url="https://example.org/aa-1.0.tar.gz"), True),
        (ARCHIVE, DirectUrl(kind="archive", url="https://example.org/aa-1.1.tar.gz"), False),
        (ARCHIVE, None, False),
        (FOLDER, DirectUrl(kind="directory", url=HERE), True),
        (FOLDER, DirectUrl(kind="directory", url=HERE, editable=True), False),
        (FOLDER, DirectUrl(kind="directory", url="file:///elsewhere/aa"), False),
        (FOLDER, None, False),
        (EDITABLE, DirectUrl(kind="directory", url=HERE, editable=True), True),
        (EDITABLE, DirectUrl(kind="directory", url=HERE), False),
        (package("aa"), None, True),
        (package("aa"), DirectUrl(kind="directory", url=HERE), False),
        (package("aa"), DirectUrl(kind="vcs", url="x", commit="c" * 40), False),
        (package("aa"), DirectUrl(kind="archive", url="x", sha256=digest("a")), True),
        (package("aa"), DirectUrl(kind="archive", url="x", sha256=digest("f")), False),
        (package("aa"), DirectUrl(kind="archive", url="x"), False),
    ],
)
def test_another_source_is_another_package(
    entry: PythonPackage, url: DirectUrl | None, *, same: bool
) -> None:
    found = compare(small_lock(entry), LINUX, environment(installed("aa", url=url)), root=ROOT)
    assert [d.code for d in found] == ([] if same else [Code.OTHER_SOURCE])
    if found:
        assert found[0].expected
        assert found[0].found
        assert found[0].expected != found[0].found


def test_a_folder_reached_by_a_link_is_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "real" / "aa").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "real")
    lock = small_lock(PythonPackage(name="aa", directory=Directory(path="aa")))
    url = DirectUrl(kind="directory", url=(tmp_path / "real" / "aa").as_uri())
    there = environment(installed("aa", url=url))
    assert compare(lock, LINUX, there, root=tmp_path / "link") == ()


def test_broken_metadata_is_told_once_and_not_as_missing() -> None:
    lock = small_lock(package("aa"))
    there = environment(installed("aa", None, problem="METADATA: no such file"))
    [found] = compare(lock, LINUX, there)
    assert found.code is Code.BROKEN_METADATA
    assert found.found is not None
    assert "no such file" in found.found


def test_an_unlocked_broken_package_is_told_too() -> None:
    [found] = compare(small_lock(), LINUX, environment(installed("~ip", None, problem="left")))
    assert (found.code, found.subject) == (Code.BROKEN_METADATA, "~ip")


def test_one_package_twice() -> None:
    there = environment(installed("aa", "1.0"), installed("aa", "0.9"))
    [found] = compare(small_lock(package("aa")), LINUX, there)
    assert (found.code, found.found) == (Code.DUPLICATE, "aa-0.9.dist-info, aa-1.0.dist-info")


def test_the_request_is_compared_field_by_field() -> None:
    lock = small_lock(wishes=("aa>=1", "bb"))
    request = dataclasses.replace(lock.request, wishes=(Wish(text="aa>=1"), Wish(text="cc")))
    assert compare_request(lock.request, lock) == ()
    assert told(compare_request(request, lock)) == [
        ("RQ001", "requirements", None, "cc"),
        ("RQ001", "requirements", "bb", None),
    ]


def test_every_code_has_a_meaning_and_says_its_layer() -> None:
    prefixes = {Layer.REQUEST: "RQ", Layer.PYTHON: "PY", Layer.OS: "OS", Layer.NIX: "NX"}
    prefixes |= {Layer.IMAGE: "IM", Layer.INDEX: "IX", Layer.ADVISORIES: "AD"}
    prefixes[Layer.EXPORTS] = "EX"
    assert set(MEANINGS) == set(Code)
    assert all(code.value.startswith(prefixes[m.layer]) for code, m in MEANINGS.items())
    assert len({m.name for m in MEANINGS.values()}) == len(Code)


def test_the_whole_sample_agrees_with_itself() -> None:
    lock = samples.full_lock()
    wanted = wanted_packages(lock, LINUX, "3.11.9")
    there = environment(*(as_installed(p) for p in wanted), version="3.11.9")
    assert compare(lock, LINUX, there, root=ROOT) == ()


@pytest.mark.parametrize(("path", "codes"), [("\0", []), ("lib", [Code.OTHER_SOURCE])])
def test_a_folder_that_no_file_can_be_called_is_compared_as_text(
    path: str, codes: list[Code]
) -> None:
    entry = PythonPackage(name="aa", directory=Directory(path=path))
    url = DirectUrl(kind="directory", url=(ROOT / "\0").as_uri(), editable=False)
    there = environment(installed("aa", "0.1", url))
    assert [d.code for d in compare(small_lock(entry), LINUX, there, root=ROOT)] == codes


def test_an_archive_of_python_fixes_the_patch() -> None:
    lock = dataclasses.replace(small_lock(), standalone=(samples.standalone(LINUX, "3.11.9"),))
    assert compare(lock, LINUX, environment(version="3.11.9")) == ()
    assert told(compare(lock, LINUX, environment(version="3.11.7"))) == [
        ("PY004", "python", "CPython 3.11.9", "CPython 3.11.7")
    ]
