"""What the ELF files of a wheel need and bring, remembered by the wheel's digest.

A wheel is fetched once, whole, into the store, and verified. One of more than ``LARGE`` bytes is
not: parts of it are read by range requests, and its packed files of more than ``LARGE_FILE`` bytes
are left unread. Which files count depends on the wheel alone, never on how it was read, so that
every machine gets the same answer. See docs/decisions/0007-system-libraries.md.
"""

from __future__ import annotations

import json
import lzma
import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from envlock.errors import SourceError
from envlock.io.cache import DiskCache
from envlock.io.http.client import Http, Login
from envlock.io.http.fetch import PARALLEL, Wanted, fetch, verify_local
from envlock.io.progress import Reporter
from envlock.io.store import stored
from envlock.resolve.os.libraries.elf import MACHINES, Elf, read_elf
from envlock.resolve.os.libraries.ranges import NoRangesError, RangeFile

LARGE = 100_000_000
LARGE_FILE = 16_000_000
C_LIBRARY = re.compile(
    r"(?:ld-linux[a-z0-9_.-]*|lib(?:c|m|mvec|dl|rt|pthread|util|resolv|anl))\.so\.[0-9]+"
)
"""The loader and what else glibc itself consists of: a base without them runs nothing.

Of all that PEP 513, 571, 599 and 600 let a manylinux wheel lean on, this is the only part that is
taken for granted. The rest (libGL.so.1, libX11.so.6, libstdc++.so.6, libgcc_s.so.1 …) is there or
not as the locked packages say.
"""

_IN_MEMORY = 32 * 1024 * 1024
_UNPACKED_LIMIT = 4 * 1024**3
_SHARED = re.compile(r"\.so(\.[^/]+)?$")
# Programs: what installers put on the PATH, and what packages keep in a folder "bin".
_PROGRAM = re.compile(r"(^[^/]+\.data/scripts/|(^|/)bin/)[^/.]+$")
# What installers put where packages lie (the binary distribution format).
_INSTALLED = re.compile(r"^[^/]+\.data/(?:purelib|platlib)/")
_ORIGIN = re.compile(r"^\$(?:ORIGIN|\{ORIGIN\})(?=/|$)")
# musl's and Android's C library: such files are for another system, and unused on this one.
_OTHER_LIBC = re.compile(r"libc\.so|libc\.musl-.*")
# All that zipfile lets through when a file is damaged, or packed in a way that it does not know.
_BROKEN = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    EOFError,
    ArithmeticError,
    LookupError,
    RuntimeError,
    ValueError,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelFile:
    """A locked wheel: ``url``, or a ``path`` on this disk. ``size`` is in bytes, where known."""

    name: str
    sha256: str
    size: int | None
    url: str | None
    path: Path | None = None

    @property
    def large(self) -> bool:
        """Whether only parts of it are read."""
        return self.size is not None and self.size > LARGE


Searched = tuple[str, ...]
"""Folders of an installation, from where packages lie in it: ``PySide6/Qt/lib``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelLibraries:
    """What a wheel needs beyond glibc and its own files, and what it brings.

    ``needs``: architecture → soname → the folders that its files look in for it, one entry for
    each way to look. ``brings``: file names and sonames of its libraries; ``places``: their paths
    in an installation. ``unread``: paths in the wheel of files too large to look into.
    """

    needs: Mapping[str, Mapping[str, tuple[Searched, ...]]]
    brings: frozenset[str]
    places: frozenset[str]
    unread: tuple[str, ...]


class WheelReader:
    """Reads wheels, several at a time.

    Args:
        http: for those that are not here.
        login: gives user and password for a URL.
        reporter: told how many are done.
    """

    def __init__(
        self, http: Http, login: Callable[[str], Login | None], reporter: Reporter
    ) -> None:
        self._http = http
        self._login = login
        self._reporter = reporter
        self._cache = DiskCache("wheel-libraries-v1")

    def read_all(self, files: Iterable[WheelFile]) -> dict[str, WheelLibraries]:
        """Digest → what that wheel needs and brings.

        Raises:
            SourceError: a wheel cannot be had, or is no zip file.
            VerificationError: it has other bytes than the lock says.
        """
        wanted = {file.sha256: file for file in files}
        found = {digest: self._remembered(file) for digest, file in wanted.items()}
        left = [wanted[digest] for digest, known in found.items() if known is None]
        answers = {digest: known for digest, known in found.items() if known is not None}
        if not left:
            return answers
        self._reporter.step("reading which libraries wheels need")
        with ThreadPoolExecutor(PARALLEL, thread_name_prefix="envlock-wheel") as pool:
            pending = {pool.submit(self._read, file): file.sha256 for file in left}
            try:
                for done, future in enumerate(as_completed(pending), 1):
                    answers[pending[future]] = future.result()
                    self._reporter.progress(done, len(left))
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                self._http.abandon()
                raise
        return answers

    def _remembered(self, file: WheelFile) -> WheelLibraries | None:
        """What is known of the wheel by its verified bytes; else by parts from the same address.

        A part of a file proves nothing about the file's digest: what one server says must not
        speak for another's file, and yields to a whole wheel that has come to the store since.
        """
        known = self._cache.get(file.sha256)
        if known is None and file.large and not stored(file.sha256).exists():
            known = self._cache.get(f"{file.sha256} {file.url}")
        return None if known is None else _decoded(known)

    def _read(self, file: WheelFile) -> WheelLibraries:
        if file.large and file.url is not None and not stored(file.sha256).exists():
            try:
                found = self._from_parts(file, file.url)
            except (NoRangesError, *_BROKEN):
                pass  # what a whole, verified wheel says is better than an error
            else:
                self._cache.put(f"{file.sha256} {file.url}", _encoded(found))
                return found
        path = self._whole(file)
        try:
            with zipfile.ZipFile(path) as archive:
                found = scan(archive, large=file.large)
        except (*_BROKEN, OSError) as error:
            raise SourceError(
                f"{file.name} is not a readable wheel: {error}",
                where=file.url or str(file.path),
                remedy="exclude this version by a constraint",
            ) from None
        self._cache.put(file.sha256, _encoded(found))
        return found

    def _from_parts(self, file: WheelFile, url: str) -> WheelLibraries:
        remote = RangeFile(self._http, url, login=self._login(url))
        with zipfile.ZipFile(remote) as archive:
            entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
            ends = [*(entry.header_offset for entry in entries[1:]), archive.start_dir]
            remote.prefetch(
                (entry.header_offset, end)
                for entry, end in zip(entries, ends, strict=True)
                if _counts(entry) and not _too_large(entry, large=True)
            )
            return scan(archive, large=True)

    def _whole(self, file: WheelFile) -> Path:
        """The wheel on disk, verified."""
        if file.path is not None:
            verify_local(file.path, file.sha256, remedy="restore the file, or lock it anew")
            return file.path
        wanted = Wanted(
            name=file.name,
            sha256=file.sha256,
            size=file.size,
            urls=() if file.url is None else (file.url,),
            login=self._login,
        )
        return fetch(self._http, wanted)


def scan(archive: zipfile.ZipFile, *, large: bool) -> WheelLibraries:
    """What the files of a wheel need and bring.

    Args:
        large: leave out large files.
    """
    needs: dict[str, dict[str, set[Searched]]] = {}
    brings: set[str] = set()
    places: set[str] = set()
    unread = []
    for entry in archive.infolist():
        if not _counts(entry):
            continue
        place = _INSTALLED.sub("", entry.filename)
        if _SHARED.search(place):
            brings.add(place.rpartition("/")[2])
            places.add(place)
        if _too_large(entry, large=large):
            unread.append(entry.filename)
            continue
        elf = _elf(archive, entry)
        if elf is None or any(_OTHER_LIBC.fullmatch(soname) for soname in elf.needed):
            continue
        if elf.soname:
            brings.add(elf.soname)
        searched = _searched(elf, place)
        for architecture in _architectures(elf):
            for soname in elf.needed:
                needs.setdefault(architecture, {}).setdefault(soname, set()).add(searched)
    return WheelLibraries(
        needs={
            architecture: {
                soname: tuple(sorted(ways))
                for soname, ways in sorted(found.items())
                # A name with a slash is a path, which the loader does not search for.
                if "/" not in soname and soname not in brings and not C_LIBRARY.fullmatch(soname)
            }
            for architecture, found in needs.items()
        },
        brings=frozenset(brings),
        places=frozenset(places),
        unread=tuple(sorted(unread)),
    )


def _searched(elf: Elf, place: str) -> Searched:
    """The folders that the loader looks in for what the file at ``place`` needs.

    Absolute ones are of the machine that built the wheel, and left out.
    """
    here = place.rpartition("/")[0]
    folders = (_ORIGIN.sub(lambda _: here, folder, count=1) for folder in elf.search)
    relative = (folder for folder in folders if not folder.startswith(("/", "$")))
    return tuple(dict.fromkeys(posixpath.normpath(folder) for folder in relative))


def _counts(entry: zipfile.ZipInfo) -> bool:
    """Whether the file may be ELF, by its name: reading each file's first bytes is too much."""
    return bool(_SHARED.search(entry.filename) or _PROGRAM.search(entry.filename))


def _too_large(entry: zipfile.ZipInfo, *, large: bool) -> bool:
    return entry.file_size > _UNPACKED_LIMIT or (large and entry.compress_size > LARGE_FILE)


def _elf(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Elf | None:
    with archive.open(entry) as member:
        if member.read(4) != b"\x7fELF":
            return None
        member.seek(0)
        # Seeking back in a packed file unpacks it again: worth it only for the memory's sake.
        return read_elf(BytesIO(member.read()) if entry.file_size <= _IN_MEMORY else member)


def _architectures(elf: Elf) -> Iterator[str]:
    for architecture, kind in MACHINES.items():
        if kind == (elf.bits, elf.machine):
            yield architecture


def _encoded(found: WheelLibraries) -> bytes:
    content = {
        "needs": found.needs,
        "brings": sorted(found.brings),
        "places": sorted(found.places),
        "unread": found.unread,
    }
    return json.dumps(content, sort_keys=True).encode()


def _decoded(content: bytes) -> WheelLibraries | None:
    """What was kept; None where another envlock kept it in another shape."""
    try:
        table = json.loads(content)
        return WheelLibraries(
            needs={
                architecture: {
                    soname: tuple(tuple(folders) for folders in ways)
                    for soname, ways in found.items()
                }
                for architecture, found in table["needs"].items()
            },
            brings=frozenset(table["brings"]),
            places=frozenset(table["places"]),
            unread=tuple(table["unread"]),
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
