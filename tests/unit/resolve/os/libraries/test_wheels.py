"""One wheel: what its files need and bring."""

from __future__ import annotations

import hashlib
import zipfile
from io import BytesIO
from pathlib import Path

import pytest
from support.elf import ARM64, I386, shared_object
from support.packages import make_wheel

from envlock.errors import SourceError, VerificationError
from envlock.io.cache import DiskCache
from envlock.io.http.client import Http
from envlock.io.paths import cache_dir
from envlock.io.progress import SilentReporter
from envlock.resolve.os.libraries.wheels import (
    LARGE_FILE,
    WheelFile,
    WheelLibraries,
    WheelReader,
    scan,
)

LINUX = "cp311-cp311-manylinux_2_17_x86_64"


def scanned(*, large: bool = False, **files: bytes) -> WheelLibraries:
    """A wheel with these files; ``__`` in a name stands for a slash."""
    named = {name.replace("__", "/"): content for name, content in files.items()}
    return scan_files(named, large=large)


def scan_files(files: dict[str, bytes], *, large: bool = False) -> WheelLibraries:
    _, content = make_wheel("lib", "1", tag=LINUX, files=files)
    with zipfile.ZipFile(BytesIO(content)) as archive:
        return scan(archive, large=large)


def sonames(found: WheelLibraries, architecture: str = "amd64") -> list[str]:
    return list(found.needs.get(architecture, {}))


def test_the_c_library_is_taken_for_granted_and_nothing_else() -> None:
    c = ("libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "ld-linux-x86-64.so.2")
    allowed = ("libGL.so.1", "libX11.so.6", "libgcc_s.so.1", "libstdc++.so.6")
    found = scan_files({"lib/_x.cpython-311-x86_64-linux-gnu.so": shared_object(*c, *allowed)})
    assert sonames(found) == list(allowed)


def test_its_own_libraries_are_brought_wherever_they_lie() -> None:
    found = scan_files(
        {
            "lib/_x.so": shared_object("libown-1a2b.so.1", "libother.so.2", "libz.so.1"),
            "lib.libs/libown-1a2b.so.1": shared_object(soname="libown-1a2b.so.1"),
            "lib-1.data/platlib/lib/libother.so.2.5": shared_object(soname="libother.so.2"),
        }
    )
    assert sonames(found) == ["libz.so.1"]
    assert "lib/libother.so.2.5" in found.places
    assert "libother.so.2" in found.brings


def test_each_way_to_look_is_kept() -> None:
    found = scan_files(
        {
            "lib/a.so": shared_object("libshared.so.1", runpath="$ORIGIN/../common/lib:/opt/built"),
            "lib/sub/b.so": shared_object("libshared.so.1", rpath="${ORIGIN}/../../common/lib"),
            "lib/c.so": shared_object("libshared.so.1"),
        }
    )
    assert found.needs["amd64"]["libshared.so.1"] == ((), ("common/lib",))


def test_files_for_other_machines_and_c_libraries_count_for_none() -> None:
    found = scan_files(
        {
            "lib/a.so": shared_object("libi386.so.1", machine=I386, bits=32),
            "lib/b.so": shared_object("libarm.so.1", machine=ARM64),
            "lib/c.so": shared_object("libmusl.so.1", "libc.musl-x86_64.so.1"),
            "lib/d.so": shared_object("liblog.so", "libc.so"),
            "lib/e.so": b"no ELF file",
            "lib/f.so": shared_object("/opt/built/libpath.so.1"),
        }
    )
    assert sonames(found) == []
    assert sonames(found, "arm64") == ["libarm.so.1"]


def test_programs_count() -> None:
    tool = shared_object("libtool.so.1")
    assert sonames(scan_files({"lib-1.data/scripts/tool": tool})) == ["libtool.so.1"]
    assert sonames(scan_files({"lib/bin/tool": tool})) == ["libtool.so.1"]
    assert sonames(scan_files({"lib/data/tool.bin": tool})) == []


def test_large_files_of_large_wheels_are_left_unread_and_named() -> None:
    # Bytes that do not pack: digests.
    noise = b"".join(hashlib.sha256(n.to_bytes(4)).digest() for n in range(LARGE_FILE // 32 + 9))
    big = shared_object("libbig.so.1", soname="libhuge.so.1") + noise
    files = {"lib/huge.so.1": big, "lib/a.so": shared_object("libsmall.so.1", "huge.so.1")}
    found = scan_files(files, large=True)
    assert found.unread == ("lib/huge.so.1",)
    assert sonames(found) == ["libsmall.so.1"]
    whole = scan_files(files)
    assert whole.unread == ()
    assert sonames(whole) == ["libbig.so.1", "libsmall.so.1"]


def local(tmp_path: Path, content: bytes, sha256: str | None = None) -> WheelFile:
    path = tmp_path / "lib-1-py3-none-any.whl"
    path.write_bytes(content)
    digest = sha256 or hashlib.sha256(content).hexdigest()
    return WheelFile(name=path.name, sha256=digest, size=len(content), url=None, path=path)


def read(file: WheelFile) -> WheelLibraries:
    with Http() as http:
        reader = WheelReader(http, lambda _: None, SilentReporter())
        return reader.read_all([file])[file.sha256]


def test_an_answer_is_remembered_by_digest(tmp_path: Path) -> None:
    _, content = make_wheel("lib", "1", files={"lib/a.so": shared_object("libGL.so.1")})
    file = local(tmp_path, content)
    first = read(file)
    assert sonames(first) == ["libGL.so.1"]
    assert file.path is not None
    file.path.unlink()
    assert read(file) == first
    for path in (cache_dir() / "wheel-libraries-v1").glob("*/*"):
        path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(SourceError):  # a damaged answer is none
        read(file)


@pytest.mark.parametrize("body", [b"", b"[]", b'{"needs": {"amd64": []}}', b'{"needs": 1}'])
def test_an_answer_kept_in_another_shape_is_none(tmp_path: Path, body: bytes) -> None:
    _, content = make_wheel("lib", "1", files={"lib/a.so": shared_object("libGL.so.1")})
    file = local(tmp_path, content)
    DiskCache("wheel-libraries-v1").put(file.sha256, body)
    assert sonames(read(file)) == ["libGL.so.1"]


def test_a_wheel_on_this_disk_is_verified(tmp_path: Path) -> None:
    _, content = make_wheel("lib", "1")
    with pytest.raises(VerificationError):
        read(local(tmp_path, content, sha256="0" * 64))


def test_what_is_no_zip_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="not a readable wheel"):
        read(local(tmp_path, b"not a zip file"))


def test_a_packed_file_that_is_damaged_is_an_error(tmp_path: Path) -> None:
    _, content = make_wheel("lib", "1", files={"lib/a.so": shared_object("libGL.so.1") * 50})
    at = content.index(b"lib/a.so") + 40
    with pytest.raises(SourceError, match="not a readable wheel"):
        read(local(tmp_path, content[:at] + b"\xff" * 20 + content[at + 20 :]))
