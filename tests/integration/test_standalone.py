"""Pythons that stand alone: the builds that the real uv knows, a mirror of them on loopback."""

from __future__ import annotations

import hashlib
import json
import platform
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.builds import SIZE, BuildsMirror
from support.index import LoopbackIndex
from support.project import PYTHON, Project, errors_in

from envlock.io.tools import find_uv
from envlock.lock import codec
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.resolve.standalone import PUBLISHER

AS_OF = "2025-08-01"
NEWEST_THEN = ("3.13.5", "20250723")
"""The newest 3.13 that was built before, and its build: no uv will ever know another one."""


@pytest.fixture
def mirror() -> Iterator[BuildsMirror]:
    with BuildsMirror() as running:
        yield running


@pytest.fixture
def asking(project: Project, index: LoopbackIndex, mirror: BuildsMirror) -> Project:
    """A project for CPython 3.13 that wants it from an archive."""
    project.variables["UV_PYTHON_INSTALL_MIRROR"] = mirror.root
    return ask(project)


def ask(project: Project, **settings: object) -> Project:
    chosen = {"targets": ["linux/amd64"], "python": "3.13", "interpreter": "standalone"}
    return project.write(settings=chosen | settings)


def built(lock: Lock) -> list[tuple[str, str, str]]:
    return [(b.target.key, b.version, b.build) for b in lock.standalone]


def expected_by_uv(url: str, folder: Path, key: str) -> str:
    """The digest that uv has for a build, said when it is given another archive by the mirror."""
    archive = folder / url.removeprefix(f"{PUBLISHER}/").replace("%2B", "+")
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as tar:
        tar.addfile(tarfile.TarInfo("python/wrong"))
    argv = [str(find_uv()), "python", "install", "--no-config", "--no-bin", "--color=never"]
    argv += ["--mirror", folder.as_uri(), "--install-dir", str(folder / "pythons"), key]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    digests = re.findall(r"\b[0-9a-f]{64}\b", done.stderr)
    assert len(digests) == 2, done.stderr
    digests.remove(hashlib.sha256(archive.read_bytes()).hexdigest())
    return str(digests[0])


def test_the_newest_build_of_the_date_is_locked(asking: Project, tmp_path: Path) -> None:
    lock = asking.lock(as_of=AS_OF)
    [build] = lock.standalone
    assert (build.version, build.build, build.size) == (*NEWEST_THEN, SIZE)
    name = "cpython-3.13.5%2B20250723-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
    assert build.url == f"{PUBLISHER}/20250723/{name}"
    key = "cpython-3.13.5-linux-x86_64-gnu"
    assert build.sha256 == expected_by_uv(build.url, tmp_path / "mirror", key)
    # What the publisher says of it, too.
    assert build.sha256.startswith("f7ac16748be2674e")
    text = asking.lock_path.read_text()
    assert 'provider = "python-build-standalone 3.13.5+20250723"' in text
    assert "127.0.0.1" not in text, "the mirror is the machine's business"


def test_every_platform_has_its_own_archive(asking: Project) -> None:
    names = ["linux/amd64", "linux/arm64", "macos/amd64", "macos/arm64"]
    names += ["windows/amd64", "windows/arm64"]
    ask(asking, targets=[*names, "linux/amd64@3.9.5", "linux/arm64@3.12"])
    lock = asking.lock(as_of=AS_OF)
    assert built(lock) == sorted(
        [(f"{name}@3.13", *NEWEST_THEN) for name in names]
        # An old build, packed with zstd.
        + [("linux/amd64@3.9.5", "3.9.5", "20210506")]
        + [("linux/arm64@3.12", "3.12.10", "20250529")]
    )
    assert len({build.sha256 for build in lock.standalone}) == 8
    for build in lock.standalone:
        system = build.target.platform.partition("/")[0]
        assert {"macos": "apple-darwin"}.get(system, system) in build.url
        assert "freethreaded" not in build.url
        assert "musl" not in build.url


def test_the_date_decides_and_a_build_of_that_day_is_not_seen(asking: Project) -> None:
    assert built(asking.lock(as_of="2025-07-24")) == [("linux/amd64@3.13", *NEWEST_THEN)]
    before = asking.lock(as_of="2025-07-23T23:59:59Z")
    assert built(before) == [("linux/amd64@3.13", "3.13.4", "20250610")]
    said = asking.refused(code=2, as_of="2024-10-16")
    assert errors_in(said) == 1
    assert "no CPython 3.13 for linux/amd64 from before 2024-10-16" in said
    assert "3.13.0 of 2024-10-16" in said
    ask(asking, python="3.99")
    assert "no CPython 3.99 for linux/amd64" in asking.refused(code=2, as_of=AS_OF)


def test_the_hash_has_the_archive_and_nothing_of_where_it_is(asking: Project) -> None:
    first = asking.lock(as_of=AS_OF)
    other = asking.lock(as_of="2025-07-01")
    assert environment_hash(first).root != environment_hash(other).root
    ask(asking, interpreter="base-image")
    plain = asking.lock(as_of=AS_OF)
    assert plain.standalone == ()
    assert environment_hash(plain).root != environment_hash(first).root
    shown = asking.json("hash")["digests"]["python"]
    assert shown == environment_hash(plain).python


def test_twice_gives_the_same_bytes_and_asks_nobody_again(
    asking: Project, mirror: BuildsMirror, index: LoopbackIndex
) -> None:
    asking.lock(as_of=AS_OF)
    before = asking.lock_path.read_bytes()
    asking.lock_path.unlink()
    mirror.forget_requests()
    asking.lock(as_of=AS_OF)
    assert asking.lock_path.read_bytes() == before
    assert mirror.count() == 0, "a size is remembered by its digest"
    # Another wish of the same date keeps the archive, whatever uv knows by now.
    index.add("lib", "1.0", "2024-01-01")
    settings = {"targets": ["linux/amd64"], "python": "3.13", "interpreter": "standalone"}
    asking.write("lib", settings=settings)
    other = asking.lock(as_of=AS_OF, ENVLOCK_CACHE_DIR=str(asking.root / "another-cache"))
    assert built(other) == [("linux/amd64@3.13", *NEWEST_THEN)]
    assert mirror.count() == 0


@pytest.mark.parametrize("kind", ["503", "cut"])
def test_nobody_there_is_a_failure_with_the_way_out(
    asking: Project, mirror: BuildsMirror, kind: str
) -> None:
    mirror.fail("*", kind)  # type: ignore[arg-type]
    said = asking.refused(
        code=3, as_of=AS_OF, ENVLOCK_HTTP_RETRIES="0", https_proxy=mirror.base, no_proxy="127.0.0.1"
    )
    assert errors_in(said) == 1
    assert f"{mirror.root}/20250723/" in said
    assert PUBLISHER in said
    assert "UV_PYTHON_INSTALL_MIRROR" in said
    mirror.heal()
    assert built(asking.lock(as_of=AS_OF)) == [("linux/amd64@3.13", *NEWEST_THEN)]


def test_a_uv_that_does_not_say_the_digest_is_a_failure(asking: Project, tmp_path: Path) -> None:
    # A uv of another day: it lists its builds as ever, and installs without a word.
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "uv"
    real = find_uv()
    script.write_text(
        f'#!/bin/sh\nif [ "$1 $2" = "python install" ]; then exit 0; fi\nexec {real} "$@"\n'
    )
    script.chmod(0o755)
    asking.variables["PYTHONPATH"] = str(tmp_path / "site")
    (tmp_path / "site/uv").mkdir(parents=True)
    (tmp_path / "site/uv/__init__.py").write_text(
        f"def find_uv_bin():\n    return {str(script)!r}\n"
    )
    said = asking.refused(code=3, as_of=AS_OF)
    assert errors_in(said) == 1
    assert "does not say the digest of cpython-3.13.5-linux-x86_64-gnu" in said


def test_check_and_diff_know_it(asking: Project, tmp_path: Path) -> None:
    version = platform.python_version()
    ask(asking, python=PYTHON)
    # A date at which another patch release was the newest one.
    [build] = asking.lock(as_of="2026-01-01").standalone
    if build.version == version:
        [build] = asking.lock(as_of="2025-05-01").standalone
    assert build.version != version
    done = asking.run("check", "--python", sys.executable, "--python-only", "--json")
    assert done.returncode == 1
    [drift] = [d for d in json.loads(done.stdout)["drift"] if d["code"] == "PY004"]
    assert (drift["expected"], drift["found"]) == (f"CPython {build.version}", f"CPython {version}")
    said = asking.run("sync", "--python", sys.executable, "--dry-run")
    assert said.returncode == 2
    assert f"uv python install {build.version}" in said.stderr
    asking.lock_path.rename(tmp_path / "before.toml")
    ask(asking, python=PYTHON, interpreter="base-image")
    asking.lock(as_of="2026-01-01")
    shown = asking.run("diff", str(tmp_path / "before.toml"), "pylock.toml").stdout
    assert f"~ linux/amd64@{PYTHON} python from {build} sha256:{build.sha256} → base-image" in shown
    outcome = asking.json("lock", "--dry-run", "--refresh")
    assert outcome["interpreters"] == [
        {"provider": "base-image", "target": f"linux/amd64@{PYTHON}"}
    ]


def test_fetch_brings_it_from_the_mirror_and_no_other_bytes(
    asking: Project, mirror: BuildsMirror
) -> None:
    lock = asking.lock(as_of=AS_OF)
    done = asking.run("fetch")
    assert done.returncode == 4
    assert "linux/amd64 python-build-standalone 3.13.5+20250723" in done.stderr
    # A lock of what the mirror has.
    [build] = lock.standalone
    served = replace(build, sha256=hashlib.sha256(bytes(SIZE)).hexdigest())
    asking.lock_path.write_text(codec.dump(replace(lock, standalone=(served,))))
    mirror.forget_requests()
    [row] = asking.json("fetch")["files"]
    assert (row["name"], row["version"]) == ("cpython", "3.13.5+20250723")
    assert (row["layer"], row["architecture"], row["size"]) == ("python", None, SIZE)
    assert row["file"] == build.url.rpartition("/")[2].replace("%2B", "+")
    assert Path(row["path"]).read_bytes() == bytes(SIZE)
    assert mirror.count("/builds/20250723/*", "GET") == 1
