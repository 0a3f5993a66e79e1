"""``envlock rebuild --backend guix``: real Guix builds the lock, in a profile.

Client, daemon, definitions, phases and profiles are Guix's own; its lowest packages are stood in
for (channel.scm), since without substitutes Guix would first build a compiler.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from support.guix import CHANNEL, with_guix
from support.guix_root import GuixRoot
from support.index import LoopbackIndex
from support.install import locked
from support.nixpkgs import nar_hash
from support.project import Project

from envlock.lock import codec
from envlock.lock.builds import Build
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.package import Dependency, PythonPackage
from envlock.lock.target import Target

NEEDS: dict[str, list[str]] = {"alpha": ["beta"], "beta": []}
# Once, the client falls over its own display, as the real one does now and then.
LOST = """\
#!/bin/sh
if [ "$1" = time-machine ] && mkdir {folder}/fallen 2>/dev/null; then
    echo '3 (compute-status _ _)' >&2
    echo 'In procedure struct-vtable: Wrong type argument in position 1' >&2
    exit 1
fi
exec {guix} "$@"
"""


@dataclass(slots=True, kw_only=True)
class World:
    """A project with a lock for the root's Python, and how to run envlock where Guix is."""

    guix: GuixRoot
    project: Project
    lock: Lock
    through: tuple[str, ...]

    def rebuild(self, *arguments: str, **variables: str) -> tuple[int, str, str]:
        """``envlock rebuild --backend guix --into made``: exit code, stdout, stderr."""
        done = self.project.run(
            *("rebuild", "--backend", "guix", "--into", "made", *arguments),
            through=self.through,
            **variables,
        )
        return done.returncode, done.stdout, done.stderr

    @property
    def link(self) -> Path:
        return self.project.root / "made"


def lock_of(guix: GuixRoot, packages: list[PythonPackage]) -> Lock:
    """Each package is built by the backend in its sdist."""
    series = guix.python.rpartition(".")[0]
    target = Target(platform="linux/amd64", python=series)
    builds = []
    for package in packages:
        assert package.sdist is not None
        build = Build(
            package=package.name,
            version=package.version or "",
            sdist=package.sdist.sha256,
            backend="tiny_backend",
            backend_path=("_backend",),
        )
        builds.append(build)
    lock = with_guix(*packages)
    request = replace(lock.request, targets=(target,), sources=True)
    return replace(lock, targets=(target,), builds=tuple(builds), request=request)


@pytest.fixture
def world(guix: GuixRoot, project: Project, index: LoopbackIndex, tmp_path: Path) -> World:
    packages = []
    for name, needs in NEEDS.items():
        files = [
            index.add(name, "1.0", "2024-01-01", requires=needs, sdist=sdist)
            for sdist in (False, True)
        ]
        dependencies = tuple(Dependency(name=need) for need in needs)
        packages.append(replace(locked(index, *files), dependencies=dependencies))
    project.write("alpha")
    lock = lock_of(guix, packages)
    project.lock_path.write_text(codec.dump(lock))
    through, variables = guix.client(tmp_path, CHANNEL.commit)
    project.variables |= variables | {"ENVLOCK_CACHE_DIR": str(tmp_path / "store")}
    return World(guix=guix, project=project, lock=lock, through=through)


def test_the_journey(world: World, index: LoopbackIndex, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in NEEDS:
        for file in index.files(name):
            (kept / file.name).write_bytes(file.content)
        index.drop(name)
    code, _, said = world.rebuild()
    assert (code, "2 files are missing" in said) == (3, True)
    assert not world.link.is_symlink()

    (tmp_path / "first").mkdir()
    (tmp_path / "first" / "guix").write_text(
        LOST.format(folder=tmp_path, guix=tmp_path / "bin/guix")
    )
    (tmp_path / "first" / "guix").chmod(0o755)
    path = {"PATH": f"{tmp_path / 'first'}:{world.project.variables['PATH']}"}
    code, out, said = world.rebuild("--from", str(kept), "--json", **path)
    assert code == 0, said
    assert "Guix's own display of downloads fell over" in said
    told = json.loads(out)
    assert told["environment-hash"] == environment_hash(world.lock).root
    assert str(world.link.readlink()) == told["store-path"]
    there = world.guix.path(told["store-path"])
    assert told["digest"] == nar_hash(there)
    assert set(told["fetched"].values()) == {"bundle"}
    assert [(p["name"], p["built"], p["state"]) for p in told["packages"]] == [
        ("alpha", True, "metadata-only"),
        ("beta", True, "metadata-only"),
    ]
    assert (told["same"], told["drift"]) == (True, [])
    code = "import alpha, beta; print(alpha.__version__, alpha.__file__)"
    profile = told["store-path"]
    argv = ("sh", "-c", f". {profile}/etc/profile && exec python3 -c '{code}'")
    assert world.guix.run(tmp_path, *argv).out.startswith("1.0 /gnu/store/")

    # Again, at the same place: the same path, and nothing else beside it.
    code, out, said = world.rebuild("--jobs", "1")
    assert (code, out.strip()) == (0, profile), said
    assert "from the sources of pylock.toml; beside the locked wheels: 2 metadata-only" in said
    assert f"use it: . {world.link}/etc/profile" in said
    assert not list(world.project.root.glob(".made*"))


def test_what_goes_wrong_is_said(world: World, index: LoopbackIndex, tmp_path: Path) -> None:
    code, _, said = world.rebuild("--offline")
    assert (code, "Guix fetches what it builds with by itself" in said) == (2, True)
    world.link.mkdir()
    code, _, said = world.rebuild()
    assert (code, "no link into /gnu/store" in said) == (2, True)
    world.link.rmdir()
    code, _, said = world.rebuild(PATH=os.environ["PATH"])
    assert (code, "Guix is not installed" in said) == (3, True)
    code, _, said = world.rebuild(GUIX_DAEMON_SOCKET=f"{tmp_path}/none")
    assert (code, "Guix's daemon does not answer" in said) == (3, True)
    assert "systemctl start guix-daemon" in said

    # A build that fails: the end of its log, and what was there stays.
    broken = index.add(
        "gamma", "1.0", "2024-01-01", sdist=True, files={"_backend/tiny_backend.py": "1/0"}
    )
    package = locked(index, broken, index.add("gamma", "1.0", "2024-01-01"))
    world.project.lock_path.write_text(codec.dump(lock_of(world.guix, [package])))
    before = "/gnu/store/00000000000000000000000000000000-profile"
    world.link.symlink_to(before)
    code, _, said = world.rebuild()
    assert code == 3
    assert "Guix could not build python-gamma-1.0" in said
    assert "ZeroDivisionError" in said
    assert "/var/log/guix/drvs/" in said
    assert str(world.link.readlink()) == before

    # What the Guix of that commit does not have.
    lock = replace(world.lock, targets=(replace(world.lock.targets[0], python="3.8"),))
    lock = replace(lock, request=replace(lock.request, targets=lock.targets))
    world.project.lock_path.write_text(codec.dump(lock))
    code, _, said = world.rebuild()
    assert code == 2
    assert f"the lock is for Python 3.8, but this Guix has Python {world.guix.python}" in said
