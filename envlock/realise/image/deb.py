"""Reads .debs (deb(5)): the control files, and the data as a tar archive that can be sought in.

What is read was verified by its digest before; it may still be odd, which is an error that names
the file.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import tempfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from envlock.realise.image.tree import odd_file

IN_MEMORY = 8 << 20
"""Bytes of unpacked data above which they go to the disk."""

MAX_DATA = 16 << 30
_MAX_CONTROL = 64 << 20
_PIECE = 1 << 20
_MAGIC = b"!<arch>\n"
_HEADER = 60
_BROKEN = (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error, tarfile.TarError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """The control part of a .deb.

    ``files`` are the members of ``control.tar`` by name (``control``, ``postinst``, …), those in
    ``executable`` may be run; ``paragraph`` has the control file's fields in their order, each with
    its text as it stands (continuation lines included); ``name`` is what messages call it.
    """

    name: str
    path: Path
    files: Mapping[str, bytes]
    executable: frozenset[str]
    paragraph: Mapping[str, str]

    @property
    def package(self) -> str:
        """The package's name."""
        return self.paragraph["Package"].strip()

    @property
    def architecture(self) -> str:
        """The package's own architecture: ``all`` stays ``all``."""
        return self.paragraph["Architecture"].strip()

    @property
    def info_name(self) -> str:
        """What dpkg calls its files about the package."""
        same = self.paragraph.get("Multi-Arch", "").strip() == "same"
        return f"{self.package}:{self.architecture}" if same else self.package


def read_control(path: Path, name: str) -> Deb:
    """The control part of a .deb.

    Raises:
        UsageError: it is no .deb, or damaged.
    """
    files: dict[str, bytes] = {}
    executable = set()
    with _member(path, name, "control.tar") as (content, kind):
        try:
            data = _decompressed(content, kind).read(_MAX_CONTROL)
            with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as packed:
                for member in packed:
                    plain = member.name.removeprefix("./")
                    if not member.isfile() or "/" in plain:
                        continue
                    stream = packed.extractfile(member)
                    files[plain] = stream.read() if stream else b""
                    if member.mode & 0o111:
                        executable.add(plain)
        except _BROKEN as error:
            raise odd_file(f"its control part cannot be read: {error}", name) from None
    paragraph = _paragraph(files.get("control", b""), name)
    return Deb(
        name=name,
        path=path,
        files=files,
        executable=frozenset(executable),
        paragraph=paragraph,
    )


def unpacked_data(path: Path, name: str) -> IO[bytes]:
    """The data part, decompressed, at its start; the caller closes it. Large ones are on disk.

    Raises:
        UsageError: it is no .deb, or damaged.
    """
    spool = cast("IO[bytes]", tempfile.SpooledTemporaryFile(IN_MEMORY))  # noqa: SIM115
    try:
        with _member(path, name, "data.tar") as (content, kind):
            try:
                plain = _decompressed(content, kind)
                room = MAX_DATA
                while piece := plain.read(_PIECE):
                    room -= len(piece)
                    if room < 0:
                        raise odd_file(f"it unpacks to more than {MAX_DATA} bytes", name)
                    spool.write(piece)
            except _BROKEN as error:
                raise odd_file(f"its data part cannot be read: {error}", name) from None
        spool.seek(0)
    except BaseException:
        spool.close()
        raise
    return spool


@contextmanager
def _member(path: Path, name: str, wanted: str) -> Iterator[tuple[IO[bytes], str]]:
    """The member of the ar archive whose name starts so, and how it is compressed."""
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise odd_file("it is no Debian package", name)
        while header := file.read(_HEADER):
            try:
                size = int(header[48:58])
            except ValueError:
                raise odd_file("it is a damaged Debian package", name) from None
            if len(header) != _HEADER or header[58:] != b"`\n" or size < 0:
                raise odd_file("it is a damaged Debian package", name)
            member = header[:16].decode("ascii", "replace").strip().rstrip("/")
            if member == wanted or member.startswith(wanted + "."):
                yield cast("IO[bytes]", _Slice(file, size)), member[len(wanted) :]
                return
            file.seek(size + size % 2, io.SEEK_CUR)
    raise odd_file(f"it has no {wanted}", name)


class _Slice(io.RawIOBase):
    """The next bytes of a file."""

    def __init__(self, file: IO[bytes], size: int) -> None:
        self._file = file
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(cast("bytearray", buffer))
        data = self._file.read(min(len(view), self._left))
        self._left -= len(data)
        view[: len(data)] = data
        return len(data)


def _decompressed(content: IO[bytes], kind: str) -> IO[bytes]:
    buffered = io.BufferedReader(cast("io.RawIOBase", content), _PIECE)
    if kind == ".xz" or kind == ".lzma":
        return cast("IO[bytes]", lzma.LZMAFile(buffered))
    if kind == ".gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=buffered))
    if kind == ".bz2":
        return cast("IO[bytes]", bz2.BZ2File(buffered))
    if kind == ".zst":
        import zstandard

        reader = zstandard.ZstdDecompressor().stream_reader(buffered, read_across_frames=True)
        return cast("IO[bytes]", reader)
    if kind == "":
        return buffered
    raise ValueError(f"unknown compression {kind}")


def _paragraph(control: bytes, name: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    last = None
    try:
        text = control.decode("utf-8")
    except UnicodeDecodeError:
        raise odd_file("its control file is not UTF-8", name) from None
    for line in text.splitlines():
        if line[:1] in (" ", "\t"):
            if last is None:
                raise odd_file("its control file is damaged", name)
            fields[last] += "\n" + line
        elif line.strip():
            key, colon, value = line.partition(":")
            if not colon:
                raise odd_file("its control file is damaged", name)
            last = key.strip()
            fields[last] = value.lstrip(" \t")
    if not {"Package", "Version", "Architecture"} <= fields.keys():
        raise odd_file("its control file lacks Package, Version or Architecture", name)
    return fields
