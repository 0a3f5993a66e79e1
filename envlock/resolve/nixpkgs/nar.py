"""The digest of a source tree as Nix computes it: SHA-256 of its NAR, the Nix archive format.

The format (Dolstra, The Purely Functional Software Deployment Model, 2006, figure 5.2) is a
sequence of strings, each one a 64-bit little-endian length and its bytes, filled up with zeros to
a multiple of eight. Entries of a folder are sorted by the bytes of their names. Of a file's mode
only "executable" counts; times and owners do not.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field

_MAGIC = b"nix-archive-1"


@dataclass(slots=True, kw_only=True, eq=False)
class File:
    """A regular file, whose ``size`` bytes come later."""

    size: int
    executable: bool


@dataclass(slots=True, kw_only=True, eq=False)
class Symlink:
    """A symbolic link and the bytes of its target."""

    target: bytes


@dataclass(slots=True, kw_only=True, eq=False)
class Folder:
    """A folder: names, as bytes, and what they are."""

    entries: dict[bytes, Node] = field(default_factory=dict)


Node = File | Symlink | Folder


def serialise(root: Node) -> Iterator[bytes | File]:
    """The archive's bytes in order; a ``File`` stands where its contents belong."""
    yield _text(_MAGIC)
    yield from _node(root)


def _node(node: Node) -> Iterator[bytes | File]:
    if isinstance(node, Symlink):
        yield _texts(b"(", b"type", b"symlink", b"target", node.target, b")")
    elif isinstance(node, File):
        executable = (b"executable", b"") if node.executable else ()
        yield _texts(b"(", b"type", b"regular", *executable, b"contents")
        yield node.size.to_bytes(8, "little")
        yield node
        yield bytes(-node.size % 8) + _text(b")")
    else:
        yield _texts(b"(", b"type", b"directory")
        for name in sorted(node.entries):
            yield _texts(b"entry", b"(", b"name", name, b"node")
            yield from _node(node.entries[name])
            yield _text(b")")
        yield _text(b")")


def _text(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text + bytes(-len(text) % 8)


def _texts(*texts: bytes) -> bytes:
    return b"".join(map(_text, texts))


class NarDigest:
    """Digests a tree whose files' contents arrive in some order, most of them in the NAR's own.

    What comes too early is kept in memory until its turn; ``kept`` says how many bytes that are.
    """

    def __init__(self, root: Folder) -> None:
        self._digest = hashlib.sha256()
        self._rest = serialise(root)
        self._early: dict[int, bytes] = {}
        self._next: File | None = None
        self.kept = 0
        self._advance()

    def is_next(self, file: File) -> bool:
        """Whether the file's contents may be given in pieces, with ``feed``."""
        return file is self._next

    def feed(self, data: bytes) -> None:
        """A piece of the next file's contents."""
        self._digest.update(data)

    def fed(self) -> None:
        """The next file's contents are whole."""
        self._advance()

    def keep(self, file: File, contents: bytes) -> None:
        """The whole contents of a file whose turn comes later."""
        self._early[id(file)] = contents
        self.kept += len(contents)

    def _advance(self) -> None:
        for part in self._rest:
            if isinstance(part, bytes):
                self._digest.update(part)
            elif id(part) in self._early:
                contents = self._early.pop(id(part))
                self.kept -= len(contents)
                self._digest.update(contents)
            else:
                self._next = part
                return
        self._next = None

    def sri(self) -> str:
        """``sha256-…``: the digest as ``flake.lock`` has it, once every file was given."""
        if self._next is not None:
            raise ValueError("a file's contents are missing")
        return "sha256-" + base64.b64encode(self._digest.digest()).decode()
