"""The content of a root that real dpkg made: every kind of change, and dpkg's own word for it."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from support.install import HERE
from support.registries import layer, tiny_image, to_layout
from support.samples import small_lock
from support.tiny_archive import signer

from envlock.check.os.sources import file_name
from envlock.cli.app import run
from envlock.lock import codec
from envlock.lock.os import OsArchive, OsLayer, OsPackage

ARCHITECTURE = "amd64"
FILES = {
    "tool": {
        "usr/bin/tool": "#!/bin/sh\n",
        "usr/lib/libtool.so.1": "library\n",
        "usr/share/doc/tool/copyright": "free\n",
        "usr/share/tool/data": "data\n",
        "usr/lib/x86_64-linux-gnu/libtool.so.2": "library\n",
        "usr/lib/python3/dist-packages/toolkit/__init__.py": "",
        "etc/tool.conf": "key = 1\n",
    },
    "other": {"usr/bin/other": "#!/bin/sh\n# other\n"},
}


def deb(folder: Path, name: str) -> Path:
    """A package that dpkg-deb makes, with md5sums as debhelper writes them."""
    tree = folder / name
    for path, text in FILES[name].items():
        (tree / path).parent.mkdir(parents=True, exist_ok=True)
        (tree / path).write_text(text)
    (tree / "DEBIAN").mkdir()
    control = (
        f"Package: {name}\nVersion: 1\nArchitecture: {ARCHITECTURE}\n"
        "Maintainer: N <n@example.org>\nDescription: a package\n"
    )
    (tree / "DEBIAN/control").write_text(control)
    plain = [path for path in FILES[name] if not path.startswith("etc/")]
    sums = subprocess.run(
        ["md5sum", *plain], cwd=tree, check=True, capture_output=True, text=True
    ).stdout
    (tree / "DEBIAN/md5sums").write_text(sums)
    configuration = [f"/{path}\n" for path in FILES[name] if path.startswith("etc/")]
    if configuration:
        (tree / "DEBIAN/conffiles").write_text("".join(configuration))
    path = folder / f"{name}.deb"
    argv = ["dpkg-deb", "--root-owner-group", "--build", tree, path]
    subprocess.run(argv, check=True, capture_output=True)
    return path


@dataclasses.dataclass(slots=True)
class Ground:
    """A project and a root folder; ``restore`` puts the root back."""

    project: Path
    kept: Path

    @property
    def root(self) -> Path:
        return self.project / "root"

    def restore(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
        shutil.copytree(self.kept, self.root, symlinks=True)
        time.sleep(0.03)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    folder = tmp_path_factory.mktemp("os-content")
    root = folder / "kept"
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "usr/bin", "etc", "usr/local/bin"):
        (root / name).mkdir(parents=True)
    for name in ("status", "available"):
        (root / "var/lib/dpkg" / name).touch()
    (root / "bin").symlink_to("usr/bin")
    (root / "usr/lib").mkdir()
    (root / "etc/os-release").write_text("ID=debian\nVERSION_CODENAME=bookworm\n")
    argv = [
        *("dpkg", f"--root={root}", "--force-not-root,architecture,bad-path"),
        *("--log=/dev/null", "--install", *(deb(folder, name) for name in FILES)),
    ]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    project = folder / "project"
    project.mkdir()
    (project / "requirements.in").write_text("")
    (project / "pylock.toml").write_text(codec.dump(_lock()))
    return Ground(project=project, kept=root)


def _lock() -> Any:
    now = datetime(2026, 3, 1, tzinfo=UTC)
    archive = OsArchive(
        archive="debian",
        suite="bookworm",
        components=("main",),
        snapshot="20260301T000000Z",
        release_sha256="4" * 64,
        release_date=now,
        key="ABCD",
    )
    packages = tuple(
        OsPackage(
            architecture=ARCHITECTURE,
            name=name,
            version="1",
            sha256="5" * 64,
            size=1,
            file_name=f"pool/{name}.deb",
            suite="bookworm",
            source=name,
            source_version="1",
            requested=True,
        )
        for name in sorted(FILES)
    )
    layer = OsLayer(base="debian:bookworm", archives=(archive,), packages=packages)
    lock = small_lock()
    request = dataclasses.replace(
        lock.request, targets=(HERE,), os_base="debian:bookworm", os_packages=tuple(sorted(FILES))
    )
    return dataclasses.replace(lock, targets=(HERE,), request=request, os=layer)


def checked(
    ground: Ground, capfd: pytest.CaptureFixture[str], *options: str
) -> tuple[int, list[tuple[str, str]]]:
    capfd.readouterr()
    code = run(
        ["-C", str(ground.project), "check", "--os-only", "--root", "root", "--json", *options]
    )
    out, err = capfd.readouterr()
    assert code in (0, 1), (code, err)
    return code, [(d["code"], d["subject"]) for d in json.loads(out)["drift"]]


def dpkg_says(ground: Ground) -> set[str]:
    """Paths that ``dpkg --verify`` complains of."""
    argv = ["dpkg", f"--root={ground.root}", "--verify"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    return {line.rpartition(" ")[2] for line in done.stdout.splitlines()}


def _write(path: str, text: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)

    return change


def _status(before: str, after: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        path = root / "var/lib/dpkg/status"
        text = path.read_text()
        assert before in text
        path.write_text(text.replace(before, after, 1))

    return change


def _link(path: str, to: str) -> Callable[[Path], None]:
    def change(root: Path) -> None:
        (root / path).unlink()
        (root / path).symlink_to(to)

    return change


def _foreign_packages(root: Path) -> None:
    """A package from a source of somebody else's, one given to dpkg, and one of the distribution's;
    with the lists that apt keeps, by apt's names."""
    paragraph = "Package: {}\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n"
    with (root / "var/lib/dpkg/status").open("a") as status:
        status.write("\n" + "".join(map(paragraph.format, ("theirs", "byhand", "ours"))))
    _write(
        "etc/apt/sources.list",
        "deb http://mirror.example.org/debian bookworm main\n"
        "deb [trusted=yes] http://else.example.org/my_packages ./\n",
    )(root)
    lists = "var/lib/apt/lists/"
    main = "mirror.example.org_debian_dists_bookworm_main_binary-amd64_Packages"
    _write(lists + main, "Package: ours\nVersion: 2\n\nPackage: tool\n")(root)
    _write(lists + "else.example.org_my%5fpackages_._Packages", "Package: theirs\n")(root)


CHANGES: dict[str, tuple[Callable[[Path], None], list[tuple[str, str]]]] = {
    "nothing": (lambda _: None, []),
    "a program is edited": (_write("usr/bin/tool", "#!/bin/no\n"), [("OS102", "/usr/bin/tool")]),
    "a library grows": (
        _write("usr/lib/libtool.so.1", "library\nmore\n"),
        [("OS102", "/usr/lib/libtool.so.1")],
    ),
    "data is removed": (
        lambda root: (root / "usr/share/tool/data").unlink(),
        [("OS101", "/usr/share/tool/data")],
    ),
    "a program becomes a link": (_link("usr/bin/tool", "other"), [("OS102", "/usr/bin/tool")]),
    "a program becomes a loop": (_link("usr/bin/tool", "tool"), [("OS102", "/usr/bin/tool")]),
    "a program becomes a folder": (
        lambda root: ((root / "usr/bin/tool").unlink(), (root / "usr/bin/tool").mkdir())[1],
        [("OS102", "/usr/bin/tool")],
    ),
    "the list of files is lost": (
        lambda root: (root / "var/lib/dpkg/info/other.list").unlink(),
        [("OS104", "other")],
    ),
    "a program is shadowed": (
        _write("usr/local/bin/tool", "#!/bin/sh\n"),
        [("OS106", "/usr/local/bin/tool")],
    ),
    "configuration is edited": (
        _write("etc/tool.conf", "key = 2\n"),
        [("OS105", "/etc/tool.conf")],
    ),
    "a package is on hold": (
        _status("Package: tool\nStatus: install", "Package: tool\nStatus: hold"),
        [("OS004", "tool")],
    ),
    "a package is half configured": (
        _status("Status: install ok installed", "Status: install ok half-configured"),
        [("OS003", "other")],
    ),
    "a package is broken": (
        _status("Status: install ok installed", "Status: install reinstreq installed"),
        [("OS003", "other")],
    ),
    "a library is shadowed in its own folder": (
        _write("usr/local/lib/x86_64-linux-gnu/libtool.so.2", ""),
        [("OS106", "/usr/local/lib/x86_64-linux-gnu/libtool.so.2")],
    ),
    "a module of Python is shadowed": (
        _write("usr/local/lib/python3.11/dist-packages/toolkit/__init__.py", ""),
        [("OS106", "/usr/local/lib/python3.11/dist-packages/toolkit")],
    ),
    "other modules of Python are added": (
        _write("usr/local/lib/python3.11/dist-packages/more/__init__.py", ""),
        [],
    ),
    "a source has packages of somebody else": (
        _write(
            "etc/apt/sources.list.d/else.list",
            "# deb https://off.example.org/debian bookworm main\n"
            "deb [arch=amd64] https://user:secret@example.org/linux bookworm stable\n",
        ),
        [("OS005", "https://example.org/linux bookworm")],
    ),
    "a source has the next release": (
        _write(
            "etc/apt/sources.list.d/next.sources",
            "Types: deb\nURIs: http://mirror.example.org/debian\nSuites: trixie\n"
            "Components: main\n",
        ),
        [("OS005", "http://mirror.example.org/debian trixie")],
    ),
    "a source needs no signature": (
        _write("etc/apt/sources.list", "deb [trusted=yes] file:/srv/debian bookworm main\n"),
        [("OS005", "file:/srv/debian bookworm")],
    ),
    "a source has other keys": (
        lambda root: (
            _write(
                "etc/apt/sources.list",
                "deb [signed-by=/etc/apt/else.pgp] http://example.org/debian bookworm main\n",
            )(root),
            (root / "etc/apt/else.pgp").write_bytes(signer().public),
        )[1],
        [("OS005", "http://example.org/debian bookworm")],
    ),
    "sources are mirrors and backports": (
        _write(
            "etc/apt/sources.list",
            "deb http://mirror.example.org/debian bookworm main contrib\n"
            "deb http://mirror.example.org/debian bookworm-backports main\n"
            "deb-src http://example.org/else unstable main\n",
        ),
        [],
    ),
    "packages come from elsewhere": (
        _foreign_packages,
        [
            ("OS006", "byhand"),
            ("OS006", "theirs"),
            ("OS005", "http://else.example.org/my_packages ./"),
        ],
    ),
    "manuals are removed": (lambda root: shutil.rmtree(root / "usr/share/doc"), []),
    "what dpkg leaves out is not there": (
        lambda root: (
            _write("etc/dpkg/dpkg.cfg.d/small", "path-exclude=/usr/share/tool/*\n")(root),
            shutil.rmtree(root / "usr/share/tool"),
        )[1],
        [],
    ),
    "files are touched": (lambda root: os.utime(root / "usr/bin/tool", (1, 1)), []),
    "other programs are added": (_write("usr/bin/more", ""), []),
    "a program is diverted": (
        lambda root: (
            (root / "usr/bin/tool").rename(root / "usr/bin/tool.distrib"),
            _write("var/lib/dpkg/diversions", "/usr/bin/tool\n/usr/bin/tool.distrib\nother\n")(
                root
            ),
        )[1],
        [],
    ),
}
TOLD_ONLY = {"OS004", "OS005", "OS006", "OS105", "OS106"}
"""Told, and no error: configuration is there to be edited, and machines serve other purposes."""


def test_every_change_of_a_root(ground: Ground, capfd: pytest.CaptureFixture[str]) -> None:
    wrong = []
    for name, (change, expected) in CHANGES.items():
        ground.restore()
        before = checked(ground, capfd)
        change(ground.root)
        code = int(any(kind not in TOLD_ONLY for kind, _ in expected))
        told = [
            checked(ground, capfd),
            checked(ground, capfd),
            checked(ground, capfd, "--paranoid"),
        ]
        if before != (0, []) or any(found != (code, expected) for found in told):
            wrong.append(f"{name}: before {before}, then {told}, not {expected}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", ["a program is edited", "a library grows", "data is removed"])
def test_dpkg_says_the_same(ground: Ground, capfd: pytest.CaptureFixture[str], name: str) -> None:
    ground.restore()
    assert dpkg_says(ground) == set()
    CHANGES[name][0](ground.root)
    assert {subject for _, subject in checked(ground, capfd)[1]} == dpkg_says(ground)


_LOADED = """
import sys
sys.argv = ["envlock", *sys.argv[1:]]
from envlock.cli import main
try:
    main()
finally:
    print("quick" if "click" not in sys.modules else "whole")
"""


def test_an_unchanged_system_is_answered_from_memory(ground: Ground, tmp_path: Path) -> None:
    def ask(*options: str) -> tuple[int, str]:
        time.sleep(0.05)  # what was written within the last tick of the clock is not remembered
        argv = [sys.executable, "-c", _LOADED, "check", *options, "--root", "root"]
        env = {**os.environ, "ENVLOCK_CACHE_DIR": str(tmp_path / "cache")}
        done = subprocess.run(argv, cwd=ground.project, env=env, capture_output=True, text=True)
        return done.returncode, done.stdout.splitlines()[-1]

    ground.restore()
    assert [ask("--os-only") for _ in range(2)] == [(0, "whole"), (0, "quick")]
    (ground.root / "usr/bin/tool").write_text("#!/bin/no\n")
    assert [ask("--os-only") for _ in range(2)] == [(1, "whole"), (1, "whole")]
    ground.restore()
    assert [ask("--os-only") for _ in range(2)] == [(0, "whole"), (0, "quick")]
    CHANGES["a package is on hold"][0](ground.root)
    assert ask("--os-only") == (0, "whole")


def test_lists_are_found_by_the_names_that_apt_gives_them(tmp_path: Path) -> None:
    """``apt-get update --print-uris`` says where it would put what."""
    (tmp_path / "lists/partial").mkdir(parents=True)
    (tmp_path / "status").touch()
    places = {
        "http://else.example.org/my_packages~x+y": "./",
        "http://mirror.example.org:8080/a_b%20c/debian": "bookworm",
        "https://x.example.org/debian": "bookworm/updates",
    }
    lines = [
        f"deb {uri} {suite}{'' if suite == './' else ' main'}\n" for uri, suite in places.items()
    ]
    (tmp_path / "sources.list").write_text("".join(lines))
    (tmp_path / "apt.conf").write_text(
        f'Dir::State::lists "{tmp_path}/lists"; Dir::State::status "{tmp_path}/status";'
        f'Dir::Etc::sourcelist "{tmp_path}/sources.list"; Dir::Etc::sourceparts "/nowhere";'
        'Acquire::Languages "none"; APT::Architecture "amd64";'
    )
    env = {**os.environ, "APT_CONFIG": str(tmp_path / "apt.conf")}
    argv = ["apt-get", "update", "--print-uris"]
    told = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout
    names = [line.split("' ")[1].split()[0] for line in told.splitlines() if "InRelease" in line]
    ours = [
        file_name(f"{uri}/{suite}" if suite == "./" else f"{uri}/dists/{suite}/") + "InRelease"
        for uri, suite in places.items()
    ]
    assert sorted(names) == sorted(ours)


def test_an_image_of_the_system(
    ground: Ground, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The same root as a layer; what a further layer changes."""

    def told(number: int, changes: dict[str, bytes | None]) -> list[tuple[str, str]]:
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            archive.add(ground.kept, arcname=".")
        image = tiny_image([packed.getvalue(), layer(changes)], architecture=ARCHITECTURE)
        folder = to_layout(tmp_path / str(number), {ARCHITECTURE: image})
        capfd.readouterr()
        run(["-C", str(ground.project), "check", "--image", str(folder), "--json"])
        found = json.loads(capfd.readouterr().out)["drift"]
        return [(d["code"], d["subject"]) for d in found if d["layer"] == "os"]

    assert told(0, {"usr/share/doc/.wh..wh..opq": b"", "usr/bin/more": b""}) == []
    changes: dict[str, bytes | None] = {
        "bin/tool": b"#!/bin/no\n",
        "usr/lib/.wh.libtool.so.1": b"",
        "etc/tool.conf": b"key = 2\n",
        "usr/local/bin/other": b"",
        "var/lib/dpkg/info/.wh.other.list": b"",
    }
    assert told(1, changes) == [
        ("OS102", "/usr/bin/tool"),
        ("OS101", "/usr/lib/libtool.so.1"),
        ("OS104", "other"),
        ("OS105", "/etc/tool.conf"),
    ]
