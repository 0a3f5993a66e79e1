"""The archives that this machine's apt uses (sources.list(5)).

Both styles are read: one line per source, and deb822 paragraphs (``.sources``). What says that an
archive needs no signature (``[trusted=yes]``) is never honoured; ``check`` tells of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envlock.io.files import note_read

_FILE_NAME = re.compile(r"[A-Za-z0-9_.-]+\.(list|sources)")
_LINE = re.compile(r"^(deb|deb-src)\s+(?:\[([^\]]*)\]\s*)?(\S+)\s+(\S+)\s*(.*)$")
_OPTION = re.compile(r"(\S+?)\s*=\s*(\S+)")
_YES = frozenset({"yes", "true", "on", "with", "enable", "1"})


@dataclass(frozen=True, slots=True, kw_only=True)
class AptSource:
    """One archive of binary packages, as apt's configuration names it.

    Args:
        uri: without a final slash; its scheme may be one that only apt knows (``cdrom``).
        suites: ``bookworm``, ``bookworm-updates``…
        components: ``main``…; empty for an archive without (a flat one).
        architectures: those it is limited to; empty for all.
        signed_by: keyring files or fingerprints, as written; an embedded key is left out.
        unsigned: it says that it needs no signature.
        origin: file and line, for messages.
    """

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...] = ()
    architectures: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()
    unsigned: bool = False
    origin: str = ""


PLACES = ("/etc/apt/sources.list", "/etc/apt/sources.list.d")
"""Where apt's own configuration of sources is, or would be."""


def apt_sources(root: Path = Path("/")) -> tuple[AptSource, ...]:
    """The enabled ``deb`` sources in apt's order: ``sources.list``, then the folder's by name.

    What apt itself would refuse (a line without a suite, an unreadable file) is passed over: this
    reads another tool's configuration and is not the one to judge it.

    Args:
        root: the root of the file system that has ``etc/apt``.
    """
    folder = root / "etc/apt"
    found: list[AptSource] = []
    parts = folder / "sources.list.d"
    files = sorted(parts.iterdir()) if parts.is_dir() else []
    for path in (folder / "sources.list", *files):
        if path.parent == parts and not _FILE_NAME.fullmatch(path.name):
            continue
        try:
            text = path.read_bytes().decode("utf-8", "replace")
        except OSError:
            continue
        note_read(path)
        read = _paragraphs if path.suffix == ".sources" else _lines
        found.extend(read(text, str(path)))
    return tuple(found)


def _lines(text: str, file: str) -> Iterator[AptSource]:
    """``deb [arch=amd64 signed-by=/path] uri suite component…``."""
    for number, line in enumerate(text.splitlines(), 1):
        match = _LINE.match(line.partition("#")[0].strip())
        if match is None or match[1] != "deb":
            continue
        options = {name.lower(): value for name, value in _OPTION.findall(match[2] or "")}
        yield AptSource(
            uri=match[3].rstrip("/"),
            suites=(match[4],),
            components=tuple(match[5].split()),
            architectures=_comma(options.get("arch", "")),
            signed_by=_comma(options.get("signed-by", "")),
            unsigned=options.get("trusted", "").lower() in _YES,
            origin=f"{file}:{number}",
        )


def _paragraphs(text: str, file: str) -> Iterator[AptSource]:
    """deb822: ``Types``, ``URIs``, ``Suites``, ``Components``, each a list of words."""
    for number, fields in _deb822(text):
        if "deb" not in fields.get("types", "").split():
            continue
        if fields.get("enabled", "yes").lower() not in _YES:
            continue
        suites = tuple(fields.get("suites", "").split())
        key = fields.get("signed-by", "")
        for uri in fields.get("uris", "").split():
            if not suites:
                continue
            yield AptSource(
                uri=uri.rstrip("/"),
                suites=suites,
                components=tuple(fields.get("components", "").split()),
                architectures=tuple(fields.get("architectures", "").split()),
                signed_by=() if "BEGIN PGP" in key else tuple(key.replace(",", " ").split()),
                unsigned=fields.get("trusted", "").lower() in _YES,
                origin=f"{file}:{number}",
            )


def _deb822(text: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Paragraphs with the number of their first line; names in lower case, values folded."""
    fields: dict[str, str] = {}
    begin, name = 1, ""
    for number, line in enumerate([*text.splitlines(), ""], 1):
        if line.startswith("#"):
            continue
        if not line.strip():
            if fields:
                yield begin, fields
            fields, name = {}, ""
        elif line[0] in " \t":
            if name:
                fields[name] += " " + line.strip()
        else:
            if not fields:
                begin = number
            name, _, value = line.partition(":")
            name = name.strip().lower()
            fields[name] = value.strip()


def _comma(text: str) -> tuple[str, ...]:
    return tuple(part for part in text.split(",") if part)
