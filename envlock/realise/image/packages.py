"""Packages of a distribution → layers, without running anything of them, on any system.

Packages are written one after the other, ``base-passwd`` and ``base-files`` first (they say what
owners and the common folders are), then by name; within a package in its own order. Then comes what
their scripts would have made, and dpkg's database. No layer is in memory as a whole: the data of a
package is unpacked ahead, into memory while it is small, else to the disk.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from envlock.errors import UsageError
from envlock.io.store import stored
from envlock.lock.os import OsPackage
from envlock.realise.image import dpkg
from envlock.realise.image.deb import Deb, read_control, unpacked_data
from envlock.realise.image.effects import CAPTURED, EFFECTS, diversions
from envlock.realise.image.folder import FolderWriter
from envlock.realise.image.layer import Layer, LayerWriter
from envlock.realise.image.ldcache import LIBRARY, TRIPLETS, cache, fits, folders
from envlock.realise.image.scripts import Alternative, judge
from envlock.realise.image.tree import ALIASES, Node, Tree, odd_file, outside, unknown_kind
from envlock.resolve.os.libraries.elf import read_elf

SETUID = frozenset(
    {
        *("usr/bin/chage", "usr/bin/chfn", "usr/bin/chsh", "usr/bin/expiry", "usr/bin/gpasswd"),
        *("usr/bin/mount", "usr/bin/newgrp", "usr/bin/passwd", "usr/bin/su", "usr/bin/umount"),
        *("usr/bin/wall", "usr/bin/write", "usr/bin/write.ul", "usr/sbin/unix_chkpwd"),
        "usr/bin/ssh-agent",
    }
)
"""Programs of the base that run as another user or group: kept as packaged. Others are refused,
unless the project names their package itself."""

_FIRST = {"base-passwd": 0, "base-files": 1}
_AHEAD = 4
_LINKED = ("bin", "sbin", "lib")
_PRIVILEGE = 0o6000


@dataclass(slots=True)
class Root:
    """What the layers of a root have so far: shared by the base's and those on top of it.

    ``sonames`` are the shared libraries by path; ``""`` for one that does not say its name.
    """

    base: str
    architecture: str
    tree: Tree = field(default_factory=lambda: Tree(aliases=ALIASES))
    installed: list[dpkg.Installed] = field(default_factory=list)
    alternatives: dict[str, list[Alternative]] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    sonames: dict[str, str] = field(default_factory=dict)

    def state(self) -> dict[str, object]:
        """What ``restore`` needs beside the packages themselves, as JSON has it."""
        return {
            "contents": {path: data.decode("latin-1") for path, data in self.contents.items()},
            "sonames": self.sonames,
            "md5": {p.deb.package: dict(p.md5) for p in self.installed},
            "paths": {p.deb.package: list(p.paths) for p in self.installed},
            "tree": self.tree.rows(),
        }

    @classmethod
    def restore(
        cls, base: str, architecture: str, packages: Sequence[OsPackage], state: dict[str, Any]
    ) -> Root:
        """A root as it was after these packages, which the store has."""
        tree = Tree(aliases=ALIASES, rows=state["tree"])
        root = cls(base=base, architecture=architecture, tree=tree)
        root.contents = {path: text.encode("latin-1") for path, text in state["contents"].items()}
        root.sonames = dict(state["sonames"])
        for package in _ordered(packages):
            deb = _control(package)
            root.installed.append(
                dpkg.Installed(
                    deb=deb,
                    paths=tuple(state["paths"][deb.package]),
                    md5=state["md5"][deb.package],
                )
            )
            for entry in judge(deb, base):
                root.alternatives.setdefault(entry.name, []).append(entry)
        return root


def _ordered(packages: Sequence[OsPackage]) -> list[OsPackage]:
    return sorted(packages, key=lambda p: (_FIRST.get(p.name, 2), p.name))


def _control(package: OsPackage) -> Deb:
    return read_control(stored(package.sha256), package.file_name.rpartition("/")[2])


def write_layer(
    root: Root,
    packages: Sequence[OsPackage],
    *,
    title: str,
    compression: str,
) -> Layer:
    """Unpack packages of one architecture, all of which the store has, into a layer on ``root``.

    Raises:
        UsageError: a package cannot be read, or needs its scripts.
        VerificationError: a package has what would leave the root, a device, or a setuid program
            that was not asked for; or two packages have the same path.
    """
    with LayerWriter(title, compression) as writer:
        _write(root, packages, writer, lambda package: package.requested)
        return writer.settle()


def write_folder(
    root: Root,
    packages: Sequence[OsPackage],
    folder: Path,
    *,
    advance: Callable[[], None] = lambda: None,
) -> None:
    """Unpack packages, all of which the store has, into an empty folder, as this user.

    No program keeps another user's privileges, so that none is refused for having them.

    Args:
        root: an empty one.
        packages: of one architecture.
        folder: where.
        advance: called after each package.

    Raises:
        UsageError: a package cannot be read, or needs its scripts.
        VerificationError: a package has what would leave the root, or a device; or two packages
            have the same path.
        OSError: the disk cannot take it.
    """

    def asked(_package: OsPackage) -> bool:
        advance()
        return True

    _write(root, packages, FolderWriter(folder), asked)


def _write(
    root: Root,
    packages: Sequence[OsPackage],
    writer: LayerWriter | FolderWriter,
    asked: Callable[[OsPackage], bool],
) -> None:
    ordered = _ordered(packages)
    debs = [_control(package) for package in ordered]
    alternatives = [entry for deb in debs for entry in judge(deb, root.base)]
    unpacking = _Unpacking(root, writer)
    if not root.installed:
        unpacking.begin()
    for deb, package, data in _ahead(debs, ordered):
        with data:
            unpacking.add(deb, data, asked=asked(package))
    unpacking.finish(debs, alternatives)


def _ahead(
    debs: Sequence[Deb], packages: Sequence[OsPackage]
) -> Iterator[tuple[Deb, OsPackage, IO[bytes]]]:
    """Each package with its data, which other threads unpack while the one before is written."""
    waiting: deque[Future[IO[bytes]]] = deque()
    pairs = list(zip(debs, packages, strict=True))
    with ThreadPoolExecutor(min(_AHEAD, os.cpu_count() or 1)) as pool:
        try:
            for position, (deb, package) in enumerate(pairs):
                while len(waiting) < _AHEAD and position + len(waiting) < len(pairs):
                    following = pairs[position + len(waiting)][0]
                    waiting.append(pool.submit(unpacked_data, following.path, following.name))
                yield deb, package, waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
                with suppress(Exception):
                    future.result().close()


class _Unpacking:
    """A layer that packages are unpacked into."""

    def __init__(self, root: Root, writer: LayerWriter | FolderWriter) -> None:
        self._root = root
        self._tree = root.tree
        self._writer = writer
        self._owner = "envlock"
        self._ids: dict[str, dict[str, int]] = {}

    def begin(self) -> None:
        """The folders that the links of a merged /usr lead to, and these links."""
        self.add_folder("usr")
        for name in _LINKED:
            self.add_folder(f"usr/{name}")
            self.add_link(name, f"usr/{name}")

    def add(self, deb: Deb, data: IO[bytes], *, asked: bool) -> None:
        """All members of one package."""
        self._owner = deb.package
        wanted = {path.lstrip("/") for path in dpkg.conffiles(deb)}
        md5: dict[str, str] = {}
        paths: list[str] = []
        try:
            with tarfile.open(fileobj=data, mode="r:", encoding="utf-8") as packed:
                for member in packed:
                    plain = member.name.removeprefix("./").removeprefix(".").rstrip("/")
                    path = self._tree.place(member.name.removeprefix("./"), deb.name)
                    paths.append(f"/{plain}" if plain else "/.")
                    content = self._member(packed, member, plain, path, deb, asked=asked)
                    if plain in wanted and content is not None:
                        digest = hashlib.md5(content, usedforsecurity=False)
                        md5[f"/{plain}"] = digest.hexdigest()
        except (tarfile.TarError, UnicodeError, ValueError, EOFError) as error:
            raise odd_file(f"its data part cannot be read: {error}", deb.name) from None
        self._root.installed.append(dpkg.Installed(deb=deb, paths=tuple(paths), md5=md5))

    def _member(
        self,
        packed: tarfile.TarFile,
        member: tarfile.TarInfo,
        plain: str,
        path: str,
        deb: Deb,
        *,
        asked: bool,
    ) -> bytes | None:
        """Put one member; its content where somebody may ask for it."""
        if not path:
            return None  # the root itself
        uid = self._id("passwd", member.uname, member.uid, deb)
        gid = self._id("group", member.gname, member.gid, deb)
        mode = member.mode & 0o7777
        mtime = int(member.mtime)
        if member.isdir():
            if self._claim(path, Node(kind="folder", owner=deb.package)):
                self._writer.folder(path, mode=mode, mtime=mtime, uid=uid, gid=gid)
        elif member.issym():
            if ALIASES.get(plain) == path:
                return None  # the link of a merged /usr, which is there
            self._tree.check_link(path, member.linkname, deb.name)
            if self._claim(path, Node(kind="link", owner=deb.package, content=member.linkname)):
                self._writer.symlink(path, member.linkname, mtime=mtime)
        elif member.islnk():
            target = self._tree.place(member.linkname.removeprefix("./"), deb.name)
            there = self._tree.get(target)
            if there is None or (there.kind, there.owner) != ("file", deb.package):
                raise outside(f"{plain!r} is a hard link to {target!r}, no file of it", deb.name)
            self._claim(path, Node(kind="file", owner=deb.package))
            member.uid, member.gid = uid, gid
            self._writer.hard_link(path, target, like=member)
        elif member.isreg():
            if mode & _PRIVILEGE and path not in SETUID and not asked:
                raise outside(f"{plain!r} is a setuid or setgid program nobody asked for", deb.name)
            return self._file(packed, member, path, (mode, mtime, uid, gid), deb)
        else:
            raise unknown_kind(plain, deb.name)
        return None

    def _file(
        self,
        packed: tarfile.TarFile,
        member: tarfile.TarInfo,
        path: str,
        attributes: tuple[int, int, int, int],
        deb: Deb,
    ) -> bytes | None:
        mode, mtime, uid, gid = attributes
        self._claim(path, Node(kind="file", owner=deb.package))
        stream = packed.extractfile(member)
        assert stream is not None  # noqa: S101 - of a regular file there is one
        content: bytes | IO[bytes] = stream
        kept = None
        if path.startswith("etc/") or CAPTURED.fullmatch(path):
            content = kept = stream.read()
            if len(kept) != member.size:
                raise odd_file(f"{path} ends before its own size says", deb.name)
            if CAPTURED.fullmatch(path):
                self._root.contents[path] = kept
        elif LIBRARY.fullmatch(path.rpartition("/")[2]):
            self._note_library(path, stream)
        self._writer.file(path, content, size=member.size, mode=mode, mtime=mtime, uid=uid, gid=gid)
        return kept

    def _note_library(self, path: str, stream: IO[bytes]) -> None:
        found = read_elf(stream)
        stream.seek(0)
        if found is not None and fits(found.bits, found.machine, self._root.architecture):
            self._root.sonames[path] = found.soname or ""

    def _claim(self, path: str, node: Node) -> bool:
        for folder in self._tree.missing_folders(path):
            self.add_folder(folder)
        return self._tree.claim(path, node)

    def _id(self, kind: str, name: str, number: int, deb: Deb) -> int:
        """The fixed number of a user or group; dpkg goes by the name, too."""
        if not name:
            return number
        if name == "root":
            return 0
        if kind not in self._ids:
            text = self._root.contents.get(f"usr/share/base-passwd/{kind}.master", b"").decode()
            rows = (line.split(":") for line in text.splitlines())
            self._ids[kind] = {row[0]: int(row[2]) for row in rows if len(row) > 3}
        found = self._ids[kind].get(name)
        if found is None:
            raise UsageError(
                f"it has files of {name}, whom base-passwd does not know",
                where=deb.name,
                remedy="--mode scripts makes users (Linux, mmdebstrap)",
            )
        return found

    # --- what is made after the packages ---

    def finish(self, debs: Sequence[Deb], alternatives: Iterable[Alternative]) -> None:
        """What the packages' scripts would have made, and dpkg's database."""
        self._owner = "envlock"
        for target in sorted(set(ALIASES.values())):
            alias = next(name for name, place in ALIASES.items() if place == target)
            if self.has(target):
                self.add_link(alias, target if "/" not in alias else f"/{target}")
        names = {deb.package for deb in debs}
        for name, effect in sorted(EFFECTS.get(self._root.base, {}).items()):
            if name in names:
                effect(self)
        self._add_alternatives(alternatives)
        self._add_loader_cache()
        self._add_database(names)

    def _add_alternatives(self, alternatives: Iterable[Alternative]) -> None:
        groups = self._root.alternatives
        changed = {}
        for entry in alternatives:
            groups.setdefault(entry.name, []).append(entry)
            changed[entry.name] = groups[entry.name]
        for name, group in sorted(changed.items()):
            best = dpkg.chosen(group)
            for link_name, link, path in best.links:
                target = self._tree.place(path.lstrip("/"), "update-alternatives")
                if link_name != name and self._tree.follow(target) is None:
                    continue  # a slave whose file is not there is left out
                place = self._tree.place(link.lstrip("/"), "update-alternatives")
                self.add_link(place, f"/etc/alternatives/{link_name}")
                self._set_link(f"etc/alternatives/{link_name}", path)
            self._set_file(f"{dpkg.FOLDER}/alternatives/{name}", dpkg.alternatives_file(group))

    def _add_loader_cache(self) -> None:
        """What ldconfig would write: for each of its folders the libraries by their sonames."""
        if not self.has("etc/ld.so.conf") or self._root.architecture not in TRIPLETS:
            return
        entries: list[tuple[str, str]] = []
        seen = set()
        for folder in folders(self.captured_below("etc/ld.so.conf.d"), self._root.architecture):
            place = self._tree.place(folder.lstrip("/"), "ldconfig")
            if place in seen:
                continue  # /usr/lib, after /lib that is a link to it
            seen.add(place)
            for path in self._tree.below(place):
                name = path.rpartition("/")[2]
                file = self._tree.follow(path) if LIBRARY.fullmatch(name) else None
                soname = self._root.sonames.get(file or "")
                if soname is not None and (soname in ("", name) or name.endswith(".so")):
                    entries.append((name, f"{folder}/{name}"))
        self._set_file("etc/ld.so.cache", cache(entries, self._root.architecture))

    def _add_database(self, new: set[str]) -> None:
        installed = self._root.installed
        for folder in ("", "/alternatives", "/info", "/triggers", "/updates"):
            self.add_folder(dpkg.FOLDER + folder)
        for package in installed:
            if package.deb.package in new:
                for name, (content, mode) in dpkg.info_files(package).items():
                    self._set_file(f"{dpkg.FOLDER}/info/{name}", content, mode)
        self._set_file(f"{dpkg.FOLDER}/info/format", b"1\n")
        for name, content in dpkg.triggers(installed).items():
            self._set_file(f"{dpkg.FOLDER}/triggers/{name}", content)
        self._set_file(f"{dpkg.FOLDER}/status", dpkg.status(installed))
        own = (self._root.base, self._root.architecture)
        diverted = diversions(*own, (package.deb.package for package in installed))
        if diverted and diversions(*own, new):
            self._set_file(f"{dpkg.FOLDER}/diversions", diverted)
        native = next((a for p in installed if (a := p.deb.architecture) != "all"), None)
        if native is not None:
            self._set_file(f"{dpkg.FOLDER}/arch", f"{native}\n".encode())

    def _set_file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """A file of this layer, whatever those below have there."""
        self._writer.file(path, content, mode=mode)
        self._tree.replace(path, Node(kind="file", owner=self._owner))

    def _set_link(self, path: str, target: str) -> None:
        for folder in self._tree.missing_folders(path):
            self.add_folder(folder)
        self._writer.symlink(path, target)
        self._tree.replace(path, Node(kind="link", owner=self._owner, content=target))

    # --- the root, as effects see it ---

    @property
    def architecture(self) -> str:
        """Debian's name of it."""
        return self._root.architecture

    def captured(self, path: str) -> bytes | None:
        """A file that effects look at."""
        return self._root.contents.get(path)

    def captured_below(self, folder: str) -> Mapping[str, bytes]:
        """All of them below a folder, sorted."""
        start = folder + "/"
        found = self._root.contents.items()
        return {path: content for path, content in sorted(found) if path.startswith(start)}

    def has(self, path: str) -> bool:
        """Whether something is there."""
        return self._tree.get(path) is not None

    def add_folder(self, path: str, mode: int = 0o755, gid: int = 0) -> None:
        """A folder, where nothing is."""
        if not self.has(path):
            self._claim(path, Node(kind="folder", owner=self._owner))
            self._writer.folder(path, mode=mode, gid=gid)

    def add_file(self, path: str, content: bytes, mode: int = 0o644, gid: int = 0) -> None:
        """A file, where nothing is."""
        if not self.has(path):
            self._claim(path, Node(kind="file", owner=self._owner))
            self._writer.file(path, content, mode=mode, gid=gid)

    def add_link(self, path: str, target: str) -> None:
        """A symbolic link, where nothing is."""
        if not self.has(path):
            self._claim(path, Node(kind="link", owner=self._owner, content=target))
            self._writer.symlink(path, target)
