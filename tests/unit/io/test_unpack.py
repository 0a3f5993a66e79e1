"""Archives are unpacked whole, and nothing of a hostile one lands outside."""

from __future__ import annotations

import io
import stat
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.packages import tar_gz

from envlock.io import unpack as module
from envlock.io.unpack import OddArchiveError, unpack

Member = tuple[tarfile.TarInfo, bytes]


def member(
    name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = ""
) -> Member:
    entry = tarfile.TarInfo(name)
    entry.type, entry.linkname, entry.size = kind, link, len(content)
    return entry, content


def tar(*members: Member, mode: str = "w:gz") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:  # type: ignore[call-overload]
        for entry, content in members:
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def unpacked(content: bytes, folder: Path) -> Path:
    (folder / "archive").write_bytes(content)
    (folder / "into").mkdir()
    return unpack(folder / "archive", folder / "into")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_of_any_compression(tmp_path: Path, mode: str) -> None:
    program = member("p-1/run", b"#!")
    program[0].mode = 0o777
    members = [member("p-1", kind=tarfile.DIRTYPE), program, member("p-1/a/b/c.txt", b"text")]
    root = unpacked(tar(*members, mode=mode), tmp_path)
    assert root.name == "p-1"
    assert (root / "a/b/c.txt").read_bytes() == b"text"
    assert stat.S_IMODE((root / "run").stat().st_mode) == 0o755
    assert not (root / "a/b/c.txt").stat().st_mode & 0o111


def test_a_zip_and_an_archive_without_one_folder_at_its_top(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("setup.py", "x")
        archive.writestr("lib/", "")
        archive.writestr("lib/a.py", "y")
    root = unpacked(buffer.getvalue(), tmp_path)
    assert root == tmp_path / "into"
    assert (root / "lib/a.py").read_text() == "y"


def test_links_that_stay_inside_are_kept(tmp_path: Path) -> None:
    root = unpacked(
        tar(
            member("p/real/file", b"x"),
            member("p/soft", kind=tarfile.SYMTYPE, link="real/file"),
            member("p/folder", kind=tarfile.SYMTYPE, link="real"),
            member("p/folder/more", b"y"),
            member("p/hard", kind=tarfile.LNKTYPE, link="p/real/file"),
            member("p/twice", b"first"),
            member("p/twice", b"second"),
            member("p/soft", b"in its place"),
        ),
        tmp_path,
    )
    assert (root / "real/more").read_bytes() == b"y"
    assert (root / "hard").read_bytes() == b"x"
    assert (root / "twice").read_bytes() == b"second"
    assert (root / "soft").read_bytes() == b"in its place"
    assert (root / "real/file").read_bytes() == b"x"


SYM, HARD = tarfile.SYMTYPE, tarfile.LNKTYPE


@pytest.mark.parametrize(
    "members",
    [
        [member("../out", b"x")],
        [member("p/../../out", b"x")],
        [member("/tmp/out", b"x")],
        [member("p/up", kind=SYM, link="../../..")],
        [member("p/up", kind=SYM, link="/etc")],
        [member("p/hard", kind=HARD, link="../../etc/passwd")],
        [member("p/hard", kind=HARD, link="p/missing")],
        [member("p/device", kind=tarfile.CHRTYPE)],
        [member("p/pipe", kind=tarfile.FIFOTYPE)],
        # Each link alone stays inside; together they lead out.
        [
            member("p/here", kind=SYM, link="."),
            member("p/out", kind=SYM, link="here/here/here/../../../.."),
            member("p/out/x", b"x"),
        ],
        [
            member("a/b", kind=tarfile.DIRTYPE),
            member("l", kind=SYM, link="q/r/../.."),
            member("q", kind=SYM, link="."),
            member("r", kind=SYM, link="."),
            member("l/x", b"x"),
        ],
    ],
)
def test_what_leads_out_is_refused(tmp_path: Path, members: list[Member]) -> None:
    before = set(tmp_path.parent.iterdir())
    with pytest.raises(OddArchiveError):
        unpacked(tar(*members), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "into"}
    assert set(tmp_path.parent.iterdir()) == before


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"no archive at all",
        lambda content: b"",
        lambda content: content[:60],
        lambda content: content[:40] + b"\xff" * 20 + content[60:],
    ],
)
def test_what_is_damaged_is_refused(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    content = tar_gz({f"p/{n}": bytes(range(256)) * n for n in range(9)})
    with pytest.raises(OddArchiveError):
        unpacked(damage(content), tmp_path)


def test_a_small_file_does_not_fill_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(OddArchiveError, match="more than 1000 bytes"):
        unpacked(tar_gz({"p/a": b"0" * 600, "p/b": b"0" * 600}), tmp_path)
