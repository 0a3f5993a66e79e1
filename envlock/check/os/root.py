"""What dpkg knows of a root's files: digests, diversions, exclusions; paths followed inside it."""

from __future__ import annotations

import os
import posixpath
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

INFO = "var/lib/dpkg/info"
_DIGEST = re.compile(r"[0-9a-f]{32}")
_LINKS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A packaged file: ``path`` as dpkg has it (``/usr/bin/env``), ``place`` where it is now
    (absolute, of this machine), its MD5 digest, and whether it is a configuration file."""

    path: str
    place: str
    md5: bytes
    conffile: bool = False


@dataclass(slots=True)
class Root:
    """A system's root folder; ``folder`` is absolute and without a slash at its end.

    ``looked_at`` are the files that decide what is found, beside the packaged ones.
    """

    folder: str
    looked_at: set[str] = field(default_factory=set)
    _followed: dict[str, str] = field(default_factory=dict)

    def read(self, path: str) -> str | None:
        """A file of dpkg's as text; None where there is none that can be read."""
        place = f"{self.folder}/{path}"
        self.looked_at.add(place)
        try:
            with open(place, "rb") as file:
                return file.read().decode("utf-8", "surrogateescape")
        except OSError:
            return None

    def names(self, folder: str) -> list[str]:
        """What lies in a folder, sorted; nothing where there is none."""
        place = f"{self.folder}/{folder}"
        self.looked_at.add(place)
        try:
            return sorted(os.listdir(place))
        except OSError:
            return []

    def place(self, path: str) -> str:
        """Where ``/bin/sh`` is on this machine: links of folders are followed, and stay inside."""
        folder, _, name = path.rpartition("/")
        return f"{self.folder}{self._folder(folder)}/{name}"

    def _folder(self, path: str) -> str:
        """An absolute folder of the root without links; "" for the root itself."""
        if path in ("", "/"):
            return ""
        known = self._followed.get(path)
        if known is None:
            self._followed[path] = path  # what a loop of links comes back to
            known = self._followed[path] = self._step(path)
        return known

    def _step(self, path: str) -> str:
        left = path
        for _ in range(_LINKS):
            above, _, name = left.rpartition("/")
            here = f"{self._folder(above)}/{name}"
            try:
                found = os.lstat(self.folder + here)
            except OSError:
                return here
            if not stat.S_ISLNK(found.st_mode):
                return here
            self.looked_at.add(self.folder + here)
            to = os.readlink(self.folder + here)
            left = posixpath.normpath(posixpath.join(posixpath.dirname(here), to))
            if left == "/":
                return ""
        return path  # a loop: nothing is there

    def excluded(self) -> _Exclusions:
        """What dpkg was told not to unpack (``path-exclude``), as images without manuals do."""
        rules: list[tuple[bool, str]] = []
        names = self.names("etc/dpkg/dpkg.cfg.d")
        for name in ["etc/dpkg/dpkg.cfg", *(f"etc/dpkg/dpkg.cfg.d/{name}" for name in names)]:
            for line in (self.read(name) or "").splitlines():
                match = re.fullmatch(r"\s*path-(exclude|include)\s*[=\s]\s*(\S+)\s*", line)
                if match:
                    rules.append((match[1] == "exclude", match[2].strip("\"'")))
        return _Exclusions(rules)

    def diversions(self) -> dict[str, tuple[str, str]]:
        """Path → (where it is instead, the package that it is not diverted for)."""
        lines = (self.read("var/lib/dpkg/diversions") or "").splitlines()
        return {lines[at]: (lines[at + 1], lines[at + 2]) for at in range(0, len(lines) - 2, 3)}


class _Exclusions:
    """``path-exclude`` and ``path-include``: the last that fits decides (dpkg(1))."""

    # Who makes an image smaller removes these, whatever dpkg was told; nothing runs differently.
    _CUSTOMARY = re.compile(r"/usr/share/(doc|man|info|locale|lintian|bug|doc-base)/")

    def __init__(self, rules: list[tuple[bool, str]]) -> None:
        self._rules = rules

    def __contains__(self, path: str) -> bool:
        out = bool(self._CUSTOMARY.match(path))
        for excludes, pattern in self._rules:
            if fnmatchcase(path, pattern):
                out = excludes
        return out


def listed(
    root: Root, name: str, architecture: str, conffiles: str, diverted: dict[str, tuple[str, str]]
) -> Iterator[Listed] | None:
    """The files of an installed package; None where dpkg has no list of them.

    Args:
        root: the system.
        name: the package's name; ``architecture`` Debian's name of its.
        architecture: see there.
        conffiles: the package's ``Conffiles`` field in dpkg's status.
        diverted: ``root.diversions()``.
    """
    texts = [root.read(f"{INFO}/{stem}.list") for stem in (name, f"{name}:{architecture}")]
    if texts == [None, None]:
        return None
    sums = [root.read(f"{INFO}/{stem}.md5sums") for stem in (name, f"{name}:{architecture}")]
    return _files(root, name, next((s for s in sums if s is not None), ""), conffiles, diverted)


def _files(
    root: Root, name: str, sums: str, conffiles: str, diverted: dict[str, tuple[str, str]]
) -> Iterator[Listed]:
    lines = [(line.strip().rpartition(" ")[::2], True) for line in _current(conffiles)]
    seen = {path for (path, _), _ in lines}
    for line in sums.splitlines():
        digest, _, path = line.partition(" ")
        path = "/" + path.strip().removeprefix("./").lstrip("/")
        if path not in seen:
            lines.append(((path, digest), False))
    for (path, digest), conffile in lines:
        if not _DIGEST.fullmatch(digest) or "\0" in path:
            continue
        to, owner = diverted.get(path, (path, name))
        at = path if owner == name else to
        yield Listed(path=path, place=root.place(at), md5=bytes.fromhex(digest), conffile=conffile)


def _current(conffiles: str) -> Iterator[str]:
    """Lines of ``Conffiles`` without those that a newer version no longer has."""
    for line in conffiles.splitlines():
        words = line.split()
        if len(words) >= 2 and not {"obsolete", "remove-on-upgrade", "newconffile"} & set(
            words[1:]
        ):
            yield line
