"""What a bundle answers to package managers: an index for pip and uv, archives for apt, a registry
for container tools, and files by digest for Nix and envlock.

Only files of a bundle that was verified are given. Pages are made from its locks.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from urllib.parse import unquote

from envlock.errors import EnvlockError, UsageError
from envlock.export.requirements import FILE, RequirementsExporter
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.realise.bundle.images import Images
from envlock.realise.bundle.layout import artifacts
from envlock.realise.bundle.opened import Opened, as_file
from envlock.realise.bundle.own_images import OwnImages
from envlock.realise.bundle.registry import pull
from envlock.realise.bundle.snapshots import Snapshots, states
from envlock.realise.bundle.source import Source
from envlock.realise.image.deb import read_control
from envlock.resolve.python.index.page import PageFile, normalize
from envlock.resolve.python.index.view_pages import (
    SIMPLE_JSON,
    html_page,
    json_page,
    preferred_type,
)

_TEXT = "text/plain; charset=utf-8"
_BYTES = "application/octet-stream"
_DIGEST = re.compile(r"[0-9a-f]{64}")
_Index = Mapping[str, Sequence[PageFile]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent: ``content``, the bundle's file at ``path``, or the file ``file``; ``location``
    leads elsewhere.

    ``digest`` is what a registry says of it. ``missing``: the content says why it is not there.
    """

    kind: str = _TEXT
    content: bytes | None = None
    path: str | None = None
    file: Path | None = None
    location: str | None = None
    digest: str | None = None
    missing: bool = False


class Mirror:
    """A verified bundle as package managers see it.

    Args:
        bundle: its files.
        locks: path in the bundle → lock.
        told: called with what is done for a request, where that takes long.
    """

    def __init__(
        self, bundle: Opened, locks: Mapping[str, Lock], told: Callable[[str], None]
    ) -> None:
        self.bundle = bundle
        self.locks = {environment_hash(lock).root: lock for _, lock in sorted(locks.items())}
        self.snapshots = Snapshots(states(bundle, locks.values()))
        self._files = artifacts(bundle.sizes)
        self.images = Images(bundle, locks.values(), self._files)
        self.own_images = OwnImages(self.locks, Source(bundle), told)

    def answer(self, address: str, accept: str) -> Answer | None:
        """The answer to a request; None: there is nothing.

        Args:
            address: the path of the request, without a query.
            accept: its header ``Accept``.
        """
        # apt asks for "apt/./Packages".
        parts = [unquote(part) for part in address.strip("/").split("/") if part != "."]
        match parts:
            case [""]:
                return Answer(content=self._page().encode())
            case ["simple", *names]:
                return self._simple(self._index, "/simple", names, address, accept)
            case ["locks", root, "simple", *names] if root in self.locks:
                place = f"/locks/{root}/simple"
                return self._simple(self._index_of(root), place, names, address, accept)
            case ["files" | "apt" | "sha256", sha256, *_] if _DIGEST.fullmatch(sha256):
                return self._file(sha256, parts[-1])
            case ["apt", "Packages"]:
                return Answer(content=self._packages)
            case ["apt", "Release"]:
                return Answer(content=self._release())
            case ["archive", archive, moment, *rest]:
                return self._of_archive(archive, moment, "/".join(rest))
            case ["v2", *rest]:
                return self._pulled(rest)
            case ["mr", "timestamp"]:
                return Answer(kind="application/json", content=self.snapshots.imports())
            case ["locks", root, name] if root in self.locks and name == FILE:
                return self._requirements(self.locks[root])
        return None

    def _page(self) -> str:
        lines = ["A bundle that envlock made:", ""]
        lines += [f"  {root}" for root in self.locks]
        return "\n".join([*lines, "", "/simple/  /apt/  /sha256/DIGEST  /locks/HASH/" + FILE, ""])

    def _pulled(self, parts: list[str]) -> Answer | None:
        """As a container registry."""
        try:
            found = pull(self.images, self.own_images, parts)
        except EnvlockError as error:
            # Clients show the message of such an error.
            told = {"errors": [{"code": "MANIFEST_UNKNOWN", "message": error.what}]}
            content = json.dumps(told).encode()
            return Answer(kind="application/json", content=content, missing=True)
        if found is None:
            return None
        return Answer(
            kind=found.kind,
            content=found.content,
            path=found.path,
            file=found.file,
            digest=found.digest,
        )

    def _file(self, sha256: str, name: str) -> Answer | None:
        path = self._files.get(sha256)
        if path is None:
            return None
        if name.endswith(".whl.metadata"):
            return self._metadata(path)
        return Answer(kind=_BYTES, path=path)

    def _metadata(self, path: str) -> Answer | None:
        """A wheel's core metadata (PEP 658)."""
        with as_file(self.bundle, path) as wheel:
            try:
                with zipfile.ZipFile(wheel) as packed:
                    names = [n for n in packed.namelist() if n.endswith(".dist-info/METADATA")]
                    found = [n for n in names if n.count("/") == 1]
                    return Answer(kind=_BYTES, content=packed.read(found[0])) if found else None
            except (zipfile.BadZipFile, OSError):
                return None

    def _requirements(self, lock: Lock) -> Answer | None:
        """In pip's hash-checking form, without what no index can give."""
        packages = tuple(p for p in lock.packages if p.vcs is None and p.directory is None)
        left = ", ".join(sorted({p.name for p in lock.packages} - {p.name for p in packages}))
        note = f"# Not in the bundle: {left}\n" if left else ""
        try:
            text = RequirementsExporter().export(replace(lock, packages=packages))[FILE]
        except UsageError:
            return None
        return Answer(content=note.encode() + text)

    # --- pip and uv ---

    @cached_property
    def _index(self) -> _Index:
        """Of what is in the bundle."""
        return self._listed(self.locks.values(), everything=False)

    @cache  # noqa: B019 - there is one mirror, until the program ends
    def _index_of(self, root: str) -> _Index:
        """As a lock saw it: of all its files, those too that are not in the bundle."""
        return self._listed([self.locks[root]], everything=True)

    def _listed(self, locks: Iterable[Lock], *, everything: bool) -> _Index:
        found: dict[str, dict[str, PageFile]] = {}
        for lock in locks:
            for package in (*lock.packages, *lock.build_packages):
                for file in package.files:
                    path = self._files.get(file.sha256)
                    if path is None and not everything:
                        continue
                    found.setdefault(package.name, {})[file.sha256] = PageFile(
                        filename=file.name,
                        url="",
                        sha256=file.sha256,
                        upload_time=file.upload_time,
                        requires_python=package.requires_python,
                        size=file.size if path is None else self.bundle.sizes[path],
                    )
        return {
            name: sorted(files.values(), key=lambda file: (file.filename, file.sha256 or ""))
            for name, files in sorted(found.items())
        }

    def _simple(
        self, index: _Index, place: str, names: list[str], address: str, accept: str
    ) -> Answer | None:
        """A simple index at ``place``: PEP 503 and 691."""
        if len(names) > 1:
            return None
        if names:
            return self._project(index, place, names[0], accept, slash=address.endswith("/"))
        kind = preferred_type(accept)
        if kind == SIMPLE_JSON:
            listed = ",".join(f'{{"name":"{name}"}}' for name in index)
            text = f'{{"meta":{{"api-version":"1.0"}},"projects":[{listed}]}}'
        else:
            links = "".join(f'<a href="{name}/">{name}</a><br>\n' for name in index)
            text = f"<!DOCTYPE html>\n<html><body>\n{links}</body></html>\n"
        return Answer(kind=kind, content=text.encode())

    def _project(
        self, index: _Index, place: str, name: str, accept: str, *, slash: bool
    ) -> Answer | None:
        normal = normalize(name)
        files = index.get(normal)
        if files is None:
            return None
        if normal != name or not slash:
            return Answer(location=f"{place}/{normal}/", content=b"")
        kind = preferred_type(accept)
        write = json_page if kind == SIMPLE_JSON else html_page
        return Answer(kind=kind, content=write(normal, files, "/files/"))

    # --- apt, and whoever asks for a file of an archive ---

    @cached_property
    def _packages(self) -> bytes:
        """A flat repository's index (Debian's repository format) of all .debs."""
        return b"\n".join(self._paragraph(path) for path in self._debs())

    def _debs(self) -> Iterable[str]:
        return (path for path in self._files.values() if path.endswith(".deb"))

    def _paragraph(self, path: str) -> bytes:
        _, sha256, name = path.split("/")
        try:
            with as_file(self.bundle, path) as deb:
                fields = dict(read_control(deb, name).paragraph)
        except EnvlockError:
            return b""
        fields |= {
            "Filename": f"{sha256}/{name}",
            "SHA256": sha256,
            "Size": str(self.bundle.sizes[path]),
        }
        return "".join(f"{key}: {value}\n" for key, value in fields.items()).encode()

    def _release(self) -> bytes:
        digest, size = hashlib.sha256(self._packages).hexdigest(), len(self._packages)
        moment = max(lock.as_of for lock in self.locks.values())
        text = f"Date: {moment:%a, %d %b %Y %H:%M:%S} UTC\nSHA256:\n {digest} {size} Packages\n"
        return text.encode()

    @cached_property
    def _archived(self) -> dict[str, str]:
        """Path in an archive → SHA-256."""
        found: dict[str, str] = {}
        for lock in self.locks.values():
            if lock.os is not None:
                debs = (*lock.os.packages, *lock.os.build_packages)
                found |= {deb.file_name: deb.sha256 for deb in debs}
                found |= {
                    f"{source.directory}/{file.name}": file.sha256
                    for source in lock.os.sources
                    for file in source.files
                }
        return found

    def _of_archive(self, archive: str, moment: str, path: str) -> Answer | None:
        """A file of the pool, whenever; what changes with time, from the state of that time."""
        found = self.snapshots.find(archive, moment, path)
        if found is not None and found[0] != moment:
            return Answer(location=f"/archive/{archive}/{found[0]}/{path}", content=b"")
        if found is not None:
            return Answer(kind=_BYTES, path=found[1])
        sha256 = self._archived.get(path)
        return None if sha256 is None else self._file(sha256, path)

    @property
    def has_debs(self) -> bool:
        """Whether apt has anything to ask for."""
        return any(True for _ in self._debs())
