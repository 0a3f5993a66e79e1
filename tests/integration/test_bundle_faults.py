"""Bundles that were damaged, on the way or on purpose: refused, and the file is named."""

from __future__ import annotations

import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.bundles import judge, rebuild
from support.index import LoopbackIndex
from support.install import locked, write_lock
from support.project import Project, errors_in
from support.small_disk import small_disk
from support.tools import run

from envlock.errors import VerificationError
from envlock.io.progress import SilentReporter
from envlock.realise.bundle.opened import open_bundle
from envlock.realise.bundle.verify import verify

OLDER = "2024-01-01"
TOP = "envlock-bundle"


@pytest.fixture(scope="module")
def index() -> Iterator[LoopbackIndex]:
    with LoopbackIndex("json") as running:
        yield running


@pytest.fixture
def bundle(project: Project, index: LoopbackIndex, tmp_path: Path) -> Path:
    """A folder ``good`` with a bundle, and ``good.tar`` beside it; its lock is the project's."""
    project.variables["ENVLOCK_CACHE_DIR"] = str(tmp_path / "cache")
    data = {"big/data": random.Random(1).randbytes(100_000)}
    files = [index.add("big", "1.0", OLDER, files=data), index.add("small", "1.0", OLDER)]
    project.write("big", "small")
    write_lock(project.root, *(locked(index, file) for file in files))
    for output in ("good", "good.tar"):
        assert project.run("bundle", "--output", output).returncode == 0
    return project.root / "good"


def refusal(place: Path, digest: str | None = None) -> str:
    """What is said of a bundle that must be refused."""
    with pytest.raises(VerificationError) as caught:
        verify(open_bundle(place), SilentReporter(), expected=digest)
    return str(caught.value)


def paths(place: Path) -> list[str]:
    return sorted(p.relative_to(place).as_posix() for p in place.rglob("*") if p.is_file())


def test_every_file_counts_and_every_bit_of_it(bundle: Path) -> None:
    chance = random.Random(7)
    digest = hashlib.sha256((bundle / "SHA256SUMS").read_bytes()).hexdigest()
    verify(open_bundle(bundle), SilentReporter(), expected=digest)

    def changes(content: bytes) -> Iterator[bytes]:
        for place in {0, len(content) - 1, *(chance.randrange(len(content)) for _ in range(3))}:
            bit = 1 << chance.randrange(8)
            yield content[:place] + bytes([content[place] ^ bit]) + content[place + 1 :]
        yield content[:-1]
        yield content + b"\n"
        yield b""

    for path in paths(bundle):
        file, times = bundle / path, os.stat(bundle / path)
        content = file.read_bytes()
        for changed in changes(content):
            file.write_bytes(changed)
            os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # as bit rot does
            said = refusal(bundle, digest)
            assert path in said or path == "SHA256SUMS"
        file.unlink()
        assert path in refusal(bundle)
        file.write_bytes(content)
    for path in ("extra", "files/extra", f"files/{'0' * 64}/extra", ".hidden"):
        (bundle / path).parent.mkdir(exist_ok=True)
        (bundle / path).write_bytes(b"")
        assert f"not of the bundle: {path}" in refusal(bundle)
        (bundle / path).unlink()
    (bundle / "files" / ("0" * 64)).rmdir()
    judge(bundle)


def test_every_byte_of_an_archive_counts(bundle: Path, tmp_path: Path) -> None:
    chance = random.Random(8)
    content = bundle.with_suffix(".tar").read_bytes()
    bad = tmp_path / "bad.tar"
    with tarfile.open(bundle.with_suffix(".tar")) as archive:
        members = archive.getmembers()
    # Within each member: its head, its bytes, and what fills the block up.
    places = {chance.randrange(len(content)) for _ in range(60)}
    for member in members:
        ends = (member.offset_data, member.offset_data + -(-member.size // 512) * 512)
        places |= {member.offset + chance.randrange(148), chance.randrange(*ends), ends[1] - 1}
        places.add(member.offset_data - 1 - chance.randrange(350))
    for place in sorted(places):
        changed = bytearray(content)
        changed[place] ^= 1 << chance.randrange(8)
        bad.write_bytes(changed)
        said = refusal(bad)
        inside = next((m for m in members if m.offset_data <= place < m.offset_data + m.size), None)
        if inside is not None and not inside.name.endswith("SHA256SUMS"):
            assert inside.name.removeprefix(f"{TOP}/") in said
    lengths = {chance.randrange(len(content)) for _ in range(60)}
    for length in lengths - set(range(0, len(content), 512)):
        bad.write_bytes(content[:length])
        seen = [m.name for m in members if m.offset_data <= length]
        said = refusal(bad)
        assert not seen or seen[-1] in said or "cut off" not in said


def hostile(kind: bytes, name: str, link: str = "") -> Callable[[tarfile.TarFile], None]:
    def add(archive: tarfile.TarFile) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = kind, link
        archive.addfile(member, io.BytesIO())

    return add


HOSTILE = {
    "up": hostile(tarfile.REGTYPE, f"{TOP}/files/../../outside"),
    "up alone": hostile(tarfile.REGTYPE, "../outside"),
    "absolute": hostile(tarfile.REGTYPE, "/etc/outside"),
    "elsewhere": hostile(tarfile.REGTYPE, "other/outside"),
    "a dot": hostile(tarfile.REGTYPE, f"{TOP}/./outside"),
    "symbolic link out": hostile(tarfile.SYMTYPE, f"{TOP}/outside", "/etc/passwd"),
    "symbolic link inside": hostile(tarfile.SYMTYPE, f"{TOP}/outside", "README.md"),
    "hard link out": hostile(tarfile.LNKTYPE, f"{TOP}/outside", "/etc/passwd"),
    "hard link inside": hostile(tarfile.LNKTYPE, f"{TOP}/outside", f"{TOP}/README.md"),
    "character device": hostile(tarfile.CHRTYPE, f"{TOP}/outside"),
    "block device": hostile(tarfile.BLKTYPE, f"{TOP}/outside"),
    "pipe": hostile(tarfile.FIFOTYPE, f"{TOP}/outside"),
    "unknown kind": hostile(b"Z", f"{TOP}/outside"),
    "twice": hostile(tarfile.REGTYPE, f"{TOP}/README.md"),
    "other case": hostile(tarfile.REGTYPE, f"{TOP}/Readme.md"),
    "one more": hostile(tarfile.REGTYPE, f"{TOP}/files/outside"),
    "long": hostile(tarfile.REGTYPE, f"{TOP}/../{'long' * 80}/outside"),
}


def test_hostile_archives_are_refused_by_all(
    bundle: Path, project: Project, tmp_path: Path
) -> None:
    """And nothing is written anywhere."""
    good, bad = bundle.with_suffix(".tar"), tmp_path / "bad.tar"
    for name, add in HOSTILE.items():
        shutil.copy(good, bad)
        with tarfile.open(bad, "a") as archive:
            add(archive)
            what = archive.getnames()[-1].removeprefix(f"{TOP}/")
        assert what in refusal(bad), name
    # Two names in the manifest, too, that are one on some systems.
    manifest, copy = bundle / "SHA256SUMS", bundle / "Readme.md"
    shutil.copy(bundle / "README.md", copy)
    lines = manifest.read_text().splitlines(keepends=True)
    lines += [line.replace("README", "Readme") for line in lines if "README" in line]
    manifest.write_text("".join(sorted(lines, key=lambda line: line[66:])))
    assert "README.md, Readme.md" in refusal(bundle)

    content = good.read_bytes()
    changed, wheel = bytearray(content), "big-1.0-py3-none-any.whl"
    with tarfile.open(good) as archive:
        [member] = [one for one in archive.getmembers() if one.name.endswith(wheel)]
        changed[member.offset_data + 99] ^= 1
    forms = {"changed": (bytes(changed), wheel), "cut": (content[: len(content) // 2], "cut off")}
    before = {path for path in tmp_path.rglob("*") if "cache" not in path.parts}
    project.variables["ENVLOCK_CACHE_DIR"] = str(tmp_path / "empty-cache")
    for name, (form, said) in forms.items():
        bad.write_bytes(form)
        for command in (
            ("bundle", "verify", str(bad)),
            ("rebuild", "--offline", "--into", "env", "--from", str(bad)),
            ("mirror", "serve", str(bad)),
        ):
            done = project.run(*command)
            assert done.returncode == 4, (name, command, done.stderr)
            assert said in done.stderr, (name, command)
            assert errors_in(done.stderr) == 1
    for path in (bundle / "README.md", next(bundle.glob("files/*/small*"))):
        path.unlink()
        done = project.run("rebuild", "--offline", "--into", "env", "--from", str(bundle))
        assert done.returncode == 4
        assert path.name in done.stderr or "Readme.md" in done.stderr
    left = {path for path in tmp_path.rglob("*") if not {"cache", "empty-cache"} & {*path.parts}}
    assert {path for path in left - before if path.name != "empty-cache"} == set()


def test_a_killed_rebuild_and_a_full_disk_leave_nothing_half_done(
    bundle: Path, project: Project, tmp_path: Path
) -> None:
    script, into = str(bundle / "rebuild.sh"), tmp_path / "env"
    began = time.monotonic()
    rebuild(bundle, {**os.environ}, "--into", into)
    took = time.monotonic() - began
    run(["rm", "-rf", into])
    for part in (0.3, 0.6, 0.9):
        running = subprocess.Popen(
            ["dash", script, "--into", into], stderr=subprocess.PIPE, start_new_session=True
        )
        time.sleep(took * part)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        if into.exists():
            run([into / "bin" / "python", "-c", "import big, small"])
            run(["rm", "-rf", into])
    rebuild(bundle, {**os.environ}, "--into", into)
    assert project.run("check", "--python-only", "--prefix", str(into)).returncode == 0
    assert not [path for path in tmp_path.iterdir() if path.name.endswith("partial")]
    with small_disk(tmp_path, 60_000) as disk:
        place = disk.folder / "env"
        done = rebuild(bundle, {**os.environ}, "--into", place, through=disk.prefix, code=3)
        assert disk.message in done.stderr
        assert "Traceback" not in done.stderr
        assert disk.left() == []
    assert json.loads(project.run("bundle", "verify", "good", "--json").stdout)["files"]
