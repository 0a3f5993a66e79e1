"""The loader's cache (``/etc/ld.so.cache``), as ``ldconfig`` writes it; format 1.1 of glibc.

The loader finds libraries in its usual folders without; others (``/etc/ld.so.conf.d``) and
``ctypes.util.find_library`` need it.
"""

from __future__ import annotations

import functools
import re
import struct
from collections.abc import Iterable, Mapping

from envlock.resolve.os.libraries.elf import MACHINES

TRIPLETS = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}
"""Architecture → the name of its folder of libraries (Debian's multiarch)."""

LIBRARY = re.compile(r"(?:lib|ld-).*\.so(?:\..*)?")
"""The names that ldconfig looks at."""

_FLAGS = {"amd64": 0x0303, "arm64": 0x0A03}  # ELF of libc 6, and the machine's own ABI
_MAGIC = b"glibc-ld.so.cache1.1"
_LITTLE_ENDIAN = 2
_HEADER = struct.Struct("<20sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")


def folders(configuration: Mapping[str, bytes], architecture: str) -> list[str]:
    """The folders that ldconfig reads, in order: the files' (sorted by name), then the system's."""
    triplet = TRIPLETS[architecture]
    lines = (
        line.partition("#")[0].strip()
        for _name, text in sorted(configuration.items())
        for line in text.decode("utf-8", "replace").splitlines()
    )
    found = [line.rstrip("/") for line in lines if line.startswith("/")]
    return list(
        dict.fromkeys([*found, f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib", "/usr/lib"])
    )


def cache(libraries: Iterable[tuple[str, str]], architecture: str) -> bytes:
    """The cache of these libraries: name (mostly the soname) and absolute path, preferred first."""
    entries = sorted(libraries, key=functools.cmp_to_key(_order), reverse=True)
    strings = b""
    rows = b""
    start = _HEADER.size + _ENTRY.size * len(entries)
    for name, path in entries:
        value = start + len(strings)
        strings += path.encode() + b"\0"
        key = value + len(path.encode()) - len(name.encode())
        rows += _ENTRY.pack(_FLAGS[architecture], key, value, 0, 0)
    return _HEADER.pack(_MAGIC, len(entries), len(strings), _LITTLE_ENDIAN, 0) + rows + strings


def fits(bits: int, machine: int, architecture: str) -> bool:
    """Whether the architecture's loader takes such a file."""
    return MACHINES.get(architecture) == (bits, machine)


def _order(one: tuple[str, str], other: tuple[str, str]) -> int:
    """As the loader's search compares names: runs of digits as numbers (``_dl_cache_libcmp``)."""
    first, second = (re.findall(r"[0-9]+|[^0-9]", name) for name, _path in (one, other))
    for left, right in zip(first, second, strict=False):
        if left.isdigit() and right.isdigit():
            if int(left) != int(right):
                return int(left) - int(right)
        elif left.isdigit() != right.isdigit():
            return 1 if left.isdigit() else -1
        elif left != right:
            return ord(left) - ord(right)
    return len(first) - len(second)
