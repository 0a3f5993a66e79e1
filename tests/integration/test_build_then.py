"""``sources = true``: what a published wheel was built with, as far as its date and words tell.

The oracles are wheels that the setuptools and the wheel of two years make by themselves, and their
files as ``zipfile`` and RECORD have them.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.project import AS_OF, Project
from support.tools import PIP, UV, run

from envlock.lock.builds import Build
from envlock.lock.hashing import environment_hash

SOURCES = {"sources": True}
THEN = "2022-06-01"
HOOK = "def get_requires_for_build_wheel(settings=None):\n    return "
SYSTEM = '[build-system]\nrequires = {}\nbuild-backend = "setuptools.build_meta"\n'
PROJECT = """
[project]
name = "{name}"
version = "1.0"
license = {{text = "MIT"}}
[project.optional-dependencies]
more = ["idna >= 3 ; python_version > '3'"]
[tool.setuptools]
packages = ["{name}"]
"""
REAL = (
    ("setuptools", "68.2.2", "2023-08-21"),
    ("wheel", "0.41.2", "2023-08-22"),
    ("setuptools", "80.9.0", "2025-05-27"),
    ("wheel", "0.45.1", "2024-11-23"),
)


def add_setuptools(index: LoopbackIndex, version: str, when: str, answer: str = "[]") -> None:
    """A stand-in for setuptools, whose hook gives the expression ``answer``."""
    code = f"import os, sys\n{HOOK}{answer}\n"
    index.add("setuptools", version, when, files={"setuptools/build_meta.py": code})


def add_thing(
    index: LoopbackIndex,
    name: str,
    generator: str,
    when: str | None = THEN,
    requires: str = '["setuptools>=40"]',
) -> None:
    """A package with an sdist for setuptools, and a wheel made by ``generator``."""
    files = {"pyproject.toml": SYSTEM.format(requires)}
    index.add(name, "1.0", when or THEN, generator=generator)
    index.add(name, "1.0", when or THEN, sdist=True, files=files)


def told(build: Build | None) -> tuple[str, str]:
    """The day that it was resolved as of, and its pins."""
    assert build is not None
    day = f"{build.as_of:%Y-%m-%d}" if build.as_of else ""
    return day, " ".join(map(str, build.pins))


def test_what_is_installed_is_locked_with_what_was_there_when_its_wheel_was_made(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    wheel = "['wheel']"
    add_setuptools(index, "50.0", "2020-01-01", wheel)
    add_setuptools(index, "60.0", "2022-01-01", wheel)
    add_setuptools(index, "70.0", "2024-01-01")
    add_setuptools(index, "60.1", "2023-01-15")  # of a series that was old by then
    for version, when in (("0.30", "2019-01-01"), ("0.34", "2020-06-01"), ("0.37", "2022-02-01")):
        index.add("wheel", version, when)
    index.add("setuptools-scm", "1.0", "2021-01-01")
    index.add("setuptools-scm", "2.0", "2023-06-01")
    add_thing(index, "of-its-time", "bdist_wheel (0.37)")
    # setuptools is not named, and 0.34 came before: so it was an old environment.
    add_thing(index, "old-tools", "bdist_wheel (0.34)")
    add_thing(index, "named", "setuptools (60.0)")
    add_thing(index, "named-too", "setuptools (60.0)", requires='["setuptools", "setuptools-scm"]')
    add_thing(index, "backport", "setuptools (60.1)", "2023-12-01", '["setuptools", "wheel"]')
    add_thing(index, "unheard-of", "setuptools (1.0)", requires='["setuptools", "wheel"]')
    add_thing(index, "too-early", "bdist_wheel (0.30)", "2019-06-01")
    files = {"pyproject.toml": SYSTEM.format('["setuptools"]')}
    index.add("no-wheel", "1.0", THEN, sdist=True, files=files)
    made = ("of-its-time", "old-tools", "named", "named-too", "backport", "unheard-of", "too-early")
    names = [*made, "no-wheel"]
    project.write(*names, settings=SOURCES)
    done = project.run("lock", "--as-of", AS_OF)
    assert done.returncode == 0, done.stderr
    lock = project.read()
    assert {name: told(lock.build(name, "1.0")) for name in names} == {
        "of-its-time": ("2022-06-01", "setuptools==60.0 wheel==0.37"),
        "old-tools": ("2022-02-01", "setuptools==60.0 wheel==0.34"),
        "named": ("", "setuptools==60.0 wheel==0.37"),
        "named-too": ("2022-06-01", "setuptools==60.0 setuptools-scm==1.0 wheel==0.37"),
        "backport": ("2023-12-01", "setuptools==60.1 wheel==0.37"),
        "unheard-of": ("2022-06-01", "setuptools==60.0 wheel==0.37"),
        "too-early": ("", "setuptools==70.0"),
        "no-wheel": ("", "setuptools==70.0"),
    }
    assert "too-early 1.0" in done.stderr
    # The same from nothing; and a lock that is there is kept as it is.
    written = project.lock_path.read_bytes()
    project.lock_path.unlink()
    project.lock(ENVLOCK_CACHE_DIR=str(tmp_path / "cold"))
    assert project.lock_path.read_bytes() == written
    index.forget_requests()
    project.lock()
    assert project.lock_path.read_bytes() == written
    assert index.count("/simple/wheel/*") == 0
    # Without the key, it is a lock of an earlier envlock: valid, and left as it is.
    text = re.sub(r"(?m)^as-of = 202[23]-.*\n", "", written.decode())
    assert text != written.decode()
    project.lock_path.write_text(text)
    assert environment_hash(project.lock()) == environment_hash(lock)
    assert project.lock_path.read_text() == text


def test_backends_of_then_that_do_not_run_today_are_passed_over(
    project: Project, index: LoopbackIndex
) -> None:
    add_setuptools(index, "60.0", "2022-01-01", "sys.exit('no such Python then')")
    add_setuptools(index, "61.0", "2022-07-01", "['wheel']")
    add_setuptools(index, "71.0", "2024-01-01")
    # Its own sdist is built with what there is at the lock's date, and does not get along with it.
    system = '[build-system]\nrequires = ["helper"]\nbuild-backend = "helper"\n'
    index.add("helper", "1.0", "2024-01-01", files={"helper/__init__.py": f"{HOOK}[1 // 0]\n"})
    index.add("wheel", "0.37", "2022-01-01")
    index.add("wheel", "0.37", "2022-01-01", sdist=True, files={"pyproject.toml": system})
    # This one is known to fail behind the hook.
    system = '[build-system]\nrequires = ["setuptools"]\n'
    index.add("wheel", "0.33", "2022-07-15")
    index.add("wheel", "0.33", "2022-07-15", sdist=True, files={"pyproject.toml": system})
    add_thing(index, "last", "bdist_wheel (0.33)", "2022-08-01")
    add_thing(index, "early", "bdist_wheel (0.37)")
    add_thing(index, "later", "bdist_wheel (0.37)", "2022-08-01")
    project.write("early", "later", "last", settings=SOURCES)
    done = project.run("lock", "--as-of", AS_OF)
    assert done.returncode == 0, done.stderr
    lock = project.read()
    assert told(lock.build("early", "1.0")) == ("", "setuptools==71.0")
    assert told(lock.build("later", "1.0")) == ("2022-08-01", "setuptools==61.0 wheel==0.37")
    assert "early 1.0" in done.stderr
    wheels = {str(seed) for seed in lock.bootstrap if seed.reason == "unbuildable"}
    assert wheels == {"wheel 0.33", "wheel 0.37"}


@pytest.mark.network
def test_real_backends_of_two_years_give_the_published_content(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    cache = project.variables["ENVLOCK_CACHE_DIR"] = str(tmp_path / "cache")
    files = tmp_path / "files"
    names = [f"{name}=={version}" for name, version, _ in REAL]
    for name in names:
        run([*PIP, "download", "-q", "--no-deps", "--only-binary", ":all:", "-d", files, name])
    for name, version, when in REAL:
        [path] = files.glob(f"{name.replace('-', '_')}-{version}-*.whl")
        index.add_file(name, version, when, path.name, path.read_bytes())
    for name, when, tools in (("old", "2023-10-07", names[:2]), ("new", "2025-08-01", names[2:3])):
        text = SYSTEM.format('["setuptools>=61"]') + PROJECT.format(name=name)
        _publish(index, tmp_path, name, when, text, tools)
    project.write("old", "new", settings=SOURCES)
    lock = project.lock(as_of="2025-12-01")
    assert told(lock.build("old", "1.0")) == ("2023-10-07", "setuptools==68.2.2 wheel==0.41.2")
    assert told(lock.build("new", "1.0")) == ("", "setuptools==80.9.0")
    done = project.run("rebuild", "--from-source", "--build-with", "wheels", "--json")
    assert done.returncode == 0, done.stderr
    built: dict[str, Any] = {one["name"]: one for one in json.loads(done.stdout)["built"]}
    for name in ("old", "new"):
        assert built[name]["state"] in ("identical", "content-equal"), built[name]
        ours = Path(cache, "sha256", built[name]["sha256"][:2], built[name]["sha256"])
        [published] = [f for f in index.files(name) if f.name.endswith(".whl")]
        assert _recorded(ours.read_bytes()) == _recorded(published.content)


def _publish(
    index: LoopbackIndex, folder: Path, name: str, when: str, pyproject: str, tools: list[str]
) -> None:
    """An sdist, and the wheel that setuptools makes of it in an environment of ``tools``."""
    texts = {"pyproject.toml": pyproject, "LICENSE": "MIT\n"}
    source = index.add(name, "1.0", when, sdist=True, files=texts)
    place = folder / name
    with tarfile.open(fileobj=io.BytesIO(source.content)) as archive:
        archive.extractall(place, filter="data")
    python = place / "environment" / "bin" / "python"
    run([UV, "venv", "-q", "--no-project", "--python", sys.executable, place / "environment"])
    found = ["--no-index", "--find-links", folder / "files", "--no-config", "-q"]
    run([UV, "pip", "install", *found, "--python", python, *tools], cwd=place)
    build = "import setuptools.build_meta as b; b.build_wheel('..')"
    run([python, "-c", build], cwd=place / f"{name}-1.0")
    [wheel] = place.glob("*.whl")
    index.add_file(name, "1.0", when, wheel.name, wheel.read_bytes())


def _recorded(wheel: bytes) -> dict[str, str]:
    """Each file's digest: computed from its content, and as RECORD says it."""
    with zipfile.ZipFile(io.BytesIO(wheel)) as packed:
        content = {i.filename: packed.read(i) for i in packed.infolist() if not i.is_dir()}
    [record] = [name for name in content if name.endswith(".dist-info/RECORD")]
    listed = {row[0]: row[1] for row in csv.reader(io.StringIO(content[record].decode()))}
    found = {}
    for name, data in content.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
        assert listed[name] == ("" if name == record else f"sha256={digest}")
        found[name] = listed[name]
    assert found.keys() == listed.keys()
    return found
