"""Reads what pip-compile wrote, and pip's installation report."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envlock.errors import SourceError

_LINE = re.compile(r"(?P<requirement>\S.*?)(?:\s+# via (?P<via>.*))?\s*")
_REPORT_VERSION = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One line of pip-compile's output.

    ``name`` is normalized; ``version`` is None for a direct reference. ``needs`` are the normalized
    names of the pins that this one depends on.
    """

    name: str
    line: str
    version: str | None
    needs: tuple[str, ...] = ()

    @property
    def direct(self) -> bool:
        """Whether it is a URL or path."""
        return self.version is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What pip's report says of one package: the file's URL, its sha256, its own metadata."""

    url: str
    sha256: str | None
    version: str
    requires_python: str | None


def read_compiled(text: str) -> tuple[Pin, ...]:
    """The pins of pip-compile's output (``--annotation-style=line``), sorted by name.

    Raises:
        SourceError: a line is not a pin.
    """
    requirements: dict[str, tuple[str, Requirement]] = {}
    needs: dict[str, set[str]] = {}
    for line in text.splitlines():
        match = _LINE.fullmatch(line)
        if match is None or line.startswith("#"):
            continue
        requirement = Requirement(match["requirement"])
        name = canonicalize_name(requirement.name)
        requirements[name] = (match["requirement"], requirement)
        for parent in _parents(match["via"] or ""):
            needs.setdefault(parent, set()).add(name)
    return tuple(
        Pin(
            name=name,
            line=line,
            version=_version(requirement),
            needs=tuple(sorted(needs.get(name, set()) - {name})),
        )
        for name, (line, requirement) in sorted(requirements.items())
    )


def _parents(via: str) -> Iterable[str]:
    """``a[x], b, -r requirements.in`` → ``a``, ``b``."""
    for entry in re.split(r",\s+", via):
        if entry and not entry.startswith(("-r ", "-c ", "-e ")):
            yield canonicalize_name(entry.partition("[")[0].strip())


def _version(requirement: Requirement) -> str | None:
    if requirement.url is not None:
        return None
    for specifier in requirement.specifier:
        if specifier.operator in ("==", "==="):
            return specifier.version
    raise SourceError(f"pip-compile wrote a line that is no pin: {requirement}")


def read_report(text: str) -> dict[str, Found]:
    """Normalized name → what pip's installation report (version 1) says.

    Raises:
        SourceError: pip wrote a report of another version.
    """
    report: Mapping[str, Any] = json.loads(text)
    if report.get("version") != _REPORT_VERSION:
        raise SourceError(
            f"pip wrote a report of version {report.get('version')}; known is {_REPORT_VERSION}",
            remedy="install the pip that this envlock was made for",
        )
    found: dict[str, Found] = {}
    for entry in report["install"]:
        metadata, download = entry["metadata"], entry["download_info"]
        hashes = download.get("archive_info", {}).get("hashes", {})
        found[canonicalize_name(metadata["name"])] = Found(
            url=download["url"],
            sha256=hashes.get("sha256"),
            version=metadata["version"],
            requires_python=metadata.get("requires_python"),
        )
    return found
