"""The exported Dockerfile and what goes with it: values, quoting, refusals."""

from __future__ import annotations

import ast
import json
import re
import shlex
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruamel.yaml import YAML
from support.samples import (
    LINUX,
    MACOS,
    digest,
    os_layer,
    os_package,
    package,
    sdist,
    small_lock,
    standalone,
    wheel,
)

from envlock.errors import UsageError
from envlock.export.docker.exporter import DockerExporter
from envlock.export.docker.text import dockerfile_string, word
from envlock.lock.builds import Build, BuildPin
from envlock.lock.hashing import environment_hash
from envlock.lock.image import BaseImage
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Directory, PythonPackage, Vcs
from envlock.lock.target import Target

BASE = BaseImage(
    reference="docker.io/library/debian:bookworm-slim",
    digest=f"sha256:{digest('a')}",
    platforms=(),
)
ARM = Target(platform="linux/arm64", python="3.11")


def with_image(*packages: PythonPackage, **values: Any) -> Lock:
    return replace(small_lock(*packages), image=BASE, **values)


def exported(lock: Lock, target: Target | None = None) -> dict[str, str]:
    return {name: text.decode() for name, text in DockerExporter().export(lock, target).items()}


def refusal(lock: Lock, target: Target | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        DockerExporter().export(lock, target)
    return caught.value


def settings(dockerfile: str) -> dict[str, str]:
    """The values of ARG lines before FROM, as a shell reads them."""
    head = dockerfile.partition("\nFROM ")[0]
    found = re.findall(r"^ARG (\w+)=(.*)$", head, re.M)
    return {name: shlex.split(value)[0] for name, value in found}


def test_the_base_is_named_by_digest_and_the_lock_by_labels() -> None:
    lock = with_image(package("aa"))
    text = exported(lock)["Dockerfile"]
    assert f"\nFROM docker.io/library/debian@sha256:{digest('a')} AS system\n" in text
    assert len(re.findall(r"^FROM .*[/@:]", text, re.M)) == 1
    assert f'org.envlock.environment="{environment_hash(lock).root}"' in text
    assert 'org.opencontainers.image.base.name="docker.io/library/debian:bookworm-slim"' in text
    assert settings(text)["SOURCE_DATE_EPOCH"] == "1717200000"
    assert settings(text)["PIP_INDEX_URL"] == "https://index.example.org/simple"
    assert text.endswith('USER 65532:65532\nCMD ["python"]\n')


def test_the_same_lock_gives_the_same_bytes_in_any_order() -> None:
    one, two = package("aa"), package("bb")
    assert exported(with_image(one, two)) == exported(with_image(two, one))


def test_what_an_export_does_not_own_is_the_same_for_all_locks() -> None:
    """So that a Dockerfile that somebody has changed can follow another lock."""

    def outside(lock: Lock) -> str:
        return re.sub(r"(?s)# >>> envlock\n.*# <<< envlock", "", exported(lock)["Dockerfile"])

    bare = with_image()
    assert outside(bare) == outside(with_image(package("aa"), os=venv_layer()))
    assert outside(bare) == outside(with_image(standalone=(standalone(LINUX, "3.11.9"),)))


def test_only_wheels_of_the_target_are_taken() -> None:
    arm = wheel("aa", "1.0", "c", "cp311-cp311-manylinux_2_17_aarch64")
    both = replace(package("aa"), wheels=(*package("aa").wheels, arm), sdist=sdist("aa", "1.0"))
    only = replace(package("bb"), marker="platform_machine == 'aarch64'")
    lock = with_image(both, only, targets=(LINUX, ARM, MACOS))
    files = exported(lock)
    amd, other = (files[f"docker/lock/requirements-{m}.txt"] for m in ("x86_64", "aarch64"))
    assert amd.endswith(f"aa==1.0 \\\n    --hash=sha256:{digest('a')}\n")
    assert f"sha256:{digest('c')}\n" in other
    assert "bb==1.0" in other
    assert "bb" not in amd
    assert digest("b") not in amd + other
    assert "docker/lock/requirements-aarch64.txt" not in exported(lock, LINUX)


def venv_layer() -> Any:
    layer = os_layer()
    python = (os_package("python3.11"), os_package("python3.11-venv", version="3.11.2-6+deb12u6"))
    return replace(layer, packages=(*layer.packages, *python))


def test_os_packages_by_digest_at_their_snapshot() -> None:
    layer = venv_layer()
    odd = os_package(
        "odd",
        version="1:2+b~1",
        file_name="pool/main/o/odd_2+b~1 x_all.deb",
    )
    lock = with_image(os=replace(layer, packages=(*layer.packages, odd)))
    files = exported(lock)
    lines = files["docker/lock/os-packages.txt"].splitlines()
    place = "debian/20240601T120000Z/pool/main/o/odd_2+b~1%20x_all.deb"
    assert f"amd64 odd 1:2+b~1 all {odd.sha256} {place}" in lines
    assert "# base: debian:bookworm" in lines
    assert settings(files["Dockerfile"])["SNAPSHOT"] == "https://snapshot.debian.org/archive"


def test_what_was_read_from_a_mirror_is_asked_for_a_day_later_at_most() -> None:
    layer = venv_layer()
    released = datetime(2024, 5, 1, 12, tzinfo=UTC)
    for date, expected in ((released, "20240502T120000Z"), (None, "20240601T000000Z")):
        archive = replace(layer.archives[0], snapshot=None)
        archive = replace(archive, release_date=date or datetime(2024, 5, 31, 13, tzinfo=UTC))
        text = exported(with_image(os=replace(layer, archives=(archive,))))
        assert f" debian/{expected}/pool/" in text["docker/lock/os-packages.txt"]
    assert released + timedelta(days=1) == datetime(2024, 5, 2, 12, tzinfo=UTC)


def test_ubuntu_has_its_own_service() -> None:
    layer = venv_layer()
    archive = replace(layer.archives[0], archive="ubuntu", suite="noble")
    packages = tuple(replace(found, suite="noble") for found in layer.packages)
    layer = replace(layer, base="ubuntu:noble", archives=(archive,), packages=packages)
    files = exported(with_image(os=layer))
    assert settings(files["Dockerfile"])["SNAPSHOT"] == "https://snapshot.ubuntu.com"
    assert " ubuntu/20240601T120000Z/pool/" in files["docker/lock/os-packages.txt"]


def test_the_distributions_python_needs_its_venv() -> None:
    layer = os_layer()
    layer = replace(layer, packages=(*layer.packages, os_package("python3.11")))
    error = refusal(with_image(os=layer))
    assert "python3.11-venv, which is not locked" in error.what
    assert '"python3.11-venv" to packages in [tool.envlock.os]' in str(error.remedy)


def test_a_locked_archive_of_python() -> None:
    build = standalone(LINUX, "3.11.9")
    files = exported(with_image(standalone=(build,)))
    assert f"amd64 {build.sha256} {build.url}\n" in files["docker/lock/standalone.txt"]
    assert settings(files["Dockerfile"])["PYTHON"] == "/opt/python/bin/python3.11"
    assert "# python: 3.11.9\n" in files["docker/lock/requirements-x86_64.txt"]


def test_without_an_image_it_says_what_to_add() -> None:
    error = refusal(small_lock(package("aa")))
    assert str(error.remedy).endswith('[tool.envlock.image]\nbase = "python:3.11-slim"')


def test_without_a_base_image_the_locked_packages_are_the_system() -> None:
    lock = replace(small_lock(package("aa")), os=venv_layer(), targets=(LINUX,))
    files = exported(lock)
    assert "\nFROM scratch AS root-amd64\nADD docker/root/amd64.tar /\n" in files["Dockerfile"]
    assert "\nFROM root-amd64 AS system\n" in files["Dockerfile"]
    assert "!docker/root" in files[".dockerignore"].splitlines()
    assert "Bootstrap: scratch" in files["apptainer.def"]
    two = tuple(replace(p, architecture="arm64") for p in venv_layer().packages)
    both = replace(venv_layer(), packages=(*venv_layer().packages, *two))
    text = exported(replace(lock, os=both, targets=(LINUX, ARM)))["Dockerfile"]
    assert "\nFROM root-${TARGETARCH} AS system\n" in text
    assert text.count("\nADD ") == 2
    assert "Python" in refusal(replace(lock, os=os_layer())).what


GIT = Vcs(kind="git", url="https://git.example.org/aa", commit="a" * 40)


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (PythonPackage(name="aa", version="1", sdist=sdist("aa", "1")), "has no wheel"),
        (
            replace(package("aa"), wheels=(wheel("aa", "1.0", "1", "cp312-cp312-win_amd64"),)),
            "has no wheel for linux/amd64@3.11",
        ),
        (PythonPackage(name="aa", vcs=GIT), "comes from a repository"),
        (PythonPackage(name="aa", directory=Directory(path="../lib")), "outside of the project"),
        (
            PythonPackage(
                name="aa", archive=Archive(url="https://e.example.org/a.zip", sha256=digest("a"))
            ),
            "what builds it is not locked",
        ),
    ],
)
def test_what_would_be_built_of_what_is_not_locked(found: PythonPackage, why: str) -> None:
    assert why in refusal(with_image(found)).what


def with_build(**values: Any) -> Lock:
    """A lock whose ``aa`` is built with ``tool``."""
    pin = BuildPin(name="tool", version="1.0", marker="platform_machine == 'x86_64'")
    build = Build(
        package="aa",
        version="1.0",
        sdist=digest("b"),
        backend="tool.api:main",
        pins=(pin, BuildPin(name="other", version="2.0", marker="sys_platform == 'win32'")),
        programs=("gcc",),
    )
    packages = (package("tool"), package("other", "2.0"))
    aa = PythonPackage(name="aa", version="1.0", sdist=sdist("aa", "1.0"), index=OTHER_INDEX)
    return replace(with_image(aa), builds=(build,), build_packages=packages, **values)


OTHER_INDEX = "https://other.example.org/simple"


def test_what_has_no_wheel_is_built_with_its_locked_requirements() -> None:
    files = exported(with_build())
    assert "aa" not in files["docker/lock/requirements-x86_64.txt"].partition("# python")[2]
    told = json.loads(files["docker/lock/builds-x86_64.json"])
    [built] = told["built"]
    assert built["requirement"] == f"aa==1.0 --hash=sha256:{digest('b')}"
    assert (built["name"], built["backend"], built["path"]) == ("aa", "tool.api:main", None)
    assert told["graphs"] == {built["graph"]: [f"tool==1.0 --hash=sha256:{digest('a')}"]}
    text = files["Dockerfile"]
    assert settings(text)["PIP_INDEX_URL"] == "https://index.example.org/simple"
    assert settings(text)["PIP_EXTRA_INDEX_URL"] == OTHER_INDEX
    for script in ("build", "build_wheel", "own_project"):
        ast.parse(files[f"docker/lock/{script}.py"], feature_version=(3, 8))


def test_what_builds_need_is_in_the_stage_that_builds_and_no_other() -> None:
    layer = replace(venv_layer(), build_packages=(os_package("gcc"), os_package("libc6-dev")))
    listed = exported(with_build(os=layer))["docker/lock/os-build-packages.txt"].splitlines()
    rows = [line.split() for line in listed if not line.startswith("#")]
    assert [(row[0], row[1], row[4]) for row in rows] == [
        ("amd64", one.name, one.sha256) for one in layer.build_packages
    ]
    files = exported(with_build(os=layer))
    assert "gcc" not in files["docker/lock/os-packages.txt"]
    stages = re.split(r"^FROM (\S+) AS (\S+)$", files["Dockerfile"], flags=re.M)
    parents = dict(zip(stages[2::3], stages[1::3], strict=True))
    [tools] = [
        name
        for name, text in zip(stages[2::3], stages[3::3], strict=True)
        if "os-build-packages.txt" in text
    ]
    assert parents["python"] == tools
    assert parents["runtime"] == "environment"
    assert parents["environment"] == parents[tools] == "system"
    # Where everything has a wheel, nothing is built, and nothing of it is fetched.
    without = exported(with_image(package("aa"), os=layer))["docker/lock/os-build-packages.txt"]
    assert all(line.startswith("#") for line in without.splitlines())


def test_what_is_declined_or_cannot_be_built_with_wheels_is_refused() -> None:
    lock = with_build()
    request = replace(lock.request, sources=True, build_exceptions=("aa",))
    assert "out of build-exceptions" in str(
        refusal(replace(lock, builds=(), request=request)).remedy
    )
    only = replace(package("tool"), wheels=(), sdist=sdist("tool", "1.0"))
    error = refusal(replace(lock, build_packages=(only, package("other", "2.0"))))
    assert "aa 1.0 is built with tool 1.0, which has no wheel" in error.what


def test_local_files_and_folders_come_from_the_project() -> None:
    near = replace(wheel("aa", "1.0"), url=None, path="some wheels/aa-1.0-py3-none-any.whl")
    archive = Archive(path="bb-1.0-py3-none-any.whl", sha256=digest("c"))
    lock = with_image(
        replace(package("aa"), wheels=(near,)),
        PythonPackage(name="bb", version="1.0", archive=archive),
        PythonPackage(name="cc", version="1.0", directory=Directory(path="libs/cc")),
    )
    files = exported(lock)
    listed = files["docker/lock/requirements-x86_64.txt"]
    assert "\n--find-links file:///srv/some%20wheels\n" in listed
    assert "\nbb @ file:///srv/bb-1.0-py3-none-any.whl \\\n" in listed
    copied = re.findall(r"^COPY (\[.*\])$", files["Dockerfile"], re.M)
    paths = ["bb-1.0-py3-none-any.whl", "some wheels/aa-1.0-py3-none-any.whl"]
    assert [json.loads(text) for text in copied] == [[path, f"/{path}"] for path in paths]
    ignore = files[".dockerignore"].splitlines()
    assert {"!libs/cc", *(f"!{path}" for path in paths)} <= set(ignore)
    told = json.loads(files["docker/lock/builds-x86_64.json"])
    assert told["folders"] == [{"name": "cc", "path": "libs/cc", "version": "1.0"}]


@pytest.mark.parametrize("path", ["../a.whl", "/a.whl", "a*.whl", "a\n.whl", 'a".whl', "#a.whl"])
def test_local_paths_that_are_more_than_a_name(path: str) -> None:
    archive = Archive(path=path, sha256=digest("c"))
    found = PythonPackage(name="bb", version="1.0", archive=archive)
    assert "cannot stand in" in refusal(with_image(found)).what


def test_the_project_itself_is_no_requirement() -> None:
    own = PythonPackage(name="own", directory=Directory(path=".", editable=True))
    assert "own" not in exported(with_image(own))["docker/lock/requirements-x86_64.txt"]


def test_a_wheel_by_its_address() -> None:
    url = "https://e.example.org/a b/aa-1.0-py3-none-any.whl"
    found = PythonPackage(name="aa", version="1.0", archive=Archive(url=url, sha256=digest("a")))
    text = exported(with_image(found))["docker/lock/requirements-x86_64.txt"]
    assert "\naa @ https://e.example.org/a%20b/aa-1.0-py3-none-any.whl \\\n" in text


def test_images_are_of_linux_and_of_one_python() -> None:
    assert "images are of Linux" in refusal(with_image(targets=(MACOS,))).what
    newer = Target(platform="linux/arm64", python="3.12")
    error = refusal(with_image(targets=(LINUX, newer)))
    assert "--target linux/amd64@3.11" in str(error.remedy)
    assert exported(with_image(targets=(LINUX, newer)), newer)


def test_files_that_other_programs_read() -> None:
    files = exported(with_image(package("aa"), os=venv_layer()))
    container = files[".devcontainer/devcontainer.json"]
    told = json.loads(re.sub(r"^\s*//.*", "", container, flags=re.M))
    assert told["build"]["target"] == "dev"
    services = YAML(typ="safe").load(files["compose.yaml"])["services"]
    assert services["app"]["build"]["args"] == {"SOURCE_DATE_EPOCH": "1717200000"}
    assert services["dev"]["build"]["target"] == "dev"
    definition = files["apptainer.def"]
    assert f"\nBootstrap: docker\nFrom: {BASE.pinned}\n" in definition
    ast.parse(files["docker/lock/verify.py"], feature_version=(3, 8))


@pytest.mark.parametrize(
    "name", ["debian\nRUN evil", "debian$(x)", "a b", "debian --platform=x", "debian#"]
)
def test_an_image_that_is_more_than_a_name(name: str) -> None:
    lock = replace(with_image(), image=replace(BASE, reference=name))
    assert "cannot stand in" in refusal(lock).what


@pytest.mark.parametrize("text", ["a b", "a\n", "", "-x", "#", "é", "a\0"])
def test_what_is_no_word_in_a_list(text: str) -> None:
    with pytest.raises(UsageError, match="cannot stand in"):
        word(text)


@given(st.text(st.characters(blacklist_categories=["Cc", "Cs", "Zl", "Zp"])))
def test_quoted_words_are_read_back(text: str) -> None:
    quoted = dockerfile_string(text)
    assert re.sub(r"\\(.)", r"\1", quoted[1:-1], flags=re.S) == text
    assert not re.search(r'(?<!\\)(?:\\\\)*[$"]', quoted[1:-1])


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "\x1b", "\u2028"])
def test_what_ends_a_line_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="a Dockerfile"):
        dockerfile_string(text)


def test_a_hostile_index_stays_a_value() -> None:
    odd = 'https://e.example.org/"$(x)`y`\\'
    text = exported(with_image(replace(package("aa"), index=odd)))["Dockerfile"]
    assert r'ARG PIP_INDEX_URL="https://e.example.org/\"\$(x)`y`\\"' in text
