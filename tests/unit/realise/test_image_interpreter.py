"""An archive of Python into a layer: what is put where, and what is refused by name."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from envlock.errors import EnvlockError
from envlock.io.store import store_file, stored
from envlock.lock.interpreter import StandalonePython
from envlock.lock.target import parse_target
from envlock.realise.image.interpreter import write_interpreter

GOOD = ("python/bin/python3.11", b"\x7fELF", 0o775)


def archive(folder: Path, *members: tarfile.TarInfo | tuple[str, bytes, int]) -> StandalonePython:
    """A build in the store, with a link from python3 beside the members."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        link = tarfile.TarInfo("python/bin/python3")
        link.type, link.linkname = tarfile.SYMTYPE, "python3.11"
        packed.addfile(link)
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                packed.addfile(member)
                continue
            info = tarfile.TarInfo(member[0])
            info.size, info.mode, info.uid, info.mtime = len(member[1]), member[2], 1000, 99
            packed.addfile(info, io.BytesIO(member[1]))
    (folder / "python.tar.gz").write_bytes(buffer.getvalue())
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()
    store_file(folder / "python.tar.gz", digest)
    return StandalonePython(
        target=parse_target("linux/amd64@3.11"),
        version="3.11.9",
        build="20240601",
        url="https://example.org/cpython-3.11.9-install_only.tar.gz",
        sha256=digest,
        size=len(buffer.getvalue()),
    )


def test_it_lies_in_opt_and_belongs_to_root(tmp_path: Path) -> None:
    pyc = ("python/lib/python3.11/__pycache__/os.cpython-311.pyc", b"x", 0o644)
    module = ("python/lib/python3.11/os.py", b"x", 0o600)
    made = write_interpreter(archive(tmp_path, GOOD, pyc, module), compression="none")
    with tarfile.open(stored(made.digest)) as packed:
        found = {info.name: info for info in packed}
    assert list(found) == [
        *("opt", "opt/python", "opt/python/bin", "opt/python/bin/python3"),
        *("opt/python/bin/python3.11", "opt/python/lib", "opt/python/lib/python3.11"),
        "opt/python/lib/python3.11/os.py",
    ]
    assert found["opt/python/bin/python3.11"].mode == 0o755
    assert found["opt/python/lib/python3.11/os.py"].mode == 0o644
    assert {(info.uid, info.gid, info.mtime) for info in found.values()} == {(0, 0, 315532800)}


def odd(name: str, kind: bytes, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


HOSTILE = {
    "another folder": ("etc/passwd", b"x", 0o644),
    "an absolute path": ("/python/x", b"x", 0o644),
    "a path upwards": ("python/../etc/passwd", b"x", 0o644),
    "a link out": odd("python/x", tarfile.SYMTYPE, "../../etc"),
    "an absolute link": odd("python/x", tarfile.SYMTYPE, "/etc"),
    "a device": odd("python/x", tarfile.CHRTYPE),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_members_are_refused_by_name(tmp_path: Path, kind: str) -> None:
    with pytest.raises(EnvlockError) as caught:
        write_interpreter(archive(tmp_path, GOOD, HOSTILE[kind]), compression="none")
    assert caught.value.exit_code == 4
    assert caught.value.where == "cpython-3.11.9-install_only.tar.gz"


def test_nothing_is_put_through_a_link(tmp_path: Path) -> None:
    link = odd("python/lib", tarfile.SYMTYPE, "bin")
    with pytest.raises(EnvlockError, match="is a link of"):
        write_interpreter(
            archive(tmp_path, link, ("python/lib/x", b"x", 0o644)), compression="none"
        )
