"""The requirements form: every file with its hash, sorted, the same bytes for the same lock.

The oracle is packaging's requirement grammar; real pip and uv install from it in
tests/integration/test_sync.py.
"""

from __future__ import annotations

import dataclasses
import re

import pytest
from hypothesis import given
from packaging.requirements import Requirement
from support import samples
from support.samples import LINUX, MACOS, digest, package, sdist, small_lock, wheel
from support.strategies import locks, shuffled

from envlock.errors import UsageError
from envlock.export.requirements import FILE, RequirementsExporter
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Artifact, Directory, PythonPackage, Vcs
from envlock.lock.target import Target


def export(lock: Lock, target: Target | None = None) -> str:
    files = RequirementsExporter().export(lock, target)
    assert list(files) == [FILE]
    return files[FILE].decode()


def entries(text: str) -> list[tuple[str, list[str]]]:
    """Requirement text and hashes of each entry, read back as pip does: lines that end in ``\\``
    go on."""
    joined = re.sub(r"\\\n", " ", text)
    lines = [line for line in joined.splitlines() if line and not line.startswith(("#", "--"))]
    return [
        (line.split(" --hash=")[0].strip(), re.findall(r"--hash=sha256:([0-9a-f]{64})", line))
        for line in lines
    ]


def test_the_whole_text() -> None:
    lock = small_lock(
        dataclasses.replace(
            package("bb", marker="python_version < '3.12'"),
            wheels=(wheel("bb", "1.0", "2"),),
            sdist=sdist("bb", "1.0", "1"),
        ),
        package("aa"),
    )
    assert export(lock) == (
        "# Made by envlock from pylock.toml; make it again with `envlock export requirements`.\n"
        f"# Environment: {environment_hash(lock).root}\n"
        "# As of: 2024-06-01T00:00:00Z\n"
        "# For: linux/amd64@3.11\n"
        "# Files from: https://index.example.org/simple (any index that has them will do)\n"
        "# Install: pip install --require-hashes --no-deps -r requirements.txt\n"
        "aa==1.0 \\\n"
        f"    --hash=sha256:{'a' * 64}\n"
        "bb==1.0 ; python_version < '3.12' \\\n"
        f"    --hash=sha256:{'1' * 64} \\\n"
        f"    --hash=sha256:{'2' * 64}\n"
    )


def test_for_one_target_markers_are_decided() -> None:
    lock = dataclasses.replace(
        small_lock(
            package("aa", marker="sys_platform == 'linux'"),
            package("bb", marker="sys_platform == 'darwin'"),
        ),
        targets=(LINUX, MACOS),
    )
    assert [line for line, _ in entries(export(lock, LINUX))] == ["aa==1.0"]
    assert [line for line, _ in entries(export(lock, MACOS))] == ["bb==1.0"]
    assert "# For: macos/arm64@3.12.4\n" in export(lock, MACOS)


def test_archives_stand_by_their_address_or_path() -> None:
    by_url = PythonPackage(
        name="aa",
        version="1",
        marker="sys_platform == 'linux'",
        archive=Archive(
            url="https://example.org/aa-1.zip", sha256=digest("a"), subdirectory="inner"
        ),
    )
    by_path = PythonPackage(
        name="bb", archive=Archive(path="wheels/bb 1.0-py3.whl", sha256=digest("b"))
    )
    assert entries(export(small_lock(by_url, by_path))) == [
        (
            "aa @ https://example.org/aa-1.zip#subdirectory=inner ; sys_platform == 'linux'",
            [digest("a")],
        ),
        ("./wheels/bb%201.0-py3.whl", [digest("b")]),
    ]


def test_files_on_disk_are_found_by_find_links() -> None:
    local = PythonPackage(
        name="aa",
        version="1.0",
        wheels=(Artifact(name="aa.whl", path="wheels/aa.whl", sha256=digest("a")),),
        sdist=Artifact(name="aa.tar.gz", path="aa.tar.gz", sha256=digest("b")),
    )
    text = export(small_lock(local))
    assert "\n--find-links .\n--find-links ./wheels\naa==1.0 \\\n" in text


@pytest.mark.parametrize(
    ("entry", "why"),
    [
        (
            PythonPackage(
                name="aa", vcs=Vcs(kind="git", url="https://example.org/aa", commit="c" * 40)
            ),
            "aa comes from git",
        ),
        (PythonPackage(name="aa", directory=Directory(path="libs/aa")), "source folder 'libs/aa'"),
        (
            PythonPackage(
                name="aa",
                archive=Archive(path="aa.zip", sha256=digest("a"), subdirectory="inner"),
            ),
            "subdirectory of the local file 'aa.zip'",
        ),
    ],
)
def test_what_pip_cannot_check_is_refused_and_never_left_out(
    entry: PythonPackage, why: str
) -> None:
    with pytest.raises(UsageError, match=re.escape(why)) as caught:
        export(small_lock(package("zz"), entry))
    assert caught.value.remedy is not None
    assert "uv pip sync pylock.toml" in caught.value.remedy


@pytest.mark.parametrize(
    "evil",
    ["x\n--index-url https://example.org", "x\r-e .", "x\u2028y", "x #y", "x --hash=0", "${HOME}"],
)
def test_no_value_becomes_a_line_of_its_own(evil: str) -> None:
    plain = package("aa")
    url = Archive(url=f"https://example.org/{evil}", sha256=digest("a"))
    file = Artifact(name="aa.whl", path=f"{evil}/aa.whl", sha256=digest("a"))
    forged = [
        dataclasses.replace(plain, marker=f"sys_platform == '{evil}'"),
        PythonPackage(name="aa", archive=url),
        dataclasses.replace(plain, wheels=(file,)),
    ]
    if "\n" in evil:
        forged.append(dataclasses.replace(plain, index=f"https://example.org/{evil}"))
    for entry in forged:
        with pytest.raises(UsageError):
            export(small_lock(entry))


def installable(lock: Lock) -> Lock:
    """The lock with only what comes from an index, at addresses that hold nothing odd."""

    def moved(file: Artifact) -> Artifact:
        return dataclasses.replace(file, url=f"https://example.org/{file.sha256}", path=None)

    kept = tuple(
        dataclasses.replace(
            p,
            index=samples.INDEX,
            wheels=tuple(moved(w) for w in p.wheels),
            sdist=None if p.sdist is None else moved(p.sdist),
        )
        for p in lock.packages
        if p.index is not None
    )
    return dataclasses.replace(lock, packages=kept)


@given(lock=locks())
def test_every_package_and_every_digest_is_there_and_nothing_else(lock: Lock) -> None:
    lock = installable(lock)
    expected = [
        (p.name, p.version, p.marker, sorted({f.sha256 for f in p.files}))
        for p in sorted(lock.packages, key=lambda p: p.sort_key)
    ]
    found = []
    for line, hashes in entries(export(lock)):
        requirement = Requirement(line)
        [specifier] = requirement.specifier
        assert specifier.operator == "=="
        _, _, marker = line.partition(" ; ")
        found.append((requirement.name, specifier.version, marker or None, hashes))
    assert found == expected


@given(lock=locks().flatmap(lambda lock: shuffled(lock).map(lambda other: (lock, other))))
def test_order_in_the_lock_is_no_matter(lock: tuple[Lock, Lock]) -> None:
    first, second = lock
    assert export(installable(first)) == export(installable(second))
