"""What dpkg says is installed in a root, from its status file (dpkg need not be there)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.files import read_text

STATUS = "var/lib/dpkg/status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """One package: ``state`` is the last word of its ``Status`` (``installed``, ``unpacked``…).

    ``held`` says that apt may not change it; ``conffiles`` is the field of that name.
    """

    version: str
    state: str
    held: bool = False
    conffiles: str = ""


Status = Mapping[tuple[str, str], Installed]
"""(package name, architecture) → what is there; ``all`` is an architecture, too."""


def distribution(root: Path) -> str | None:
    """``debian:bookworm``, from the root's os-release(5); None where it does not say."""
    for name in ("etc/os-release", "usr/lib/os-release"):
        path = root / name
        if path.is_file():
            fields = dict(
                line.split("=", 1) for line in read_text(path).splitlines() if "=" in line
            )
            system = fields.get("ID", "").strip("\"'")
            codename = fields.get("VERSION_CODENAME", "").strip("\"'")
            return f"{system}:{codename}" if system and codename else None
    return None


def observe_os(root: Path) -> Status:
    """What dpkg has in ``root``; configuration leftovers are not there.

    Raises:
        UsageError: the root has no dpkg, or its status file cannot be understood.
    """
    path = root / STATUS
    if not path.is_file():
        raise UsageError(
            "no dpkg status here: not a Debian or Ubuntu system",
            where=str(path),
            remedy="name the system's root with --root, or leave the OS out with --python-only",
        )
    return parse_status(read_text(path), where=str(path))


def parse_status(text: str, *, where: str) -> Status:
    """dpkg's status file (deb822 paragraphs with Package, Status, Version, Architecture)."""
    found: dict[tuple[str, str], Installed] = {}
    for paragraph in text.split("\n\n"):
        fields: dict[str, str] = {}
        conffiles: list[str] = []
        key = ""
        for line in paragraph.splitlines():
            if line.startswith(" "):
                if key == "Conffiles":
                    conffiles.append(line)
                continue
            key, colon, value = line.partition(":")
            if colon and key in ("Package", "Status", "Version", "Architecture"):
                fields[key] = value.strip()
        if not fields:
            continue
        if "Package" not in fields or "Status" not in fields:
            raise UsageError(
                f"a paragraph without Package or Status: {paragraph[:40]!r}",
                where=where,
                remedy="repair dpkg's status (a copy of yesterday's is beside it: status-old)",
            )
        words = fields["Status"].split() or [""]
        state = words[-1]
        if "reinstreq" in words and state == "installed":
            state = "reinstreq"  # dpkg itself says that it is broken
        if state in ("not-installed", "config-files"):
            continue
        package = (fields["Package"], fields.get("Architecture", ""))
        found[package] = Installed(
            version=fields.get("Version", ""),
            state=state,
            held=words[0] == "hold",
            conffiles="\n".join(conffiles),
        )
    return found
