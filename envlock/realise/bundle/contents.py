"""Locks whose files the store has → everything of a bundle; the same locks give the same bytes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING
from urllib.parse import unquote

from envlock.errors import UsageError
from envlock.io.progress import Reporter
from envlock.io.store import stored
from envlock.lock.artifacts import UsedFiles
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.provider import locked_python
from envlock.lock.target import Target
from envlock.realise.bundle.layout import (
    INDEX,
    PROGRAMS,
    README,
    Entry,
    file_path,
    index_text,
    plain_name,
    program,
)
from envlock.realise.bundle.plan import interpreter_lines, plan_text, tree_path

if TYPE_CHECKING:
    from envlock.realise.bundle.images import ImageFile
    from envlock.resolve.os.archive.locked import ArchivedFile

_NOTHING = UsedFiles()


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """A lock to be bundled: its file's name and bytes, and what of it goes along.

    ``archived`` are the signed Releases and indexes that its OS packages were chosen from,
    ``image`` the files of its base image, ``builds`` the sources of chosen OS packages and all that
    they are built with.
    """

    name: str
    content: bytes
    lock: Lock
    files: UsedFiles
    archived: tuple[ArchivedFile, ...] = ()
    image: tuple[ImageFile, ...] = ()
    builds: UsedFiles = _NOTHING


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """Everything of a bundle but its manifest. ``moment`` (UTC) is the time that its files get."""

    entries: tuple[Entry, ...]
    moment: datetime


def contents(locks: Sequence[Bundled], reporter: Reporter) -> Contents:
    """Everything that these locks need, each file once.

    Args:
        locks: at least one; the store has all their files.
        reporter: told the bytes of .debs that are unpacked, of all.

    Raises:
        UsageError: a .deb cannot be read.
        SourceError: the store cannot be written.
    """
    placed = list(_place_locks(locks))
    entries = {entry.path: entry for lock, entry in placed}
    for bundled in locks:
        for files in (bundled.files, bundled.builds):
            entries |= {entry.path: entry for entry in _artifacts(files)}
        entries |= {entry.path: entry for entry in map(_archived, bundled.archived)}
        of_image = (_stored(file.sha256, file.name) for file in bundled.image)
        entries |= {entry.path: entry for entry in of_image}
    lines = [f"lock {environment_hash(b.lock).root} {entry.path}" for b, entry in placed]
    trees: dict[str, OsPackage] = {}
    for bundled, _ in placed:
        # The newest Python first: the script takes the first one that it can have.
        for target in sorted(bundled.lock.targets, key=_newest_first):
            plan = _plan(bundled.lock, target)
            python, debs = interpreter_lines(bundled.lock, target, bundled.files)
            trees |= {tree_path(deb): deb for deb in debs}
            if entries.setdefault(plan.path, plan) is plan:
                lines += [_target_line(bundled.lock, target, plan), *python]
    for bundled, _ in placed:
        root = environment_hash(bundled.lock).root
        if bundled.archived:
            from envlock.realise.bundle.snapshots import snapshot_line

            lines += [snapshot_line(root, file, _archived(file).path) for file in bundled.archived]
        if bundled.image and bundled.lock.image is not None:
            from envlock.realise.bundle.images import image_line

            lines.append(image_line(root, bundled.lock.image))
    if trees:
        from envlock.realise.bundle.trees import unpacked

        entries |= {entry.path: entry for entry in unpacked(trees, reporter)}
    _require_distinct(entries)
    own = (_text(INDEX, index_text(dict.fromkeys(lines))), _text(README, _readme(placed)))
    entries |= {entry.path: entry for entry in (*own, *map(_program, PROGRAMS))}
    return Contents(
        entries=tuple(entries[path] for path in sorted(entries)),
        moment=max(bundled.lock.as_of for bundled in locks),
    )


def _require_distinct(paths: Iterable[str]) -> None:
    """On some systems names that differ only in case are one."""
    folded: dict[str, str] = {}
    for path in paths:
        other = folded.setdefault(path.lower(), path)
        if other != path:
            raise UsageError(
                f"two files of a bundle would be one on some systems: {other}, {path}",
                remedy="make two bundles, or rename one of the lockfiles",
            )


def _newest_first(target: Target) -> tuple[str, list[int]]:
    return target.platform, [-int(part) for part in target.python.split(".")]


def _plan(lock: Lock, target: Target) -> Entry:
    name = plain_name(target.key.replace("/", "-").replace("@", "-"))
    return _text(f"locks/{environment_hash(lock).root}/{name}.json", plan_text(lock, target))


def _target_line(lock: Lock, target: Target, plan: Entry) -> str:
    root, python = environment_hash(lock).root, locked_python(lock, target)
    return f"target {root} {target.platform} {python} {plan.path}"


def _program(name: str) -> Entry:
    return replace(_bytes(name, program(name)), executable=name.endswith(".sh"))


def _place_locks(locks: Sequence[Bundled]) -> Iterator[tuple[Bundled, Entry]]:
    """Each lock in the folder of its environment; of the same name there with a part of its digest.

    In an order that does not depend on how they were given.
    """
    taken: dict[str, str] = {}
    ordered = sorted(locks, key=lambda b: (plain_name(b.name), hashlib.sha256(b.content).digest()))
    for bundled in ordered:
        digest = hashlib.sha256(bundled.content).hexdigest()
        folder = f"locks/{environment_hash(bundled.lock).root}"
        path = f"{folder}/{plain_name(bundled.name)}"
        if taken.setdefault(path, digest) != digest:
            path = f"{folder}/{path.rpartition('/')[2].removesuffix('.toml')}-{digest[:12]}.toml"
        yield bundled, _bytes(path, bundled.content)


def _artifacts(files: UsedFiles) -> Iterator[Entry]:
    for build in files.interpreters:
        yield _stored(build.sha256, unquote(build.url.rpartition("/")[2]))
    for python in files.python:
        yield _stored(python.file.sha256, python.file.name)
    for deb in files.os:
        yield _stored(deb.sha256, deb.file_name.rpartition("/")[2])
    for source in files.os_sources:
        yield _stored(source.file.sha256, source.file.name)


def _archived(file: ArchivedFile) -> Entry:
    name = file.path.rpartition("/")[2]
    if file.content is None:
        return _stored(file.sha256, name)
    return _bytes(file_path(file.sha256, name), file.content)


def _stored(sha256: str, name: str) -> Entry:
    source = stored(sha256)
    return Entry(
        path=file_path(sha256, name), sha256=sha256, size=source.stat().st_size, source=source
    )


def _text(path: str, text: str) -> Entry:
    return _bytes(path, text.encode())


def _bytes(path: str, content: bytes) -> Entry:
    digest = hashlib.sha256(content).hexdigest()
    return Entry(path=path, sha256=digest, size=len(content), content=content)


def _readme(placed: Sequence[tuple[Bundled, Entry]]) -> str:
    fields = {"LOCKS": "\n".join(_described(bundled, entry) for bundled, entry in placed)}
    text = resources.files("envlock.realise.bundle") / "files" / README
    return re.sub(r"@([A-Z_]+)@", lambda m: fields[m[1]], text.read_text(encoding="utf-8"))


def _described(bundled: Bundled, entry: Entry) -> str:
    lock, files = bundled.lock, bundled.files
    lines = [
        f"- `{entry.path}`",
        f"  - environment hash: `{environment_hash(lock).root}`",
        f"  - nothing in it was published later than {lock.as_of:%Y-%m-%d %H:%M:%S} UTC",
        f"  - for: {', '.join(target.key for target in lock.targets)}",
        f"  - Python packages: {len(lock.packages)}",
    ]
    if lock.os is not None:
        with_indexes = ", with the indexes that they were chosen from" if bundled.archived else ""
        lines.append(f"  - packages of {lock.os.base}: {len(files.os)}{with_indexes}")
    if bundled.builds.os_sources:
        names = ", ".join(sorted({entry.source.name for entry in bundled.builds.os_sources}))
        built = f"{len(bundled.builds.os)} packages to build it with: {names}"
        lines.append(f"  - sources of the distribution, and {built}")
    if bundled.image and lock.image is not None:
        lines.append(f"  - the container image {lock.image.reference} ({lock.image.digest})")
    if files.without:
        # As text of a lock: a name has no character that Markdown would take for its own.
        names = ", ".join(files.without)
        lines.append(f"  - NOT in the bundle, since the lock has no file of it: {names}")
    return "\n".join(lines)
