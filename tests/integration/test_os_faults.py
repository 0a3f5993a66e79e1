"""Requests for OS packages that cannot be granted: the real command on a loopback archive.

Each one ends with one error, the right exit code, no traceback, and the lock as it was.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from support.project import PYTHON, Project, errors_in
from support.snapshot import SnapshotServer
from support.tiny_archive import Deb, Files, TinySuite, signer

OLD, NEW = datetime(2024, 1, 1, 12, tzinfo=UTC), datetime(2024, 6, 1, 12, tzinfo=UTC)
THEN, LATER = "2024-02-01", "2024-07-01"

_FIRST = (
    Deb(name="libc6", version="2.36-9", fields={"Essential": "yes"}),
    Deb(name="python3", version="3.11.2-1+b1", fields={"Depends": "python3.11 (>= 3.11.2)"}),
    Deb(name="python3.11", version="3.11.2-6", fields={"Depends": "libpython3.11"}),
    Deb(name="libpython3.11", version="3.11.2-6"),
    Deb(name="left", version="1", fields={"Depends": "libleft", "Conflicts": "right"}),
    Deb(name="right", version="1", fields={"Depends": "libright"}),
    Deb(name="libleft", version="1", fields={"Breaks": "libright (<< 2)"}),
    Deb(name="libright", version="1"),
    Deb(name="orphan", version="1", fields={"Depends": "libgone (>= 2), libc6"}),
    Deb(name="graphviz", version="2.42.2-7"),
)
_SECOND = (*_FIRST, Deb(name="latecomer", version="1:0.9-1"))


@cache
def _states() -> dict[str, dict[str, Files]]:
    def main(debs: tuple[Deb, ...], date: datetime) -> Files:
        key = signer()
        files = TinySuite(name="bookworm", debs=debs, date=date).files(key)
        return files | TinySuite(name="bookworm-updates", date=date).files(key)

    def security(date: datetime) -> Files:
        suite = TinySuite(name="bookworm-security", date=date, prefix="updates/")
        return suite.files(signer())

    return {
        "debian": {"20240101T120000Z": main(_FIRST, OLD), "20240601T120000Z": main(_SECOND, NEW)},
        "debian-security": {
            "20240101T120000Z": security(OLD),
            "20240601T120000Z": security(NEW),
        },
    }


@pytest.fixture
def archive() -> Iterator[SnapshotServer]:
    with SnapshotServer(_states()) as running:
        yield running


@pytest.fixture(scope="module")
def locked() -> dict[str, str]:
    """The text of the lock that all begin with, made by the first."""
    return {}


@pytest.fixture
def asking(project: Project, archive: SnapshotServer, locked: dict[str, str]) -> Project:
    """A project that asks for nothing but the base and its Python, and has a lock of it."""
    (project.root / "archive.pgp").write_bytes(signer().public)
    project.variables["ENVLOCK_HTTP_RETRIES"] = "0"
    ask(project, archive)
    if not locked:
        project.lock(as_of=THEN)
        locked["text"] = project.lock_path.read_text()
    project.lock_path.write_text(locked["text"])
    archive.forget_requests()
    return project


def ask(
    project: Project, archive: SnapshotServer, settings: dict[str, Any] | None = None, **layer: Any
) -> None:
    table = {"base": "debian:bookworm", "keyring": "archive.pgp", "mirrors": [archive.template]}
    chosen = {"targets": ["linux/amd64"], "python": "3.11", **(settings or {})}
    project.write(settings=chosen | {"os": table | layer})


def refusal(project: Project, code: int, as_of: str | None = THEN, **variables: str) -> str:
    said = project.refused(code=code, as_of=as_of, **variables)
    assert errors_in(said) == 1
    assert "help: " in said, "there is always something to do"
    return said


# --- a package that is not there ---------------------------------------------------------------


def test_a_mistyped_package_is_told_the_nearest_names(
    asking: Project, archive: SnapshotServer
) -> None:
    ask(asking, archive, packages=["grpahviz"])
    said = refusal(asking, 2)
    assert "there is no package grpahviz in bookworm, bookworm-updates, bookworm-security" in said
    assert "as of 2024-02-01T00:00:00Z" in said
    assert "did you mean graphviz?" in said


def test_a_package_that_came_later_is_told_since_when(
    asking: Project, archive: SnapshotServer
) -> None:
    ask(asking, archive, packages=["latecomer"])
    said = refusal(asking, 2)
    assert "debian first had 1:0.9-1 on 2024-06-01: take a later as-of" in said
    assert asking.lock(as_of=LATER).os is not None
    # Now the later index is at hand, too.
    said = refusal(asking, 2)
    assert "bookworm of 2024-06-01 has it (component main)" in said


def test_a_version_that_came_later_is_told_since_when(
    asking: Project, archive: SnapshotServer
) -> None:
    ask(asking, archive, packages=["latecomer=1:0.9-1", "graphviz=3"])
    said = refusal(asking, 2, as_of=LATER)
    assert "there is no graphviz 3 in bookworm" in said
    assert "there is: 2.42.2-7" in said


@pytest.mark.parametrize("fault", ["503", "cut", "nonsense", "nobody", "slow"])
def test_a_service_that_cannot_explain_changes_nothing(
    asking: Project, archive: SnapshotServer, fault: str
) -> None:
    ask(asking, archive, packages=["latecomer"])
    if fault == "nonsense":
        archive.tamper("/mr/binary/*", lambda _: b'{"result": [1, {}], "fileinfo": [[]]}')
    elif fault == "nobody":
        # Neither a list of imports nor anything else for programs.
        ask(asking, archive, packages=["latecomer"], mirrors=[archive.every])
    elif fault == "slow":
        archive.slow("/mr/binary/*", 60)
    else:
        archive.fail("/mr/binary/*", fault)  # type: ignore[arg-type]
    said = asking.refused(code=2, as_of=THEN)
    assert errors_in(said) == 1
    assert "there is no package latecomer" in said
    assert "first had" not in said


def test_a_component_that_was_not_asked_for_is_named(
    asking: Project, archive: SnapshotServer
) -> None:
    states = {name: dict(imports) for name, imports in _states().items()}
    drivers = TinySuite(
        name="bookworm",
        debs=_FIRST,
        date=OLD,
        components=("main", "contrib"),
        others={"contrib": (Deb(name="driver", version="5"),)},
    )
    states["debian"]["20240101T120000Z"] |= drivers.files(signer())
    archive.states = states
    cache = str(asking.root / "another-cache")
    ask(asking, archive, packages=["driver"], components=["main", "contrib"])
    assert asking.lock(as_of=THEN, ENVLOCK_CACHE_DIR=cache).os is not None
    ask(asking, archive, packages=["driver"])
    said = refusal(asking, 2, ENVLOCK_CACHE_DIR=cache)
    assert "bookworm of 2024-01-01 has it (component contrib)" in said


# --- a time, a suite, an archive that is not there ----------------------------------------------


@pytest.mark.parametrize(
    ("base", "as_of", "words"),
    [
        (
            "debian:trixie",
            "2022-05-01",
            "its archive opened 2023-06-10, it was released 2025-08-09",
        ),
        ("debian:bookworm", "2021-08-01", "its archive opened 2021-08-14"),
        ("ubuntu:noble", "2023-01-01", "ubuntu:noble did not exist yet on 2023-01-01"),
    ],
)
def test_a_suite_that_did_not_exist_yet(
    asking: Project, archive: SnapshotServer, base: str, as_of: str, words: str
) -> None:
    ask(asking, archive, base=base)
    said = refusal(asking, 2, as_of=as_of)
    assert words in said
    assert "take an older base or a later as-of" in said


def test_before_the_first_import_of_a_mirror(asking: Project) -> None:
    said = refusal(asking, 2, as_of="2023-12-01")
    assert "no state of debian is kept from 2023-12-01T00:00:00Z" in said
    assert "the first one is of 2024-01-01T12:00:00Z" in said


@pytest.mark.parametrize(
    ("base", "as_of", "first"),
    [("debian:sid", "2004-01-01", "2005-03-12"), ("ubuntu:jammy", "2022-05-01", "2023-03-01")],
)
def test_before_the_first_import_of_the_public_service(
    asking: Project, archive: SnapshotServer, base: str, as_of: str, first: str
) -> None:
    # Known without asking: nothing here reaches the service.
    ask(asking, archive, {"interpreter": "base-image"}, base=base, mirrors=[])
    archive.forget_requests()
    said = refusal(asking, 2, as_of=as_of, https_proxy=archive.base, no_proxy="127.0.0.1")
    assert f"the first one is of {first}" in said
    assert archive.count("/archive/*") == 0


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("live", [False, True])
def test_no_archive_can_be_reached(asking: Project, archive: SnapshotServer, live: bool) -> None:
    nobody = f"http://127.0.0.1:{_free_port()}"
    tail = "/live/{archive}" if live else "/archive/{archive}/{timestamp}"
    ask(asking, archive, mirrors=[nobody + tail], packages=["graphviz"])
    asking.lock_path.unlink()
    said = refusal(asking, 3, as_of=None if live else THEN)
    assert "no mirror of debian can be reached for bookworm" in said
    assert nobody in said
    assert "mirrors = " in said


def test_a_suite_that_the_mirror_does_not_have(asking: Project, archive: SnapshotServer) -> None:
    ask(asking, archive, {"interpreter": "base-image"}, base="debian:bullseye")
    said = refusal(asking, 2)
    assert "no mirror of debian has the suite bullseye at 2024-02-01T00:00:00Z" in said


def test_an_architecture_without_an_index(asking: Project, archive: SnapshotServer) -> None:
    ask(asking, archive, {"targets": ["linux/amd64", "linux/arm64"]})
    said = refusal(asking, 2)
    assert "bookworm has no architecture arm64" in said
    assert "it has amd64: change the targets" in said


def test_no_target_is_linux(asking: Project, archive: SnapshotServer) -> None:
    ask(asking, archive, {"targets": ["macos/arm64"]})
    said = refusal(asking, 2)
    assert "no target is Linux" in said


# --- keys ---------------------------------------------------------------------------------------


def test_no_keys_of_the_archive(asking: Project, archive: SnapshotServer) -> None:
    ask(asking, archive, keyring="keys/none.pgp", packages=["graphviz"])
    said = refusal(asking, 2)
    assert "cannot read the keyring: No such file or directory" in said
    (asking.root / "archive.pgp").write_text("no keys at all\n")
    ask(asking, archive, packages=["graphviz"])
    said = refusal(asking, 2)
    assert "archive.pgp" in said


def test_the_shipped_keys_do_not_vouch_for_another_archive(
    asking: Project, archive: SnapshotServer
) -> None:
    text = (asking.root / "pyproject.toml").read_text()
    (asking.root / "pyproject.toml").write_text(text.replace('keyring = "archive.pgp"\n', ""))
    (asking.root / "pylock.toml").unlink()
    said = refusal(asking, 4)
    assert "no signature by a key that counts" in said
    assert "keyring" in said.partition("help: ")[2]


# --- requests that exclude themselves -----------------------------------------------------------


def test_two_that_exclude_one_another_are_both_named(
    asking: Project, archive: SnapshotServer
) -> None:
    ask(asking, archive, packages=["left", "right"])
    said = refusal(asking, 2)
    assert "no set of packages holds left, python3.11, right" in said
    assert "right 1 cannot be chosen" in said
    assert "left 1 excludes right" in said


def test_what_excludes_it_is_named_through_whom_it_comes(
    asking: Project, archive: SnapshotServer
) -> None:
    ask(asking, archive, packages=["libleft", "right"])
    said = refusal(asking, 2)
    assert "right 1 needs libright" in said
    assert "libleft 1 excludes libright (<< 2)" in said


def test_a_dependency_that_is_nowhere_is_named(asking: Project, archive: SnapshotServer) -> None:
    ask(asking, archive, packages=["orphan"])
    said = refusal(asking, 2)
    assert "orphan 1 needs libgone (>= 2)" in said
    assert "libgone (>= 2) is not in bookworm" in said


# --- the interpreter ----------------------------------------------------------------------------


def test_the_suites_own_python_is_locked_with_what_it_needs(asking: Project) -> None:
    lock = asking.read()
    assert lock.os is not None
    names = {p.name: p.requested for p in lock.os.packages}
    assert names == {"libc6": False, "python3.11": True, "libpython3.11": False}
    assert 'provider = "debian:bookworm python3.11 3.11.2-6"' in asking.lock_path.read_text()


@pytest.mark.parametrize("python", ["3.13", "3.11.7"])
@pytest.mark.parametrize("interpreter", [None, "os"])
def test_a_python_that_the_suite_does_not_have_is_refused(
    asking: Project, archive: SnapshotServer, python: str, interpreter: str | None
) -> None:
    chosen = {"python": python} | ({"interpreter": interpreter} if interpreter else {})
    ask(asking, archive, chosen)
    said = refusal(asking, 2)
    assert f"debian:bookworm has no CPython {python} for linux/amd64" in said
    own = "python3 3.11.2-1+b1" if python == "3.13" else "python3.11 3.11.2-6"
    assert f"it has {own}" in said
    for choice in ("standalone", "base-image", "nixpkgs"):
        assert f'interpreter = "{choice}": ' in said


def test_the_patch_that_the_suite_has_is_the_suites(
    asking: Project, archive: SnapshotServer
) -> None:
    ask(asking, archive, {"python": "3.11.2"})
    lock = asking.lock(as_of=THEN)
    assert lock.os is not None
    assert lock.os.package("python3.11")


@pytest.mark.parametrize("interpreter", ["base-image", "nixpkgs"])
def test_who_provides_it_instead_is_in_the_lock(
    asking: Project, archive: SnapshotServer, interpreter: str
) -> None:
    settings = {"python": "3.13", "interpreter": interpreter, "nix": {"branch": "nixos-23.11"}}
    ask(asking, archive, settings)
    check = asking.run("lock", "--check")
    assert check.returncode == 1
    assert f"interpreter: was unset, is now {interpreter}" in check.stderr
    lock = asking.lock(as_of=THEN)
    assert lock.os is not None
    assert [p.name for p in lock.os.packages] == ["libc6"]
    assert lock.nixpkgs is not None
    revision = f" {lock.nixpkgs.rev}" if interpreter == "nixpkgs" else ""
    assert f'provider = "{interpreter}{revision}"' in asking.lock_path.read_text()


def test_without_a_stated_python_the_suites_own_is_taken(
    asking: Project, archive: SnapshotServer
) -> None:
    ask(asking, archive)
    path = asking.root / "pyproject.toml"
    path.write_text(path.read_text().replace('python = "3.11"\n', ""))
    asking.lock_path.unlink()
    assert [t.key for t in asking.lock(as_of=THEN).targets] == ["linux/amd64@3.11"]


@pytest.mark.parametrize(
    ("interpreter", "words"), [("os", "[tool.envlock.os]"), ("nixpkgs", "[tool.envlock.nix]")]
)
def test_what_shall_provide_it_has_to_be_locked(
    asking: Project, interpreter: str, words: str
) -> None:
    asking.write(settings={"python": PYTHON, "interpreter": interpreter})
    said = refusal(asking, 2)
    assert f'interpreter = "{interpreter}", but nothing of it is locked' in said
    assert words in said
    assert "pyproject.toml:" in said


def test_who_cannot_provide_it_is_told_who_can(asking: Project) -> None:
    asking.write(settings={"python": PYTHON, "interpreter": "conda"})
    said = refusal(asking, 2)
    assert "tool.envlock.interpreter: expected what provides the Python" in said
    assert 'interpreter = "standalone": an archive of python-build-standalone' in said


# --- a disk that is full ------------------------------------------------------------------------


def test_a_disk_that_is_full_in_mid_download_poisons_nothing(
    asking: Project, archive: SnapshotServer
) -> None:
    ask(asking, archive, packages=["graphviz"])
    before = asking.lock_path.read_bytes()
    # A limit on file sizes is what a full disk looks like; uv, which runs before, is let alone.
    tight = "import resource, runpy, sys; from envlock.resolve.os import lock\n"
    tight += "real = lock.make_os_layer\n"
    tight += "def limited(*a, **k):\n"
    tight += "    resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200)); return real(*a, **k)\n"
    tight += "lock.make_os_layer = limited; sys.argv[0] = 'envlock'\n"
    tight += "runpy.run_module('envlock', run_name='__main__')\n"
    done = subprocess.run(
        [sys.executable, "-c", tight, "lock", "--as-of", THEN],
        cwd=asking.root,
        env=os.environ
        | {"UV_DEFAULT_INDEX": asking.index.url}
        | asking.variables
        | {"ENVLOCK_CACHE_DIR": str(asking.root / "another-cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3, done.stderr
    assert errors_in(done.stderr) == 1
    assert "Traceback" not in done.stderr
    assert asking.lock_path.read_bytes() == before
    leftovers = [p for p in Path(asking.root / "another-cache").rglob(".*") if p.is_file()]
    assert not leftovers
    lock = asking.lock(as_of=THEN, ENVLOCK_CACHE_DIR=str(asking.root / "another-cache"))
    assert lock.os is not None
    assert lock.os.package("graphviz")
