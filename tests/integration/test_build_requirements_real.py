"""Build requirements of real sdists, held against what ``build`` reads from the same files."""

from __future__ import annotations

import io
import tarfile
import urllib.request
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from build import ProjectBuilder
from build.env import DefaultIsolatedEnv
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version
from support.project import PYTHON, Project
from support.tools import run

pytestmark = pytest.mark.network

# A backend each, of which all but poetry-core's ask for more than pyproject.toml says.
WISHES = (
    "idna==3.10",  # flit-core
    "jupyterlab-pygments==0.3.0",  # hatchling with a plugin
    "pluggy==1.5.0",  # setuptools-scm
    "pyzmq==26.4.0",  # scikit-build-core
    "tomlkit==0.13.2",  # poetry-core
)


def test_real_backends_ask_for_the_same(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(*WISHES, settings={"sources": True})
    lock = project.lock(as_of="2025-09-01", UV_DEFAULT_INDEX="")
    # What these builds need is built, too; here it is about what is installed.
    assert {(p.name, p.version) for p in lock.packages if p.sdist} <= {b.key for b in lock.builds}
    asked = [build for build in lock.builds if "==".join(build.key) in WISHES]
    assert len(asked) == len(WISHES)
    for build in asked:
        [package] = lock.package(build.package)
        assert package.sdist is not None
        tree = _unpacked(str(package.sdist.url), tmp_path / build.package)
        with monkeypatch.context() as then:
            if build.as_of is not None:  # setuptools of then asks for wheel
                then.setenv("UV_EXCLUDE_NEWER", f"{build.as_of:%Y-%m-%dT%H:%M:%SZ}")
            static, dynamic = _by_build(tree)
        assert _normal(build.static) == _normal(static)
        assert _normal(build.dynamic) == _normal(dynamic)
        assert [target.endswith(PYTHON) for target in build.asked_on] == [True]
        pinned = {pin.name: Version(pin.version) for pin in build.pins}
        for requirement in map(Requirement, (*static, *dynamic)):
            if requirement.marker is None or requirement.marker.evaluate():
                version = pinned[canonicalize_name(requirement.name)]
                assert requirement.specifier.contains(version, prereleases=True)
    assert all(
        file.upload_time and file.upload_time < lock.as_of
        for package in lock.build_packages
        for file in package.files
    )
    assert {build.package for build in asked if build.as_of} == {"pluggy"}
    preferred = {text for build in lock.builds for text in build.preferred}
    assert {"flit-core==3.9.0", "poetry-core==1.9.0"} <= preferred


def _unpacked(url: str, folder: Path) -> Path:
    with urllib.request.urlopen(url, timeout=60) as answer:
        content = answer.read()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        archive.extractall(folder, filter="data")
    [root] = folder.iterdir()
    return root


def _by_build(tree: Path) -> tuple[set[str], set[str]]:
    """Static and dynamic requirements, by the PyPA's own frontend, with an empty ``PATH``."""
    with DefaultIsolatedEnv(installer="uv") as environment, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the backends, about the packages

        def runner(
            cmd: Sequence[str],
            cwd: str | None = None,
            extra_environ: Mapping[str, str] | None = None,
        ) -> None:
            variables = {**(extra_environ or {}), "PATH": "/nonexistent"}
            run([str(part) for part in cmd], cwd=Path(cwd or tree), env=variables)

        builder = ProjectBuilder(tree, environment.python_executable, runner)
        environment.install(builder.build_system_requires)
        return set(builder.build_system_requires), set(builder.get_requires_for_build("wheel"))


def _normal(texts: Sequence[str] | set[str]) -> set[str]:
    return {str(Requirement(text)).lower().replace("_", "-") for text in texts}
