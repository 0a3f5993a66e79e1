"""Who has a library: from the archive's ``Contents`` indexes (Debian's repository format).

The chain of trust is that of ``Packages``: the packed file's digest stands in the signed Release.
Of some 150 MB of text, the lines about libraries are kept, under the digest of the packed file.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import re
import zlib
from collections.abc import Callable, Iterator, Sequence
from io import BufferedIOBase
from pathlib import Path

from envlock.errors import DiskError, SourceError, VerificationError
from envlock.io.cache import DiskCache
from envlock.io.http.client import Http
from envlock.io.http.fetch import fetch
from envlock.resolve.os.archive.suite import INDEX_LIMIT, Variant, VerifiedSuite
from envlock.resolve.os.libraries.choice import Holders

_TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""Architecture → its multiarch folder (Debian Policy §9.1.1; of the targets that can be locked)."""

_CHUNK = 1024 * 1024
_UNPACKED: dict[str, Callable[[Path], BufferedIOBase]] = {
    ".gz": gzip.GzipFile,
    ".xz": lzma.LZMAFile,
    ".bz2": bz2.BZ2File,
    "": lambda path: path.open("rb"),
}


class Contents:
    """The libraries of several ``Contents`` indexes.

    Args:
        texts: one line each, in front and behind too: ``=`` or ``-`` (below), file name, tab,
            packages separated by commas.
    """

    def __init__(self, texts: Sequence[bytes]) -> None:
        self._texts = texts

    def holders(self, soname: str) -> Holders:
        """Who has a file called so."""
        return Holders(found=self._holders("=", soname), below=self._holders("-", soname))

    def _holders(self, kind: str, soname: str) -> tuple[str, ...]:
        start = f"\n{kind}{soname}\t".encode()
        names: set[str] = set()
        for text in self._texts:
            at = text.find(start)
            if at >= 0:
                line = text[at + len(start) : text.index(b"\n", at + 1)]
                names.update(line.decode().split(","))
        return tuple(sorted(names))


def read_contents(suites: Sequence[VerifiedSuite], architecture: str, http: Http) -> Contents:
    """The libraries in all components of the suites, the main one first.

    Raises:
        SourceError: the main suite's Release lists no ``Contents``, or nobody has the file.
        VerificationError: a file has other bytes than the Release says.
    """
    texts = []
    for suite in suites:
        listed = list(_listed(suite, architecture))
        if not listed and suite is suites[0]:
            raise SourceError(
                f"the Release of {suite.suite.name} lists no Contents for {architecture}:"
                " nobody can say which package has a library",
                where=suite.folder,
                remedy="use another mirror, or set libraries = false in [tool.envlock.os]",
            )
        texts += [_libraries(variants, architecture, http) for variants in listed]
    return Contents(texts)


def _listed(suite: VerifiedSuite, architecture: str) -> Iterator[tuple[Variant, ...]]:
    """One index per component (Debian), or one for all (Ubuntu)."""
    paths = [f"{component}/Contents-{architecture}" for component in suite.components]
    for path in (*paths, f"Contents-{architecture}"):
        variants = suite.variants(path)
        if variants:
            yield variants


def _libraries(variants: Sequence[Variant], architecture: str, http: Http) -> bytes:
    cache = DiskCache("os-contents-v1")
    keys = [f"{variant.wanted.sha256} {architecture}" for variant in variants]
    for key in keys:
        known = cache.get(key)
        if known is not None:
            return known
    failures: list[SourceError] = []
    for key, variant in zip(keys, variants, strict=True):
        try:
            path = fetch(http, variant.wanted)
        except DiskError:
            raise
        except SourceError as error:
            failures.append(error)  # mirrors leave out the unpacked form that a Release lists
            continue
        text = _extract(path, variant, architecture)
        cache.put(key, text)
        return text
    raise failures[0]


def _extract(path: Path, variant: Variant, architecture: str) -> bytes:
    triplet = re.escape(_TRIPLETS[architecture])
    folders = [
        ("=", rf"lib/{triplet}/"),
        ("=", rf"usr/lib/{triplet}/"),
        ("=", r"lib/"),
        ("=", r"usr/lib/"),
        ("=", r"lib64/"),
        ("=", r"usr/lib64/"),
        ("-", rf"usr/lib/{triplet}/[^/\s]+/"),
    ]
    patterns = [
        (kind, re.compile(rf"\n(?:\./)?{folder}([^/\s]+\.so(?:\.[^/\s]*)?)[ \t]+(\S+)".encode()))
        for kind, folder in folders
    ]
    found: dict[tuple[str, bytes], set[bytes]] = {}
    for lines in _lines(path, variant):
        for kind, pattern in patterns:
            for name, places in pattern.findall(lines):
                # "libs/libgl1,universe/libs/libgl1-other": the last part is the package.
                packages = {place.rpartition(b"/")[2] for place in places.split(b",")}
                found.setdefault((kind, name), set()).update(packages)
    rows = [
        kind.encode() + name + b"\t" + b",".join(sorted(packages))
        for (kind, name), packages in sorted(found.items())
    ]
    return b"\n" + b"\n".join(rows) + b"\n"


def _lines(path: Path, variant: Variant) -> Iterator[bytes]:
    """The unpacked text in pieces of whole lines, a newline before each line."""
    rest, size = b"\n", 0
    try:
        with _UNPACKED[variant.suffix](path) as file:
            while chunk := file.read(_CHUNK):
                size += len(chunk)
                if size > INDEX_LIMIT:
                    raise ValueError(f"it unpacks to more than {INDEX_LIMIT} bytes")
                text = rest + chunk
                cut = text.rfind(b"\n")
                rest = text[cut:]
                yield text[: cut + 1]
            yield rest + b"\n"
    except (OSError, EOFError, ValueError, lzma.LZMAError, zlib.error) as error:
        raise VerificationError(
            f"{variant.wanted.name} cannot be unpacked: {error}",
            where=variant.wanted.urls[0],
            remedy="use another mirror",
        ) from None
