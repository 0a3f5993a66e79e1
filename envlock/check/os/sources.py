"""apt's sources and lists of a root: archives that the lock does not have, packages only from them.

Who signs an archive decides, not where it is served: a mirror of the locked archives is none of
this, whatever its address.
"""

from __future__ import annotations

import gzip
import lzma
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import unquote

from envlock.check.drift import Code, Drift, drift
from envlock.check.os.observe import Status
from envlock.check.os.root import Root
from envlock.errors import EnvlockError
from envlock.io.apt_config import AptSource, apt_sources
from envlock.io.http.urls import without_credentials
from envlock.lock.os import OsLayer

_LISTS = "var/lib/apt/lists"
_ORIGIN = re.compile(rb"^Origin: *(.*?) *$", re.MULTILINE)
_NAMES = re.compile(rb"^Package: *(\S+)", re.MULTILINE)
_PACKED = {".gz": gzip.decompress, ".xz": lzma.decompress}
_UNREADABLE = (".lz4", ".zst", ".bz2", ".lzma")
"""Lists that nothing here unpacks count as not there."""
_QUOTED = re.compile(r"[\x00-\x20_\\|{}\[\]<>\"^~=!@#$%*]")
_MAX_LIST_BYTES = 512 * 1024 * 1024
_HEAD = 4096


def compare_sources(
    system: Root, layer: OsLayer, architecture: str, installed: Status
) -> list[Drift]:
    """Sources that are none of the locked archives, and packages beyond the lock from elsewhere.

    What apt has fetched (``var/lib/apt/lists``) says who offers a package; images mostly come
    without, and then nothing is said of packages.

    Args:
        system: the root; the files that decide are added to ``looked_at``.
        layer: the lock's.
        architecture: Debian's name.
        installed: from ``observe_os``.
    """
    sources = apt_sources(Path(system.folder or "/"))
    for path in ("etc/apt/sources.list", "etc/apt/sources.list.d"):
        system.looked_at.add(f"{system.folder}/{path}")
    for source in sources:
        system.looked_at.add(source.origin.rpartition(":")[0])
    lists = _Lists(system)
    foreign = {}
    for source in sources:
        reason = _foreign(system, source, layer, lists)
        if reason is not None:
            foreign[source] = reason
    found = [
        drift(
            Code.OS_FOREIGN_SOURCE,
            f"{without_credentials(source.uri)} {' '.join(source.suites)}",
            found=f"{source.origin.removeprefix(system.folder)}: {reason}",
        )
        for source, reason in foreign.items()
    ]
    locked = {p.name for p in layer.packages if p.architecture == architecture}
    beyond = {name for name, _ in installed if name not in locked}
    own = [source for source in sources if source not in foreign]
    return found + _packages(lists, beyond, own, list(foreign))


def _packages(
    lists: _Lists, beyond: set[str], own: list[AptSource], foreign: list[AptSource]
) -> list[Drift]:
    """Packages that no locked archive offers, by name: versions go, and are no sign."""
    offered = lists.names(own)
    if not beyond or not offered or not all(lists.has(source) for source in own):
        return []
    left = beyond - offered
    found = []
    for source in foreign:
        offered = left & lists.names([source])
        left -= offered
        told = f"from {without_credentials(source.uri)}"
        found += [drift(Code.OS_FOREIGN_PACKAGE, name, found=told) for name in sorted(offered)]
    told = "no source of apt has it"
    return found + [drift(Code.OS_FOREIGN_PACKAGE, name, found=told) for name in sorted(left)]


def _foreign(system: Root, source: AptSource, layer: OsLayer, lists: _Lists) -> str | None:
    """Why a source is none of the locked archives; None: it is one, as far as can be seen."""
    from envlock.resolve.os.distributions.distribution import parse_base

    if source.unsigned:
        return "it needs no signature (trusted)"
    base = parse_base(layer.base)
    # From its backports, apt takes nothing that nobody asked for.
    suites = {archive.suite for archive in layer.archives} | {f"{base.codename.name}-backports"}
    others = [suite for suite in source.suites if suite not in suites]
    if others:
        return f"the lock has no suite {' '.join(others)}"
    components = [one for one in source.components if one not in base.distribution.components]
    if components or not source.components:
        return f"{layer.base} has no component {' '.join(components)}".rstrip()
    if source.signed_by:
        signed = _signed_by(system, source, layer)
        return None if signed is not False else f"signed by {', '.join(source.signed_by)}"
    origin = lists.origin(source)
    if origin is not None and origin.lower() != base.distribution.name:
        return f"its Release is of {origin}"
    return None


def _signed_by(system: Root, source: AptSource, layer: OsLayer) -> bool | None:
    """Whether a key that the source names signed the locked archives; None: it cannot be read."""
    from envlock.resolve.os.archive.archive import default_keyring
    from envlock.resolve.os.archive.trust import read_keyring
    from envlock.resolve.os.distributions.distribution import parse_base

    known = {archive.key.lower() for archive in layer.archives}
    known |= set(default_keyring(parse_base(layer.base)).keys)
    answers = []
    for name in source.signed_by:
        if not name.startswith("/"):
            answers.append(any(key.endswith(name.rstrip("!").lower()) for key in known))
            continue
        system.looked_at.add(system.folder + name)
        try:
            answers.append(not known.isdisjoint(read_keyring(Path(system.folder + name)).keys))
        except EnvlockError:
            return None
    return any(answers)


class _Lists:
    """What apt has fetched, by source: ``HOST_PATH_dists_SUITE_…``."""

    def __init__(self, system: Root) -> None:
        self._system = system
        self._folder = f"{system.folder}/{_LISTS}"
        system.looked_at.add(self._folder)
        try:
            self._files = sorted(os.listdir(self._folder))
        except OSError:
            self._files = []

    def has(self, source: AptSource) -> bool:
        """Whether there is a list of packages of some suite: apt keeps no empty ones."""
        return any(any(self._of(source, suite, "Packages")) for suite in source.suites)

    def names(self, sources: Iterable[AptSource]) -> set[str]:
        """The packages that the sources offer."""
        found: set[bytes] = set()
        for source in sources:
            for suite in source.suites:
                for file in self._of(source, suite, "Packages"):
                    found.update(_NAMES.findall(self._read(file)))
        return {name.decode("utf-8", "replace") for name in found}

    def origin(self, source: AptSource) -> str | None:
        """Who made the first suite's Release, as it says."""
        for file in self._of(source, source.suites[0], "Release"):
            match = _ORIGIN.search(self._read(file, _HEAD))
            if match is not None:
                return match[1].decode("utf-8", "replace")
        return None

    def _of(self, source: AptSource, suite: str, kind: str) -> Iterator[str]:
        if suite.endswith("/"):
            start = file_name(f"{source.uri}/{suite}")
        else:
            start = file_name(f"{source.uri}/dists/{suite}/")
        for file in self._files:
            if file.endswith(_UNREADABLE):
                continue
            if file.startswith(start) and kind in file[len(start) :]:
                yield file

    def _read(self, file: str, most: int = _MAX_LIST_BYTES) -> bytes:
        path = f"{self._folder}/{file}"
        self._system.looked_at.add(path)
        unpack = _PACKED.get(os.path.splitext(file)[1])
        try:
            with open(path, "rb") as opened:
                content = opened.read(most)
            return content if unpack is None else unpack(content)
        except (OSError, EOFError, lzma.LZMAError):
            return b""


def file_name(uri: str) -> str:
    """apt's name of what it fetched from there."""
    rest = uri.partition("://")[2] or uri.partition(":")[2]
    host, slash, path = rest.partition("/")
    plain = host.rpartition("@")[2] + slash + path
    quoted = _QUOTED.sub(lambda match: f"%{ord(match[0]):02x}", unquote(plain))
    return quoted.replace("/", "_")
