"""``--build-root``: wheels are built in a root made of the locked .debs, and of nothing else.

The .debs are real ones of the machine's mirror: a compiler and a header that the machine lacks.
What the oracle says: the versions in the wheel are those of the .debs, and not of the machine.
"""

from __future__ import annotations

import ast
import ctypes
import json
import signal
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.project import Project
from support.real_debs import RealDebs, real_debs
from support.snapshot import SnapshotServer
from support.source_trees import add_sdist
from support.tiny_archive import signer

pytestmark = pytest.mark.network

TO_BUILD = ("tcc", "libc6-dev", "uthash-dev")
"""A compiler that is small to fetch and to unpack, and that machines do not have."""

COMPILED = r"""
import os, pathlib, subprocess, sys
place = pathlib.Path(__file__).parent.parent / "native"
(place / "native.c").write_text(
    '#include <uthash.h>\nint compiler(void) { return __TINYC__; }\n'
    'const char *header(void) { return "" UTHASH_VERSION_TEXT; }\n')
told = [line.split()[2] for line in open("/usr/include/uthash.h") if "UTHASH_VERSION" in line]
subprocess.run(["tcc", "-shared", "-fPIC", '-DUTHASH_VERSION_TEXT="%s"' % told[0], "-o",
                str(place / "native.so"), str(place / "native.c")], check=True)
(place / "native.c").unlink()
for path in ("/usr/new", "/etc/new", "/new"):
    try:
        open(path, "w")
        raise SystemExit("the root can be changed")
    except OSError:
        pass
pathlib.Path("/tmp/new").touch()
told = place.joinpath("native.so").read_bytes().hex(), sys.version, sorted(os.listdir("/"))
place.joinpath("made.py").write_text(repr(told))
"""
ORDINARY = ("unshare", "--user", "--map-user=1000", "--map-group=1000")
"""What follows is no root in its own eyes, and may do what an ordinary user may."""

WITHOUT_NAMESPACES = (
    *("unshare", "--user", "--map-root-user", "sh", "-c"),
    "echo 0 >/proc/sys/user/max_user_namespaces &&"
    ' exec setpriv --bounding-set=-all --inh-caps=-all --no-new-privs "$@"',
    "sh",
)


@contextmanager
def a_world(folder: Path, debs: RealDebs) -> Iterator[Project]:
    """A locked project with a package to be compiled."""
    root = folder / "project"
    root.mkdir()
    (root / "archive.pgp").write_bytes(signer().public)
    with SnapshotServer(debs.states(signer())) as archive, LoopbackIndex("json") as index:
        add_sdist(index, "native", before=COMPILED)
        os = {
            "base": "debian:bookworm",
            "build-packages": list(TO_BUILD),
            "keyring": "archive.pgp",
            "mirrors": [archive.template],
        }
        project = Project(root, index, {"ENVLOCK_CACHE_DIR": str(folder / "cache")})
        settings = {"targets": ["linux/amd64"], "python": "3.11", "sources": True, "os": os}
        project.write("native", settings=settings)
        project.lock(as_of="2024-02-01")
        yield project


def built(
    project: Project, *arguments: str, through: Sequence[str] = (), code: int = 0
) -> dict[str, Any]:
    """What ``envlock rebuild --from-source`` tells."""
    done = project.run("rebuild", "--from-source", "--json", *arguments, through=through)
    assert done.returncode == code, done.stdout + done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def made(cache: Path, sha256: str) -> tuple[str, str, list[str]]:
    """The library, Python's version and the root's folders, as the wheel has them."""
    with zipfile.ZipFile(cache / "sha256" / sha256[:2] / sha256) as wheel:
        found: tuple[str, str, list[str]] = ast.literal_eval(wheel.read("native/made.py").decode())
    return found


def killed_while_unpacking(project: Project, *arguments: str) -> None:
    """Half a root is there then, and does not look done."""
    process = project.start("rebuild", "--from-source", *arguments)
    roots = Path(project.variables["ENVLOCK_CACHE_DIR"], "build-roots")
    while not any(roots.glob(".making-*/made/root/usr/lib/*")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not [path for path in roots.iterdir() if not path.name.startswith(".making-")]


def test_compilers_and_headers_are_the_locked_ones(tmp_path: Path) -> None:
    debs = real_debs(tmp_path / "debs", ("python3.11", *TO_BUILD))
    versions = {deb.name: deb.version for deb in debs.old}
    with a_world(tmp_path, debs) as project:
        done = project.run("bundle", "--sources", "--output", "all")
        assert done.returncode == 0, done.stderr
        project.variables["ENVLOCK_CACHE_DIR"] = str(tmp_path / "elsewhere")
        offline = ("--from", "all", "--offline")
        nobody = project.run(
            "rebuild", "--from-source", "--offline", "--json", ENVLOCK_CACHE_DIR=tmp_path / "empty"
        )
        assert nobody.returncode == 3
        missing = [one["name"] for one in json.loads(nobody.stdout)["artifacts"]]
        assert set(TO_BUILD) < set(missing)
        killed_while_unpacking(project, *offline)

        # As an ordinary user, from the bundle alone.
        told = built(project, *offline, through=ORDINARY)
        [native] = told["built"]
        assert native["without-network"]
        root = told["build-root"]
        packages = project.read().os
        assert packages is not None
        assert root["from"] == "lock"
        assert root["packages"] == len(packages.packages) + len(packages.build_packages)
        assert root["python"] == versions["python3.11"].partition("-")[0]
        library, python, seen = made(tmp_path / "elsewhere", native["sha256"])
        assert python.startswith(root["python"])
        assert {"etc", "usr"} < set(seen) < {path.name for path in Path("/").iterdir()} | {"srv"}
        (tmp_path / "native.so").write_bytes(bytes.fromhex(library))
        code = ctypes.CDLL(str(tmp_path / "native.so"))
        code.header.restype = ctypes.c_char_p
        assert versions["tcc"].replace(".", "").startswith(f"0{code.compiler()}")
        assert versions["uthash-dev"].startswith(code.header().decode())

        # Built again on the machine as it is, as root, in other conditions: the same bytes.
        done = project.run("verify", *offline)
        assert done.returncode == 0, done.stderr
        assert f"in a root of {root['packages']} locked packages" in done.stderr
        assert "1 of 1 wheels are reproducible" in done.stderr
        assert "not tried" not in done.stderr

        # For want of namespaces it is this machine, which lacks the header, and that is said.
        told = built(project, "--recreate", through=WITHOUT_NAMESPACES, code=3)
        assert told["build-root"]["from"] == "machine"
        assert "lets programs have no other root" in told["build-root"]["reason"]
        asked = ("rebuild", "--from-source", "--build-root", "lock")
        done = project.run(*asked, through=WITHOUT_NAMESPACES)
        assert done.returncode == 3
        assert "--build-root machine builds with this machine's programs" in done.stderr
        done = project.run("doctor", through=WITHOUT_NAMESPACES)
        assert "programs may have no other root" in done.stdout
