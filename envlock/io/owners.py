"""Which package of the system, or which installed distribution, brought a file."""

from __future__ import annotations

import os
import re

from envlock.io.cache import DiskCache
from envlock.io.sha256 import hex_of

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_DPKG = "/var/lib/dpkg"
_SITE = re.compile(r"(.*/(?:site|dist)-packages)/(.*)", re.DOTALL)
_KIND = "owners-1"


def packages(paths: Iterable[str], dpkg: str = _DPKG) -> dict[str, str]:
    """Path → the name of the dpkg package that has it; others are left out.

    Where ``/lib`` leads to ``/usr/lib``, packages may still name the one or the other.
    """
    wanted: dict[bytes, str] = {}
    for path in paths:
        name = os.fsencode(path)
        wanted[name] = path
        if name.startswith(b"/usr/"):
            wanted[name[4:]] = path

    def look() -> dict[bytes, str]:
        found: dict[bytes, str] = {}
        for entry in sorted(os.listdir(f"{dpkg}/info")):
            if entry.endswith(".list"):
                with open(f"{dpkg}/info/{entry}", "rb", buffering=0) as file:
                    owned = wanted.keys() & set(file.read().split(b"\n"))
                found |= dict.fromkeys(owned, entry.removesuffix(".list").partition(":")[0])
        return found

    try:
        state = os.stat(f"{dpkg}/status").st_mtime_ns
        owners = _remembered(f"{dpkg} {state}", wanted, look)
    except OSError:
        return {}
    return {wanted[name]: owner for name, owner in owners.items()}


def distributions(paths: Iterable[str]) -> dict[str, str]:
    """Path → ``name version`` of the Python distribition whose RECORD has it."""
    by_site: dict[str, dict[bytes, str]] = {}
    for path in paths:
        match = _SITE.fullmatch(path)
        if match is not None:
            by_site.setdefault(match[1], {})[os.fsencode(match[2])] = path
    found: dict[str, str] = {}
    for site, wanted in by_site.items():
        try:
            owners = _remembered(
                f"{site} {os.stat(site).st_mtime_ns}",
                wanted,
                lambda: _recorded(site, wanted),  # noqa: B023
            )
        except OSError:
            continue
        found |= {wanted[name]: owner for name, owner in owners.items()}
    return found


def _recorded(site: str, wanted: dict[bytes, str]) -> dict[bytes, str]:
    found: dict[bytes, str] = {}
    for entry in sorted(os.listdir(site)):
        if entry.endswith(".dist-info"):
            try:
                with open(f"{site}/{entry}/RECORD", "rb", buffering=0) as file:
                    lines = file.read().split(b"\n")
            except OSError:
                continue
            owned = wanted.keys() & {line.split(b",", 1)[0] for line in lines}
            found |= dict.fromkeys(owned, " ".join(entry[:-10].split("-", 1)))
    return found


def _remembered(
    state: str, wanted: dict[bytes, str], look: Callable[[], dict[bytes, str]]
) -> dict[bytes, str]:
    """A program uses the same files each time: what they belong to is looked up once."""
    names = b"\0".join(sorted(wanted))
    key = f"{state} {hex_of(names)}"
    known = DiskCache(_KIND).get(key)
    if known is None:
        known = b"\0".join(b"%b\n%b" % (n, o.encode()) for n, o in look().items())
        DiskCache(_KIND).put(key, known)
    pairs = (pair.rpartition(b"\n") for pair in known.split(b"\0") if pair)
    return {name: owner.decode() for name, _, owner in pairs}
