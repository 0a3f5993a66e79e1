"""Installed files beside the wheel that they are of."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from support.packages import make_wheel

from envlock.check.python.wheel_content import Against, compare_wheels_with
from envlock.errors import UsageError
from envlock.lock.artifacts import PythonFile
from envlock.lock.package import Artifact, PythonPackage

FILES = {
    "tool/lib.so": b"\x7fELF, or so it says",
    "tool-1.data/purelib/more.py": "x = 1\n",
    "tool-1.data/data/etc/tool.conf": "y = 2\n",
    "tool-1.data/scripts/old": "#!python\n",
    "tool-1.data/headers/tool.h": "/* */\n",
}
SITE = Path("lib/python3.11/site-packages")


class World:
    """A wheel, and what an installer makes of it."""

    def __init__(self, folder: Path) -> None:
        name, content = make_wheel("tool", "1", files=FILES)
        self.wheel = folder / name
        self.wheel.write_bytes(content)
        self.prefix = folder / "prefix"
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for entry in archive.namelist():
                inner = entry.removeprefix("tool-1.data/")
                place = self.prefix / SITE / inner.removeprefix("purelib/")
                if inner.startswith("data/"):
                    place = self.prefix / inner.removeprefix("data/")
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(archive.read(entry))
        (self.prefix / SITE / "tool-1.dist-info" / "INSTALLER").write_text("somebody\n")

    def compare(self) -> Against:
        file = Artifact(name=self.wheel.name, url=None, path="x", sha256="0" * 64)
        entry = PythonFile(package=PythonPackage(name="tool", version="1"), file=file)
        [found] = compare_wheels_with(self.prefix, self.prefix / SITE, [(entry, self.wheel)])
        return found

    def change(self, name: str, content: bytes | None) -> None:
        path = self.prefix / name
        if content is None:
            path.unlink()
        else:
            path.write_bytes(content)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def test_what_installers_add_or_rewrite_is_no_difference(world: World) -> None:
    world.change(f"{SITE}/scripts/old", b"#!/elsewhere\n")
    world.change(f"{SITE}/tool-1.dist-info/RECORD", b"")
    found = world.compare()
    assert (found.state, found.files) == ("identical", ())
    assert (found.name, found.version, found.wheel) == ("tool", "1", world.wheel.name)


@pytest.mark.parametrize(
    ("name", "content", "state", "told"),
    [
        (f"{SITE}/tool/lib.so", b"\x7fELF with places of others", "adapted", "~ tool/lib.so"),
        (f"{SITE}/tool/lib.so", b"no library at all", "different", "~ tool/lib.so"),
        (f"{SITE}/tool/__init__.py", b"", "different", "~ tool/__init__.py"),
        (f"{SITE}/more.py", None, "different", "- more.py"),
        ("etc/tool.conf", b"y = 3\n", "different", "~ etc/tool.conf"),
        (f"{SITE}/tool-1.dist-info/METADATA", b"", "metadata-only", "~ tool-1.dist-info/METADATA"),
        (f"{SITE}/tool-1.dist-info/WHEEL", None, "metadata-only", "- tool-1.dist-info/WHEEL"),
    ],
)
def test_one_difference(
    world: World, name: str, content: bytes | None, state: str, told: str
) -> None:
    world.change(name, content)
    assert (world.compare().state, world.compare().files) == (state, (told,))


def test_the_worst_of_several_counts(world: World) -> None:
    world.change(f"{SITE}/tool/lib.so", b"\x7fELF, other")
    world.change(f"{SITE}/tool-1.dist-info/WHEEL", b"")
    assert world.compare().state == "metadata-only"
    world.change(f"{SITE}/more.py", b"")
    assert world.compare().state == "different"
    assert len(world.compare().files) == 3


def test_what_is_no_wheel_is_refused(world: World) -> None:
    world.wheel.write_bytes(b"PK no")
    with pytest.raises(UsageError, match="cannot be read"):
        world.compare()
