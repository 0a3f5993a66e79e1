"""What is read from the kernel's texts and structures."""

from __future__ import annotations

import socket
import struct

from envlock.io.trace.maps import mapped_code
from envlock.io.trace.network import address


def test_maps_give_code_with_a_name() -> None:
    maps = (
        b"55e0-55e1 r--p 00000000 fe:00 12 /usr/bin/cat\n"
        b"55e1-55e2 r-xp 00001000 fe:00 12 /usr/bin/cat\n"
        b"55e2-55e3 rwxp 00000000 00:00 0 \n"
        b"7f00-7f01 r-xp 00000000 fe:00 13                         /w/a b/l\\012ib \xff.so\n"
        b"7f01-7f02 r-xp 00000000 fe:00 14 /w/old.so (deleted)\n"
        b"7fff-8000 r-xp 00000000 00:00 0                          [vdso]\n"
    )
    assert mapped_code(maps) == {"/usr/bin/cat", "/w/a b/l\nib \udcff.so"}


def test_addresses() -> None:
    port = struct.pack(">H", 443)
    inet = struct.pack("=H", socket.AF_INET) + port + bytes([192, 0, 2, 1]) + bytes(8)
    inet6 = struct.pack("=H", socket.AF_INET6) + port + bytes(4) + b"\x20\x01" + bytes(13) + b"\x01"
    unix = struct.pack("=H", socket.AF_UNIX)
    assert address(inet) == ("inet", "192.0.2.1", 443)
    assert address(inet6 + bytes(4)) == ("inet6", "2001::1", 443)
    assert address(unix + b"/run/x\0junk") == ("unix", "/run/x", 0)
    assert address(unix + b"\0name") == ("unix", "@name", 0)


def test_what_is_no_address_of_a_network() -> None:
    for data in (b"", b"\x02", struct.pack("=H", 16) + bytes(10), struct.pack("=H", 2) + b"\0"):
        assert address(data) is None
