"""A bundle that is there, as a folder or as a tar archive: its files, nothing trusted.

Paths are checked when a bundle is opened: no link, no device, nothing outside of it, no name twice.
What the files hold is checked by ``verify``.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Protocol, cast

from envlock.errors import DiskError, UsageError, VerificationError
from envlock.io.copying import digest_of
from envlock.realise.bundle.layout import INDEX, MANIFEST

_LINE = re.compile(r"([0-9a-f]{64})  ([^\x00-\x1f\\\x7f]+)")
_PIECE = 1 << 20
_MAX_TEXT = 256 << 20
_NAMED = 10
_AGAIN = "get the bundle again from where it came from, or make it anew"


class Opened(Protocol):
    """A bundle's files."""

    @property
    def place(self) -> Path:
        """The folder or the archive."""

    @property
    def sizes(self) -> Mapping[str, int]:
        """The sizes of all files, in bytes, by path."""

    def open(self, path: str) -> IO[bytes]:
        """The file, to be read and closed."""

    def digest(self, path: str) -> str:
        """The SHA-256 of the file's bytes, in lower-case hex."""


def open_bundle(place: Path) -> Opened:
    """The bundle in a folder, or in a tar archive.

    Raises:
        UsageError: nothing is there that could be a bundle.
        VerificationError: it has what no bundle has, or is cut off.
    """
    if place.is_dir():
        if not any((place / name).exists() for name in (MANIFEST, INDEX)):
            raise UsageError(
                f"no bundle: the folder has neither {MANIFEST} nor {INDEX}",
                where=str(place),
                remedy="name what `envlock bundle` made",
            )
        return FolderBundle(place)
    if place.is_file():
        return ArchiveBundle(place)
    raise UsageError("no such folder or file", where=str(place))


def read_file(bundle: Opened, path: str) -> bytes:
    """All of a small file.

    Raises:
        VerificationError: it is not there, or not small.
    """
    if bundle.sizes.get(path, _MAX_TEXT + 1) > _MAX_TEXT:
        what = "is too large" if path in bundle.sizes else "is missing"
        raise refused(f"{path} {what}", bundle.place)
    with bundle.open(path) as file:
        return file.read()


def read_text(bundle: Opened, path: str) -> str:
    """All of a small file of text.

    Raises:
        VerificationError: it is not there, not small, or not UTF-8.
    """
    try:
        return read_file(bundle, path).decode("utf-8")
    except UnicodeDecodeError:
        raise refused(f"{path} is not UTF-8", bundle.place) from None


def read_manifest(bundle: Opened) -> dict[str, str]:
    """Path → SHA-256, as the manifest says.

    Raises:
        VerificationError: there is none (the bundle was not finished), or it is damaged.
    """
    if MANIFEST not in bundle.sizes:
        raise VerificationError(
            f"no bundle, or one that is not complete: {MANIFEST} is missing",
            where=str(bundle.place),
            remedy=f"run `envlock bundle` again to complete it, or {_AGAIN}",
        )
    found: dict[str, str] = {}
    folded: dict[str, str] = {}
    for number, line in enumerate(read_text(bundle, MANIFEST).splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if match is None:
            raise refused(f"{MANIFEST}: line {number} is none of a manifest", bundle.place)
        digest, path = match.groups()
        if not _inside(path) or path in found or path == MANIFEST:
            raise refused(f"{MANIFEST} names what no bundle has: {path}", bundle.place)
        found[path] = digest
        other = folded.setdefault(path.lower(), path)
        if other != path:
            raise refused(f"two names that are one on some systems: {other}, {path}", bundle.place)
    return found


@contextmanager
def as_file(bundle: Opened, path: str) -> Iterator[Path]:
    """The file under a path of this machine; in an archive, a copy that goes away again."""
    if isinstance(bundle, FolderBundle):
        yield bundle.place / path
        return
    with bundle.open(path) as content, tempfile.NamedTemporaryFile() as copy:
        shutil.copyfileobj(content, copy, _PIECE)
        copy.flush()
        yield Path(copy.name)


def refused(what: str, place: Path) -> VerificationError:
    """The error for a bundle that is not what it must be."""
    return VerificationError(what, where=str(place), remedy=_AGAIN)


def named(problems: Sequence[str], place: Path) -> VerificationError:
    """The error that names what is wrong, or the first of it."""
    if len(problems) == 1:
        return refused(problems[0], place)
    rest = len(problems) - _NAMED
    told = [*problems[:_NAMED], *([f"and {rest} more"] if rest > 0 else [])]
    lines = "\n".join(f"  {text}" for text in told)
    return refused(f"{len(problems)} files are not what they must be:\n{lines}", place)


def _inside(path: str) -> bool:
    return not path.startswith("/") and not {"", ".", ".."}.intersection(path.split("/"))


class FolderBundle:
    """A bundle in a folder."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._sizes: dict[str, int] = {}
        for parent, folders, files in os.walk(place, onerror=_unreadable):
            for name in folders:
                self._kind(Path(parent, name))
            for name in files:
                path = Path(parent, name)
                status = self._kind(path)
                self._sizes[path.relative_to(place).as_posix()] = status.st_size

    @property
    def place(self) -> Path:
        """The folder."""
        return self._place

    @property
    def sizes(self) -> Mapping[str, int]:
        """The sizes of all files, in bytes, by path."""
        return self._sizes

    def _kind(self, path: Path) -> os.stat_result:
        status = path.lstat()
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            kind = "a link" if stat.S_ISLNK(status.st_mode) else "no file"
            inner = path.relative_to(self.place).as_posix()
            raise refused(f"{kind}, which no bundle has: {inner}", self.place)
        return status

    def open(self, path: str) -> IO[bytes]:
        """The file, to be read and closed."""
        return (self.place / path).open("rb")

    def digest(self, path: str) -> str:
        """The SHA-256 of the file's bytes, in lower-case hex."""
        return digest_of(self.place / path)


class ArchiveBundle:
    """A bundle in an uncompressed tar archive, read where it is."""

    def __init__(self, place: Path) -> None:
        self._place = place
        self._sizes: dict[str, int] = {}
        self._offsets: dict[str, int] = {}
        self._top = self._last = ""
        heads: dict[str, int] = {}
        try:
            with tarfile.open(place, "r:") as archive:
                for member in archive:
                    self._add(member)
                    heads[member.name.partition("/")[2]] = member.offset
                end = archive.offset
            self._check_padding(heads)
        except (tarfile.TarError, ValueError, EOFError) as error:
            raise refused(
                f"no tar archive, or one that is cut off{self._behind}: {error}", place
            ) from None
        except OSError as error:
            raise DiskError(f"cannot read: {error.strerror}", where=str(place)) from None
        self._check_end(end)

    @property
    def place(self) -> Path:
        """The archive."""
        return self._place

    @property
    def sizes(self) -> Mapping[str, int]:
        """The sizes of all files, in bytes, by path."""
        return self._sizes

    def _add(self, member: tarfile.TarInfo) -> None:
        if member.isdir():
            return
        if not member.isreg() or member.issparse():
            raise refused(f"no plain file, which no bundle has: {member.name}", self.place)
        top, _, path = member.name.partition("/")
        self._top = self._top or top
        if not path or not _inside(member.name) or top != self._top:
            raise refused(f"a path that no bundle has: {member.name}", self.place)
        if path in self.sizes:
            raise refused(f"it is there twice: {member.name}", self.place)
        self._sizes[path], self._offsets[path] = member.size, member.offset_data
        self._last = member.name

    @property
    def _behind(self) -> str:
        return f", in or behind {self._last}" if self._last else ""

    def _check_padding(self, heads: Mapping[str, int]) -> None:
        """What fills blocks up is zeros, behind each file and in its head (of a long name)."""
        with self.place.open("rb", 0) as file:
            for path, size in self.sizes.items():
                place, data = heads[path], self._offsets[path]
                ends = [data + size]
                while place + tarfile.BLOCKSIZE < data:
                    field = os.pread(file.fileno(), 12, place + 124).rstrip(b"\0 ")
                    ends.append(place + tarfile.BLOCKSIZE + int(field, 8))
                    place = ends[-1] + -ends[-1] % tarfile.BLOCKSIZE
                for end in ends:
                    if os.pread(file.fileno(), -end % tarfile.BLOCKSIZE, end).strip(b"\0"):
                        raise refused(f"the archive was changed beside {path}", self.place)

    def _check_end(self, end: int) -> None:
        """After the last member come blocks of zeros, two at least, and nothing else."""
        with self.place.open("rb") as file:
            file.seek(end - end % tarfile.BLOCKSIZE if end else 0)
            rest = file.read(_PIECE)
            more = file.read(1)
        whole = len(rest) >= 2 * tarfile.BLOCKSIZE and not len(rest) % tarfile.BLOCKSIZE
        if not whole or rest.strip(b"\0") or more:
            what = f"the archive is cut off, or something follows it{self._behind}"
            raise refused(what, self.place)

    def open(self, path: str) -> IO[bytes]:
        """The file, to be read and closed."""
        return cast("IO[bytes]", _Slice(self.place, self._offsets[path], self.sizes[path]))

    def digest(self, path: str) -> str:
        """The SHA-256 of the file's bytes, in lower-case hex."""
        digest = hashlib.sha256()
        with self.open(path) as file:
            while piece := file.read(_PIECE):
                digest.update(piece)
        return digest.hexdigest()


class _Slice:
    """Some bytes of a file."""

    def __init__(self, place: Path, offset: int, size: int) -> None:
        self._file = place.open("rb", buffering=0)
        self._file.seek(offset)
        self._left = size

    def __enter__(self) -> _Slice:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def read(self, size: int = -1) -> bytes:
        """As of files: all that is left without a size."""
        wanted = self._left if size < 0 else min(size, self._left)
        pieces = []
        while wanted > 0 and (piece := self._file.read(wanted)):
            pieces.append(piece)
            wanted -= len(piece)
            self._left -= len(piece)
        return b"".join(pieces)

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _unreadable(error: OSError) -> None:
    raise DiskError(f"cannot read: {error.strerror}", where=str(error.filename)) from None
