"""Descriptors handed from one process to another (``SCM_RIGHTS``, unix(7)).

``socket`` of the standard library does it as well, and costs more to load than the rest of this.
"""

from __future__ import annotations

import array
from _socket import MSG_CMSG_CLOEXEC, SCM_RIGHTS, SOL_SOCKET, socketpair
from _socket import socket as Socket  # noqa: N812 - it is a class

__all__ = ["Socket", "receive", "send", "socketpair"]


def send(line: Socket, word: bytes, fd: int) -> None:
    """Hand over ``fd`` with a word that is not empty."""
    line.sendmsg([word], [(SOL_SOCKET, SCM_RIGHTS, array.array("i", [fd]))])


def receive(line: Socket) -> tuple[bytes, int | None]:
    """The next word, empty at the end, and the descriptor that came with it."""
    word, extra, _, _ = line.recvmsg(16, 64, MSG_CMSG_CLOEXEC)
    for _, _, data in extra:
        return word, array.array("i", data)[0]
    return word, None
