"""Tarballs that are no ``git archive``: each is refused by name, none is misread.

That the digest of the right ones is Nix's own is shown in tests/integration/test_narhash.py.
"""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import pytest

from envlock.errors import EnvlockError, SourceError, VerificationError
from envlock.resolve.nixpkgs.archive import SourceFacts, read_git_archive

REV = "0123456789" * 4

Member = tuple[str, bytes | None, dict[str, object]]


def entry(name: str, content: bytes | None = None, **fields: object) -> Member:
    """A file with ``content``, or (None) whatever ``fields`` say."""
    return name, content, fields


def tarball(tmp_path: Path, *members: Member, comment: str | None = REV) -> Path:
    path = tmp_path / "x.tar.gz"
    headers = {} if comment is None else {"comment": comment}
    with tarfile.open(path, "w:gz", format=tarfile.PAX_FORMAT, pax_headers=headers) as archive:
        for name, content, fields in members:
            info = tarfile.TarInfo(name)
            info.mtime = 1700000000
            for key, value in fields.items():
                setattr(info, key, value)
            if content is not None:
                info.size = len(content)
            archive.addfile(info, None if content is None else io.BytesIO(content))
    return path


TOP = entry("top", type=tarfile.DIRTYPE, mode=0o775)


def read(path: Path) -> SourceFacts:
    return read_git_archive(path, where="https://example.org/x.tar.gz")


def test_commit_date_and_digest_come_out(tmp_path: Path) -> None:
    early = entry("top/b", b"", mtime=1600000000)
    facts = read(tarball(tmp_path, TOP, entry("top/a", b"hi\n"), early))
    assert (facts.rev, facts.last_modified) == (REV, 1700000000)
    assert facts.nar_hash.startswith("sha256-")


def test_the_order_of_members_does_not_matter(tmp_path: Path) -> None:
    names = ["top/a-b/x", "top/a.b", "top/a/y", "top/a0"]
    members = [entry(name, name.encode() * 5000) for name in names]
    one = read(tarball(tmp_path, TOP, *members))
    assert read(tarball(tmp_path, TOP, *reversed(members))) == one
    other = [entry("top/a.b", b"another"), *(m for m in members if m[0] != "top/a.b")]
    assert read(tarball(tmp_path, TOP, *other)).nar_hash != one.nar_hash


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ([TOP, entry("top/a", b"1"), entry("top/a", b"2")], "is there twice"),
        ([TOP, entry("top/a", b"1"), entry("top/a", type=tarfile.DIRTYPE)], "is there twice"),
        ([TOP, entry("top/a", b"1"), entry("top/a/b", b"2")], "lies in what is no folder"),
        ([TOP, entry("other/a", b"1")], "lies outside the folder"),
        ([entry("a", b"1")], "lies outside the folder"),
        ([TOP, entry("top/../a", b"1")], "has a name that no file can have"),
        ([TOP, entry("top//a", b"1")], "has a name that no file can have"),
        ([TOP, entry("/top/a", b"1")], "folder"),
        ([TOP, entry("top/a", type=tarfile.FIFOTYPE)], "is neither file"),
        ([TOP, entry("top/a", b"1"), entry("top/b", type=tarfile.LNKTYPE, linkname="top/a")],
         "is neither file"),
    ],
)  # fmt: skip
def test_what_git_never_writes_is_refused(
    tmp_path: Path, members: list[Member], words: str
) -> None:
    with pytest.raises(VerificationError) as caught:
        read(tarball(tmp_path, *members))
    assert words in caught.value.what
    assert caught.value.where == "https://example.org/x.tar.gz"


@pytest.mark.parametrize("comment", [None, "main", ""])
def test_a_tarball_without_its_commit_is_refused(tmp_path: Path, comment: str | None) -> None:
    with pytest.raises(VerificationError, match="which commit"):
        read(tarball(tmp_path, TOP, entry("top/a", b"1"), comment=comment))


@pytest.mark.parametrize(
    "content", [b"", b"<html>no</html>", gzip.compress(b"no tarball at all", mtime=0)]
)
def test_what_is_no_tarball_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(SourceError, match="not a whole tarball"):
        read(tmp_path / "x")


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    whole = tarball(tmp_path, TOP, entry("top/a", b"1" * 700), entry("top/b", b"2")).read_bytes()
    for length in range(0, len(whole) - 1, 7):
        (tmp_path / "cut").write_bytes(whole[:length])
        with pytest.raises(EnvlockError):
            read(tmp_path / "cut")


def test_a_cut_below_the_compression_is_noticed(tmp_path: Path) -> None:
    """A server that stops in the middle may still close the compressed stream properly."""
    path = tarball(tmp_path, TOP, entry("top/a", b"1" * 700), entry("top/b", b"2" * 700))
    plain = gzip.decompress(path.read_bytes())
    whole = read(path)
    for length in range(100, plain.index(b"2" * 700) + 699, 512):
        path.write_bytes(gzip.compress(plain[:length]))
        with pytest.raises(EnvlockError):
            read(path)
    assert whole.last_modified == 1700000000


def test_a_damaged_header_is_not_taken_for_the_end(tmp_path: Path) -> None:
    path = tarball(tmp_path, TOP, entry("top/a", b"1"), entry("top/b", b"2"))
    plain = bytearray(gzip.decompress(path.read_bytes()))
    plain[plain.index(b"top/b")] = ord("x")
    path.write_bytes(gzip.compress(bytes(plain)))
    with pytest.raises(SourceError, match="a header is damaged"):
        read(path)
