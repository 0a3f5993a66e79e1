"""What the codec writes is a pylock.toml that real uv and real pip install from, and check.

The locks are put together here, without any resolver; their files lie on the loopback index.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.packages import make_wheel, source_tree
from support.pages import StoredFile
from support.samples import AS_OF, LINUX, WINDOWS
from support.tools import PIP, UV, run

from envlock.lock import codec
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Artifact, Directory, PythonPackage, Repair, Vcs
from envlock.lock.request import Request, Wish
from envlock.lock.target import PLATFORMS, Target

[HERE] = (
    Target(platform=name, python=".".join(platform.python_version_tuple()[:2]))
    for name, known in PLATFORMS.items()
    if (known.platform_system, known.platform_machine) == (platform.system(), platform.machine())
)


def artifact(index: LoopbackIndex, file: StoredFile) -> Artifact:
    return Artifact(
        name=file.name,
        url=index.file_url(file),
        sha256=file.sha256,
        size=len(file.content),
        upload_time=file.uploaded,
    )


def from_index(
    index: LoopbackIndex, *files: StoredFile, marker: str | None = None
) -> PythonPackage:
    found = [artifact(index, file) for file in files]
    return PythonPackage(
        name=files[0].project,
        version=files[0].version,
        marker=marker,
        index=index.url,
        wheels=tuple(f for f in found if f.name.endswith(".whl")),
        sdist=next((f for f in found if f.name.endswith(".tar.gz")), None),
    )


def lock_of(*packages: PythonPackage, targets: tuple[Target, ...] = (HERE,)) -> Lock:
    request = Request(
        wishes=(Wish(text="odd; os_name != '\u2028é'"),),
        targets=targets,
        extras=("plot",),
        groups=("dev", "lint"),
    )
    return Lock(
        as_of=AS_OF,
        engine="uv",
        request=request,
        targets=targets,
        packages=packages,
        built=("dynamic==1.0",),
        repairs=(Repair(subject="x==1", found="a\n[[packages]]", used="\x00\u202e\U0001f40d"),),
    )


Install = Callable[[Path, Path], list[str]]


def with_uv(lock: Path, into: Path) -> list[str]:
    return [UV, "pip", "sync", "--no-config", "--target", str(into), str(lock)]


def with_pip(lock: Path, into: Path) -> list[str]:
    return [*PIP, "install", "--no-deps", "--target", str(into), "-r", str(lock)]


both = pytest.mark.parametrize("install", [with_uv, with_pip])


def installed(folder: Path) -> set[str]:
    return {p.name.removesuffix(".dist-info") for p in folder.glob("*.dist-info")}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def written(tmp_path: Path) -> Callable[[Lock], Path]:
    """Writes a lock as ``pylock.toml``."""

    def write(lock: Lock) -> Path:
        path = tmp_path / "pylock.toml"
        path.write_text(codec.dump(lock), encoding="utf-8")
        return path

    return write


@both
def test_wheels_and_sdists_are_installed(
    index: LoopbackIndex, written: Callable[[Lock], Path], tmp_path: Path, install: Install
) -> None:
    packages = (
        from_index(
            index,
            index.add("both", "1.0", "2024-01-01"),
            index.add("both", "1.0", "2024-01-01", sdist=True),
        ),
        from_index(index, index.add("dynamic", "1.0", "2024-01-01", sdist=True, dynamic=True)),
        from_index(
            index,
            index.add("native", "1.0", "2024-01-01", tag="cp311-cp311-win_amd64"),
            index.add("native", "1.0", "2024-01-01", tag="py3-none-any"),
        ),
        from_index(
            index, index.add("elsewhere", "1.0", "2024-01-01"), marker="sys_platform == 'beos'"
        ),
    )
    lock = written(lock_of(*packages, targets=(HERE, WINDOWS)))
    run(install(lock, tmp_path / "target"))
    assert installed(tmp_path / "target") == {"both-1.0", "dynamic-1.0", "native-1.0"}
    # What the lock names is all that was fetched: no index page, no other file.
    assert index.count("/simple/*") == 0
    assert index.count("*.metadata") == 0


def tree(folder: Path, name: str) -> Path:
    """A buildable source tree."""
    for path, content in source_tree(name, "1.0").items():
        (folder / name / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / name / path).write_bytes(content)
    return folder / name


@both
def test_archives_are_installed(
    index: LoopbackIndex, written: Callable[[Lock], Path], tmp_path: Path, install: Install
) -> None:
    filename, content = make_wheel("from-url", "1.0")
    url = index.put(f"/direct/{filename}", content)
    local, local_content = make_wheel("from-file", "1.0")
    (tmp_path / local).write_bytes(local_content)
    lock = lock_of(
        PythonPackage(name="from-file", archive=Archive(path=local, sha256=sha256(local_content))),
        PythonPackage(
            name="from-url",
            version="1.0",
            archive=Archive(url=url, sha256=sha256(content), size=len(content)),
        ),
    )
    run(install(written(lock), tmp_path / "target"))
    assert installed(tmp_path / "target") == {"from_file-1.0", "from_url-1.0"}


@both
def test_a_source_tree_is_installed(
    written: Callable[[Lock], Path], tmp_path: Path, install: Install
) -> None:
    tree(tmp_path, "folder")
    lock = lock_of(PythonPackage(name="folder", directory=Directory(path="folder")))
    run(install(written(lock), tmp_path / "target"))
    assert installed(tmp_path / "target") == {"folder-1.0"}


@both
def test_a_repository_is_installed(
    written: Callable[[Lock], Path], tmp_path: Path, install: Install
) -> None:
    repository = tree(tmp_path, "repository")
    who = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    run(["git", "init", "-q"], cwd=repository)
    run(["git", "add", "-A"], cwd=repository)
    run(["git", *who, "commit", "-q", "-m", "x"], cwd=repository)
    commit = run(["git", "rev-parse", "HEAD"], cwd=repository).stdout.strip()
    tree(tmp_path, "repository").joinpath("later").write_text("not in the commit")
    vcs = Vcs(kind="git", url=f"file://{repository}", commit=commit)
    run(install(written(lock_of(PythonPackage(name="repository", vcs=vcs))), tmp_path / "target"))
    assert installed(tmp_path / "target") == {"repository-1.0"}


def test_uv_installs_all_kinds_from_one_lock(
    index: LoopbackIndex, written: Callable[[Lock], Path], tmp_path: Path
) -> None:
    # pip verifies all or nothing: beside files with digests it takes no source tree.
    tree(tmp_path, "folder")
    lock = lock_of(
        PythonPackage(name="folder", directory=Directory(path="folder")),
        from_index(index, index.add("lib", "1.0", "2024-01-01")),
    )
    run(with_uv(written(lock), tmp_path / "target"))
    assert installed(tmp_path / "target") == {"folder-1.0", "lib-1.0"}


@both
def test_a_wrong_digest_is_refused(
    index: LoopbackIndex, written: Callable[[Lock], Path], tmp_path: Path, install: Install
) -> None:
    good = from_index(index, index.add("lib", "1.0", "2024-01-01"))
    [wheel] = good.wheels
    bad = replace(good, wheels=(replace(wheel, sha256="0" * 64),))
    done = run(install(written(lock_of(bad)), tmp_path / "target"), check=False)
    assert done.returncode != 0
    assert "hash" in done.stderr.lower()
    assert installed(tmp_path / "target") == set()


@both
def test_a_lock_for_another_machine_is_refused_or_chosen_by_marker(
    index: LoopbackIndex, written: Callable[[Lock], Path], tmp_path: Path, install: Install
) -> None:
    lib = from_index(index, index.add("lib", "1.0", "2024-01-01"))
    other = next(t for t in (WINDOWS, LINUX) if t.platform != HERE.platform)
    done = run(install(written(lock_of(lib, targets=(other,))), tmp_path / "target"), check=False)
    assert done.returncode != 0
    assert installed(tmp_path / "target") == set()


@both
def test_an_empty_lock_installs_nothing(
    written: Callable[[Lock], Path], tmp_path: Path, install: Install
) -> None:
    argv = install(written(lock_of()), tmp_path / "target")
    if install is with_uv:
        argv.insert(3, "--allow-empty-requirements")
    run(argv)
    assert installed(tmp_path / "target") == set()


def test_dry_runs_tell_the_same(
    index: LoopbackIndex, written: Callable[[Lock], Path], tmp_path: Path
) -> None:
    lock = written(
        lock_of(
            from_index(index, index.add("one", "1.0", "2024-01-01")),
            from_index(index, index.add("two", "2.0", "2024-01-01", sdist=True)),
        )
    )
    by_uv = run([*with_uv(lock, tmp_path / "target"), "--dry-run"]).stderr
    by_pip = run([*PIP, "install", "--dry-run", "--no-deps", "-r", lock]).stdout
    for name, version in (("one", "1.0"), ("two", "2.0")):
        assert f"{name}=={version}" in by_uv
        assert f"{name}-{version}" in by_pip
