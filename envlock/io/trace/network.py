"""Socket addresses: ``struct sockaddr_in``, ``sockaddr_in6`` and ``sockaddr_un``."""

from __future__ import annotations

import ipaddress
import os
import struct

from envlock.io.trace.model import Connection, Contact

LONGEST_ADDRESS = 128
"""Bytes of ``struct sockaddr_storage``."""

_UNIX, _INET, _INET6 = 1, 2, 10


def connection(contact: Contact, data: bytes) -> Connection | None:
    """What an address names; None for families that are no network (netlink) or not known."""
    family = struct.unpack_from("=H", data)[0] if len(data) >= 2 else 0
    if family == _UNIX and len(data) > 2:
        name = data[2:]
        # An abstract name starts with a NUL, and its length is the address's.
        shown = b"@" + name[1:] if name[0] == 0 else name.split(b"\0", 1)[0]
        return Connection(contact=contact, family="unix", address=os.fsdecode(shown), port=0)
    if family == _INET and len(data) >= 8:
        where = ("inet", str(ipaddress.IPv4Address(data[4:8])))
    elif family == _INET6 and len(data) >= 24:
        where = ("inet6", str(ipaddress.IPv6Address(data[8:24])))
    else:
        return None
    port = struct.unpack_from(">H", data, 2)[0]
    return Connection(contact=contact, family=where[0], address=where[1], port=port)
