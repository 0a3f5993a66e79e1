"""``sources = true``: what building each sdist needs, from a loopback index with small backends."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import signal
import subprocess
import tarfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import tomli
from support.index import LoopbackIndex
from support.packages import tar_gz
from support.project import AS_OF, PYTHON, Project

from envlock.lock.builds import LEGACY_BACKEND, Build, graph_id
from envlock.lock.model import Lock

OLD = "2024-01-01"
LATE = "2024-09-01"
SOURCES = {"sources": True}
HOOK = "def get_requires_for_build_wheel(settings=None):\n    return "


def add_backend(index: LoopbackIndex, version: str, answer: str = "[]", when: str = OLD) -> None:
    """The project ``toyback``, whose hook gives the expression ``answer``."""
    code = f"import os, shutil, socket, sys\n{HOOK}{answer}\n"
    index.add("toyback", version, when, files={"toyback/__init__.py": code})


def add_package(
    index: LoopbackIndex,
    name: str,
    requires: str = '["toyback"]',
    *,
    backend: str = "toyback",
    wheel: bool = True,
    **more: Any,
) -> None:
    """A package with a wheel and an sdist that is built as its pyproject.toml says."""
    system = f'[build-system]\nrequires = {requires}\nbuild-backend = "{backend}"\n'
    project = f'[project]\nname = "{name}"\nversion = "1.0"\n'
    files = {"pyproject.toml": system + project} | more.pop("files", {})
    if wheel:
        index.add(name, "1.0", OLD, **more)
    index.add(name, "1.0", OLD, sdist=True, files=files)


def only_build(lock: Lock, name: str = "thing") -> Build:
    build = lock.build(name, "1.0")
    assert build is not None
    return build


def running(*which: str) -> str:
    """The command lines of processes, as ``ps`` tells them."""
    argv = ["ps", "-ww", "-o", "args", *which]
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def pins(build: Build) -> list[str]:
    return [str(pin) for pin in build.pins]


def test_static_requirements_are_pinned_as_of_the_date(
    project: Project, index: LoopbackIndex
) -> None:
    index.add("helper", "1.0", OLD)
    index.add("helper", "2.0", LATE)
    index.add("toyback", "0.9", OLD, requires=["helper"])
    index.add("toyback", "2.0", LATE)
    for name in ("thing", "other"):
        add_package(index, name)
    project.write("thing", "other", settings=SOURCES)
    lock = project.lock()
    build = only_build(lock)
    assert build.static == ("toyback",)
    assert build.backend == "toyback"
    assert (build.dynamic, build.asked_on) == ((), ())  # this backend has no hook
    assert pins(build) == ["helper==1.0", "toyback==0.9"]
    # Both have the same graph, which stands in the file once, and all files have digests.
    assert lock.builds[0].pins == lock.builds[1].pins
    tool = tomli.loads(project.lock_path.read_text())["tool"]["envlock"]
    assert [graph["id"] for graph in tool["build-graphs"]] == [graph_id(build.pins)]
    listed = {
        file.name: file.sha256 for name in ("helper", "toyback") for file in index.files(name)
    }
    files = [file for package in lock.build_packages for file in package.files]
    assert [file.name for file in files] == [
        "helper-1.0-py3-none-any.whl",
        "toyback-0.9-py3-none-any.whl",
    ]
    for file in files:
        assert file.sha256 == listed[file.name]
        assert file.size
        assert file.upload_time == datetime(2024, 1, 1, tzinfo=UTC)
    assert "2 with build requirements" in project.run("lock").stderr


def test_the_hook_is_asked_with_an_empty_path_and_nothing_of_this_machine(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    cmake = programs / "cmake"
    cmake.write_text("#!/bin/sh\necho cmake version 3.30\n")
    cmake.chmod(0o755)
    for name in ("cmake", "home", "wrong"):
        index.add(name, "1.0", OLD)
    answer = (
        "([] if shutil.which('cmake') else ['cmake'])"
        " + (['home'] if os.listdir(os.path.expanduser('~')) == [] else [])"
        " + (['wrong'] if 'SECRET' in os.environ or os.path.exists('envlock') else [])"
        " + (['wrong'] if not os.path.exists('pyproject.toml') or '' in sys.path else [])"
    )
    add_backend(index, "1.0", answer)
    add_package(index, "thing")
    project.write("thing", settings=SOURCES)
    path = os.pathsep.join([str(programs), os.environ["PATH"]])
    assert shutil.which("cmake", path=path) == str(cmake)
    build = only_build(project.lock(PATH=path, SECRET="x"))
    assert build.dynamic == ("cmake", "home")
    assert build.static == ("toyback",)
    assert [key.partition("@")[2] for key in build.asked_on] == [PYTHON]
    assert pins(build) == ["cmake==1.0", "home==1.0", "toyback==1.0"]
    assert build.programs == ("cmake",)


def test_the_hook_has_no_network_where_the_system_can_take_it_away(
    project: Project, index: LoopbackIndex
) -> None:
    possible = subprocess.run(["unshare", "--map-root-user", "--net", "true"], check=False)
    port = index.base.rpartition(":")[2]
    index.add("connected", "1.0", OLD)
    code = (
        "import socket\n"
        f"{HOOK}[] if socket.socket().connect_ex(('127.0.0.1', {port})) else ['connected']\n"
    )
    index.add("toyback", "1.0", OLD, files={"toyback/__init__.py": code})
    add_package(index, "thing")
    project.write("thing", settings=SOURCES)
    expected = () if possible.returncode == 0 else ("connected",)
    assert only_build(project.lock()).dynamic == expected


def test_without_a_pyproject_it_is_setuptools(project: Project, index: LoopbackIndex) -> None:
    code = (
        "class Legacy:\n"
        "    def get_requires_for_build_wheel(self, settings=None):\n"
        "        return ['wheel']\n"
        "__legacy__ = Legacy()\n"
    )
    index.add("setuptools", "40.0", OLD)
    index.add("setuptools", "60.0", OLD, files={"setuptools/build_meta.py": code})
    index.add("wheel", "0.40", OLD)
    index.add("thing", "1.0", OLD, tag=f"cp{PYTHON.replace('.', '')}-none-any")
    index.add("thing", "1.0", OLD, sdist=True, setup_py="raise SystemExit", files={"a.c": ""})
    project.write("thing", settings=SOURCES)
    build = only_build(project.lock())
    assert build.backend == LEGACY_BACKEND
    assert build.static == ("setuptools>=40.8.0",)
    assert build.dynamic == ("wheel",)
    assert pins(build) == ["setuptools==60.0", "wheel==0.40"]


def test_a_backend_in_the_sdist_needs_nothing(project: Project, index: LoopbackIndex) -> None:
    index.add("thing", "1.0", OLD, sdist=True)
    project.write("thing", settings=SOURCES)
    lock = project.lock()
    build = only_build(lock)
    assert (build.backend, build.backend_path) == ("tiny_backend", ("_backend",))
    assert (build.static, build.dynamic, build.pins) == ((), (), ())
    assert build.asked_on
    assert lock.build_packages == ()


@pytest.mark.parametrize(
    ("generator", "preferred"),
    [
        ("toyback 1.1", ("toyback==1.1",)),
        ("toyback (1.1)", ("toyback==1.1",)),
        ("toyback 0.5", ()),  # the requirement forbids it
        ("toyback 3.0", ()),  # it came later
        ("toyback 1.7", ()),  # its hook fails
        ("something else entirely", ()),
    ],
)
def test_the_version_that_made_the_wheel_is_preferred(
    project: Project, index: LoopbackIndex, generator: str, preferred: tuple[str, ...]
) -> None:
    for version in ("0.5", "1.1", "2.0"):
        add_backend(index, version)
    add_backend(index, "1.7", "1 // 0")
    add_backend(index, "3.0", when=LATE)
    add_package(index, "thing", '["toyback>=1"]', generator=generator)
    project.write("thing", settings=SOURCES)
    build = only_build(project.lock())
    assert build.generator == generator
    assert build.preferred == preferred
    assert pins(build) == list(preferred or ("toyback==2.0",))


def test_a_requirement_that_cannot_be_had_is_named_and_may_be_declined(
    project: Project, index: LoopbackIndex
) -> None:
    add_backend(index, "1.0")
    add_backend(index, "9.0", when=LATE)
    add_package(index, "thing", '["toyback>=9"]')
    add_package(index, "good")
    project.write("thing", "good", settings=SOURCES)
    said = project.refused(code=2)
    assert "build requirements cannot be locked for thing 1.0" in said
    assert "toyback>=9" in said
    assert 'build-exceptions = ["thing"]' in said
    project.write("thing", "good", settings=SOURCES | {"build-exceptions": ["Thing"]})
    lock = project.lock()
    assert [build.package for build in lock.builds] == ["good"]
    assert lock.request.build_exceptions == ("thing",)


def test_static_and_dynamic_requirements_that_exclude_one_another(
    project: Project, index: LoopbackIndex
) -> None:
    add_backend(index, "1.0", "['helper>=2']")
    for version in ("1.0", "2.0"):
        index.add("helper", version, OLD)
    add_package(index, "thing", '["toyback", "helper<2"]')
    project.write("thing", settings=SOURCES)
    said = project.refused(code=2)
    assert "thing 1.0" in said
    assert "helper" in said


def test_backends_that_fail_are_all_named_with_their_last_words(
    project: Project, index: LoopbackIndex
) -> None:
    add_backend(index, "1.0", "sys.exit(os.environ.get('A') or 'pg_config is missing')")
    for name in ("thing", "other"):
        add_package(index, name)
    add_package(index, "broken", backend="nowhere.to.be.found")
    project.write("thing", "other", "broken", settings=SOURCES)
    said = project.refused(code=3)
    assert "broken 1.0, other 1.0, thing 1.0" in said
    assert said.count("pg_config is missing") == 2
    assert "No module named 'nowhere'" in said
    assert 'build-exceptions = ["broken", "other", "thing"]' in said


@pytest.mark.parametrize(
    "system",
    [
        'requires = ["early"]\nbuild-backend = "early"',  # which came later
        'requires = []\nbuild-backend = "toyback"\nbackend-path = "."',  # flit-core 3.0.0
    ],
)
def test_what_only_builds_others_need_not_be_built_where_that_cannot_be(
    project: Project, index: LoopbackIndex, system: str
) -> None:
    add_backend(index, "1.0")
    index.add("early", "1.0", LATE)
    files = {"pyproject.toml": f"[build-system]\n{system}\n"}
    index.add("toyback", "1.0", OLD, sdist=True, files=files)
    add_package(index, "thing")
    project.write("thing", settings=SOURCES)
    done = project.run("lock", "--as-of", AS_OF)
    assert done.returncode == 0, done.stderr
    said = "as of the date it cannot be built, so its wheel is taken to build others: toyback 1.0"
    assert said in done.stderr
    lock = project.read()
    assert [(s.package, s.reason) for s in lock.bootstrap] == [("toyback", "unbuildable")]
    assert [build.package for build in lock.builds] == ["thing"]
    written = project.lock_path.read_bytes()
    project.lock_path.unlink()
    project.lock()
    assert project.lock_path.read_bytes() == written
    # What is installed is never given up by itself.
    project.write("thing", "toyback", settings=SOURCES)
    done = project.run("lock", "--as-of", AS_OF)
    assert done.returncode in (2, 3)
    assert "build requirements cannot be locked for toyback 1.0" in done.stderr


def test_a_backend_that_gives_no_answer_need_not_be_asked(
    project: Project, index: LoopbackIndex
) -> None:
    add_backend(index, "1.0", "sys.exit('pg_config is missing')")
    index.add("helper", "1.0", OLD)
    index.add("helper", "2.0", OLD)
    add_package(index, "thing")
    project.write("thing", settings=SOURCES)
    said = project.refused(code=3)
    assert "[tool.envlock.build-requires]\n        thing = []" in said
    project.write("thing", settings=SOURCES | {"build-requires": {"thing": []}})
    build = only_build(project.lock())
    assert (build.dynamic, build.asked_on) == ((), ())
    assert pins(build) == ["toyback==1.0"]
    project.write("thing", settings=SOURCES | {"build-requires": {"thing": ["helper<2"]}})
    build = only_build(project.lock())
    assert (build.dynamic, build.asked_on) == (("helper<2",), ())
    assert pins(build) == ["helper==1.0", "toyback==1.0"]
    project.write("thing", settings=SOURCES)
    assert "pg_config is missing" in project.refused(code=3)


def test_what_waits_for_itself_by_what_its_backend_answers_is_named(
    project: Project, index: LoopbackIndex
) -> None:
    # uv would build the one to build the other, and wait for ever.
    system = '[build-system]\nrequires = []\nbuild-backend = "own"\nbackend-path = ["."]\n'
    for name, needed in (("egg", "hen"), ("hen", "nest"), ("nest", "egg")):
        files = {"pyproject.toml": system, "own.py": f"{HOOK}{[needed]}\n"}
        index.add(name, "1.0", OLD, sdist=True, files=files)
        files |= {"own.py": f"{HOOK}{['untold-' + needed]}\n"}
        index.add(f"untold-{name}", "1.0", OLD, sdist=True, dynamic=True, files=files)
    add_package(index, "thing", '["egg"]')
    project.write("thing", settings=SOURCES)
    said = project.refused(code=2)
    assert "egg 1.0, hen 1.0, nest 1.0 are built with one another, and there are no whe" in said
    assert 'build-exceptions = ["thing"]' in said
    # What says its requirements only when it is built is built to lock it at all.
    project.write("untold-egg")
    said = project.refused(code=3, ENVLOCK_BUILD_TIMEOUT="4")
    assert "uv did not end within 4 seconds: it builds " in said
    assert "untold-egg 1.0" in said
    assert not project.lock_path.exists()
    assert "ENVLOCK_BUILD_TIMEOUT" in project.refused(code=2, ENVLOCK_BUILD_TIMEOUT="long")


def test_a_hook_that_hangs_is_cut_off_with_all_it_started(
    project: Project, index: LoopbackIndex
) -> None:
    code = (
        "import subprocess, sys, time\n" + HOOK + "[subprocess.call([sys.executable, '-c', LOOP])]"
    )
    loop = "LOOP = 'import time; time.sleep(61)'\n"
    index.add("toyback", "1.0", OLD, files={"toyback/__init__.py": loop + code})
    add_package(index, "thing")
    project.write("thing", settings=SOURCES)
    said = project.refused(code=3, ENVLOCK_HOOK_TIMEOUT="1.5")
    assert "did not answer within 1.5 seconds" in said
    running = subprocess.run(
        ["ps", "-ww", "-eo", "args"], capture_output=True, text=True, check=True
    )
    assert "time.sleep(61)" not in running.stdout
    assert "ENVLOCK_HOOK_TIMEOUT" in project.refused(code=2, ENVLOCK_HOOK_TIMEOUT="soon")


def test_a_signal_ends_it_with_all_that_runs(project: Project, index: LoopbackIndex) -> None:
    code = "import time\n" + HOOK + "[time.sleep(62)]\n"
    index.add("toyback", "1.0", OLD, files={"toyback/__init__.py": code})
    add_package(index, "thing")
    project.write("thing", settings=SOURCES)
    envlock = project.start("lock", "--as-of", AS_OF)
    hook = None
    deadline = time.monotonic() + 30
    while hook is None:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        hook = re.search(
            r"(envlock-hook-\w+)/environment/bin/python -s", running("--ppid", str(envlock.pid))
        )
    envlock.send_signal(signal.SIGTERM)
    said = envlock.communicate(timeout=20)[1]
    assert envlock.returncode == 128 + signal.SIGTERM
    assert "Traceback" not in said
    assert not project.lock_path.exists()
    assert hook[1] not in running("-e")


def test_pip_tools_locks_them_too(project: Project, index: LoopbackIndex) -> None:
    add_backend(index, "1.0", "['helper']")
    add_backend(index, "2.0", "['helper']")
    index.add("helper", "1.0", OLD)
    add_package(index, "thing", generator="toyback 1.0")
    project.write("thing", settings=SOURCES)
    lock = project.lock("--engine", "pip-tools")
    assert pins(only_build(lock)) == ["helper==1.0", "toyback==1.0"]
    assert all(
        file.url and file.url.startswith(index.base) for file in lock.build_packages[0].files
    )


def test_a_flipped_byte_in_an_sdist_is_refused(project: Project, index: LoopbackIndex) -> None:
    add_backend(index, "1.0")
    add_package(index, "thing")
    index.fail("*thing-1.0.tar.gz", "flip-byte")
    project.write("thing", settings=SOURCES)
    assert "thing 1.0" in project.refused(code=4)


@pytest.mark.parametrize(
    ("system", "message"),
    [
        ("[build-system", "is not TOML"),
        ("[build-system]\nbuild-backend = 'x'\n", "has no requires"),
        ("[build-system]\nrequires = ['a @ https://example.org/a.zip']\n", "names an address"),
        ("[build-system]\nrequires = ['=']\n", "is not a requirement"),
        ("[build-system]\nrequires = []\nbackend-path = ['../..']\n", "leads out of it"),
        (None, "leads out of it"),
    ],
)
def test_an_sdist_that_cannot_be_read_is_named(
    project: Project, index: LoopbackIndex, system: str | None, message: str
) -> None:
    index.add("thing", "1.0", OLD)
    contents = {"thing-1.0/PKG-INFO": b"Metadata-Version: 2.2\nName: thing\nVersion: 1.0\n"}
    contents |= (
        {"../outside": b""} if system is None else {"thing-1.0/pyproject.toml": system.encode()}
    )
    index.add_file("thing", "1.0", OLD, "thing-1.0.tar.gz", tar_gz(contents))
    project.write("thing", settings=SOURCES)
    said = project.refused(code=3)
    assert "thing 1.0" in said
    assert message in said


def test_an_unchanged_sdist_keeps_its_builds_and_is_not_asked_for_again(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    add_backend(index, "1.0")
    add_package(index, "thing")
    project.write("thing", settings=SOURCES)
    first = project.lock()
    # What comes to the index under an old date would be chosen by a lock that is made anew.
    add_backend(index, "1.5")
    add_package(index, "other")
    index.forget_requests()
    project.write("thing", "other", settings=SOURCES)
    caches = {name: str(tmp_path / name) for name in ("ENVLOCK_CACHE_DIR", "UV_CACHE_DIR")}
    second = project.lock(**caches)
    assert second.build("thing", "1.0") == first.build("thing", "1.0")
    assert index.count("*thing-1.0.tar.gz") == 0
    assert pins(only_build(second, "other")) == ["toyback==1.5"]
    assert {p.version for p in second.build_packages} == {"1.0", "1.5"}
    changes = project.json("diff", str(project.lock_path), str(project.lock_path))["changes"]
    assert changes == []
    old = tmp_path / "old.toml"
    old.write_bytes(project.lock_path.read_bytes())
    third = project.lock("--upgrade-package", "toyback", **caches)
    assert pins(only_build(third)) == ["toyback==1.5"]
    [change] = project.json("diff", str(old), str(project.lock_path))["changes"]
    assert change == {
        "after": "toyback==1.5",
        "before": "toyback==1.0",
        "kind": "requirements",
        "layer": "build",
        "name": "thing",
    }


def test_the_same_bytes_come_out_warm_and_cold_and_sources_make_a_lock_stale(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    add_backend(index, "1.0", "['helper']")
    index.add("helper", "1.0", OLD)
    for name in ("thing", "other", "third"):
        add_package(index, name)
    project.write("thing", "other", "third", settings=SOURCES)
    project.lock()
    first = project.lock_path.read_bytes()
    index.forget_requests()
    for variables in ({}, {"ENVLOCK_CACHE_DIR": str(tmp_path / "empty"), "TZ": "Asia/Tokyo"}):
        project.lock_path.unlink()
        project.lock(**variables)
        assert project.lock_path.read_bytes() == first
    assert index.count("*.tar.gz") == 3  # the warm one fetched nothing
    project.write("thing", "other", "third")
    done = project.run("lock", "--check")
    assert done.returncode == 1
    assert "sources" in done.stderr
    lock = project.lock()
    assert (lock.builds, lock.build_packages) == ((), ())


def test_requirements_of_other_targets_are_locked_with_their_markers(
    project: Project, index: LoopbackIndex
) -> None:
    add_backend(index, "1.0")
    index.add("colorama", "1.0", OLD)
    add_package(index, "thing", """["toyback", "colorama; sys_platform == 'win32'"]""")
    targets = [f"linux/amd64@{PYTHON}", f"windows/amd64@{PYTHON}"]
    project.write("thing", settings=SOURCES | {"targets": targets})
    build = only_build(project.lock())
    [colorama, toyback] = build.pins
    assert colorama.marker is not None
    assert "win32" in colorama.marker
    assert toyback.marker is None


def test_code_of_sdists_is_not_run_under_no_build(project: Project, index: LoopbackIndex) -> None:
    add_backend(index, "1.0")
    add_package(index, "thing")
    project.write("thing", settings=SOURCES)
    assert "--no-build forbids that" in project.refused("--no-build", code=2)


def test_an_archive_by_its_address_has_build_requirements_too(
    project: Project, index: LoopbackIndex
) -> None:
    add_backend(index, "1.0")
    add_package(index, "thing", wheel=False)
    [file] = index.files("thing")
    with tarfile.open(fileobj=io.BytesIO(file.content)) as original:
        members = {m.name: original.extractfile(m) for m in original}
        packed = tar_gz({f"outer/{name}": f.read() for name, f in members.items() if f})
    address = index.put("/direct/thing.tar.gz", packed)
    where = f"{address}#sha256={hashlib.sha256(packed).hexdigest()}&subdirectory=thing-1.0"
    project.write(f"thing @ {where}", settings=SOURCES)
    assert pins(only_build(project.lock())) == ["toyback==1.0"]


def test_the_date_is_that_of_the_tests() -> None:
    assert OLD < AS_OF < LATE
