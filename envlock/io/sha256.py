"""SHA-256 of little things, without OpenSSL: loading that takes longer than digesting them.

``hashlib`` takes OpenSSL's, which digests a large file several times as fast as Python's own and
costs 3 ms to load, more than all that a small run digests.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from hashlib import _Hash

LITTLE = 1 << 20
"""Bytes from which on OpenSSL is worth loading."""


def _own(data: bytes) -> _Hash:
    for name in ("_sha2", "_sha256", "hashlib"):
        try:
            module = __import__(name)
        except ImportError:
            continue
        found: _Hash = module.sha256(data)
        return found
    raise AssertionError("unreachable")


def hex_of(data: bytes) -> str:
    """The hex digits of what is there as a whole."""
    if len(data) < LITTLE and "hashlib" not in sys.modules:
        return _own(data).hexdigest()
    import hashlib

    return hashlib.sha256(data).hexdigest()


class Sha256:
    """Of what comes piece by piece, little or much."""

    def __init__(self) -> None:
        self._first: list[bytes] = []
        self._size = 0
        self._rest: _Hash | None = None

    def update(self, piece: bytes) -> None:
        """The next bytes."""
        if self._rest is not None:
            self._rest.update(piece)
            return
        self._first.append(piece)
        self._size += len(piece)
        if self._size >= LITTLE:
            import hashlib

            self._rest = hashlib.sha256()
            for one in self._first:
                self._rest.update(one)
            self._first.clear()

    def hexdigest(self) -> str:
        """The hex digits of all so far."""
        if self._rest is not None:
            return self._rest.hexdigest()
        return _own(b"".join(self._first)).hexdigest()
