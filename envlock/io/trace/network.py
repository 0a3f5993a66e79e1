"""Socket addresses: ``struct sockaddr_in``, ``sockaddr_in6`` and ``sockaddr_un``."""

from __future__ import annotations

import os
import struct
from _socket import AF_INET, AF_INET6, inet_ntop

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    Address = tuple[str, str, int]

LONGEST_ADDRESS = 128
"""Bytes of ``struct sockaddr_storage``."""

_UNIX, _INET, _INET6 = 1, 2, 10


def address(data: bytes) -> Address | None:
    """Family, address and port; None for families that are no network (netlink) or not known."""
    family = struct.unpack_from("=H", data)[0] if len(data) >= 2 else 0
    if family == _UNIX and len(data) > 2:
        name = data[2:]
        # An abstract name starts with a NUL, and its length is the address's.
        shown = b"@" + name[1:] if name[0] == 0 else name.split(b"\0", 1)[0]
        return "unix", os.fsdecode(shown), 0
    if family == _INET and len(data) >= 8:
        where = ("inet", inet_ntop(AF_INET, data[4:8]))
    elif family == _INET6 and len(data) >= 24:
        where = ("inet6", inet_ntop(AF_INET6, data[8:24]))
    else:
        return None
    return *where, struct.unpack_from(">H", data, 2)[0]
