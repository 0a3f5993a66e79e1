"""Digests of many files at once, on every core.

By processes, which take a third less time than threads (18,500 files: Python's own part of each
call is larger than what hashlib does meanwhile); by threads where processes cannot be had.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import NamedTuple

from envlock.io.content.beside import cores, may_fork, shared
from envlock.io.content.scan import stamp_of

HEAD = "head"
"""A kind of reading beside the names of hash functions: the first ``HEAD_SIZE`` bytes as they
are."""
HEAD_SIZE = 16
_BLOCK = 1 << 18
_FEW = 32
_WORTH_PROCESSES = 8
"""Portions from which on: a process starts in some milliseconds."""
# `hashlib.new` looks a name up anew each time.
_HASHES: dict[str, Callable[..., hashlib._Hash]] = {
    kind: partial(getattr(hashlib, kind), usedforsecurity=False)
    for kind in ("md5", "sha1", "sha256", "sha384", "sha512")
}
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


class Wanted(NamedTuple):
    """A file to read: how (``sha256``, ``sha512``, …, or ``HEAD``), and its size in bytes, which
    only decides the order. ``stamp`` is what a scan found (``io.scan.stamp_of``), where there was
    one. A named tuple, since there are tens of thousands."""

    path: str
    kind: str
    size: int
    stamp: tuple[int, ...] | None = None


class Unread(str):
    """Why a file could not be read."""

    __slots__ = ()


Answers = dict[tuple[str, str], bytes | Unread]
"""(path, kind) → digest or head, or why there is none."""


def read_all(wanted: Iterable[Wanted]) -> Answers:
    """(path, kind) → digest or head, or why there is none. Memory stays the same for any size.

    Only regular files are read: a pipe would never end. One that changes while it is read is read
    once more, and then given up.
    """
    portions = _portions(list(wanted))
    if len(portions) < _WORTH_PROCESSES or not may_fork():
        return _by_threads(portions)
    buffer = bytearray(_BLOCK)

    def work(number: int) -> list[bytes | str]:
        answers = (_read(one, buffer) for one in portions[number])
        return [str(a) if isinstance(a, Unread) else a for a in answers]

    found: Answers = {}
    for number, answers in shared(len(portions), work).items():
        for one, answer in zip(portions[number], answers, strict=True):
            found[one.path, one.kind] = Unread(answer) if isinstance(answer, str) else answer
    return found


def _by_threads(portions: list[list[Wanted]]) -> Answers:
    left = portions[::-1]
    found: Answers = {}

    def work() -> None:
        buffer = bytearray(_BLOCK)
        while True:
            try:
                portion = left.pop()
            except IndexError:
                return
            for one in portion:
                found[one.path, one.kind] = _read(one, buffer)

    workers = min(cores(), len(left))
    threads = [threading.Thread(target=work, daemon=True) for _ in range(workers - 1)]
    for thread in threads:
        thread.start()
    work()
    for thread in threads:
        thread.join()
    return found


def _portions(wanted: Sequence[Wanted]) -> list[list[Wanted]]:
    """What is read in one go, in order: the largest first, alone; the last ones are small, so that
    all who read end together."""
    ordered = sorted(wanted, key=lambda one: one.size, reverse=True)
    large = sum(one.size > _BLOCK for one in ordered)
    found = [ordered[place : place + 1] for place in range(large)]
    found += [ordered[place : place + _FEW] for place in range(large, len(ordered), _FEW)]
    return found


def _read(one: Wanted, buffer: bytearray) -> bytes | Unread:
    """A file's digest or head, or why there is none."""
    if one.stamp is not None:
        known = _as_scanned(one, buffer)
        if known is not None:
            return known
    for _ in range(2):
        try:
            handle = os.open(one.path, _FLAGS)
        except FileNotFoundError:
            return Unread("vanished while it was read")
        except (OSError, ValueError) as error:
            return Unread(getattr(error, "strerror", None) or str(error))
        try:
            before = os.fstat(handle)
            if not stat.S_ISREG(before.st_mode):
                return Unread("no regular file")
            answer = _content(handle, one.kind, before.st_size, buffer)
            if stamp_of(os.fstat(handle)) == stamp_of(before):
                return answer
        except OSError as error:
            return Unread(error.strerror or str(error))
        finally:
            os.close(handle)
    return Unread("changes while it is read")


def _as_scanned(one: Wanted, buffer: bytearray) -> bytes | None:
    """The same for a file that is as it was scanned, with the fewest calls; else None."""
    if not stat.S_ISREG(one.stamp[0] & 0xFFFF if one.stamp else 0):
        return None
    try:
        handle = os.open(one.path, _FLAGS)
        try:
            answer = _content(handle, one.kind, one.size, buffer)
            # Of bytecode's beginning, a change meanwhile is seen by its stamp the next time.
            if one.kind == HEAD or stamp_of(os.fstat(handle)) == one.stamp:
                return answer
        finally:
            os.close(handle)
    except (OSError, ValueError):
        pass
    return None


def _content(handle: int, kind: str, size: int, buffer: bytearray) -> bytes:
    if kind == HEAD:
        return os.read(handle, HEAD_SIZE)
    view = memoryview(buffer)
    digest = _HASHES[kind]()
    if size < _BLOCK:
        count = os.readv(handle, [buffer])
        digest.update(view[:count])
        if count == size:
            return digest.digest()
    while count := os.readv(handle, [buffer]):
        digest.update(view[:count])
    return digest.digest()
