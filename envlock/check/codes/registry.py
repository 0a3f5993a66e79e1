"""Typed differences between a lock and what is there. Codes are stable: scripts rely on them.

Letters name the layer, the first digit how deep one has to look to see it: ``PY0xx`` needs the
metadata of installed packages alone; ``PY1xx`` the content of their files. ``OS0xx`` likewise needs
dpkg's status alone, ``OS1xx`` the files of its packages; ``EX0xx`` what exported files say of
themselves, ``EX1xx`` their content; ``NX0xx`` is about what Nix built.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Layer(StrEnum):
    """What a difference is about."""

    REQUEST = "request"
    EXPORTS = "exports"
    PYTHON = "python"
    OS = "os"
    NIX = "nix"
    IMAGE = "image"
    INDEX = "index"
    ADVISORIES = "advisories"


class Code(StrEnum):
    """Every kind of difference."""

    STALE = "RQ001"
    LOCK_EDITED = "RQ002"
    EXPORT_OUTDATED = "EX001"
    EXPORT_MISSING = "EX002"
    EXPORT_IMPOSSIBLE = "EX003"
    EXPORT_LEFT = "EX004"
    EXPORT_EDITED = "EX101"
    NO_ENVIRONMENT = "PY000"
    MISSING = "PY001"
    EXTRA = "PY002"
    OTHER_VERSION = "PY003"
    OTHER_INTERPRETER = "PY004"
    OTHER_SOURCE = "PY005"
    BROKEN_METADATA = "PY006"
    DUPLICATE = "PY007"
    FILE_MISSING = "PY101"
    FILE_MODIFIED = "PY102"
    FILE_UNREADABLE = "PY103"
    FILE_UNOWNED = "PY104"
    STARTUP_HOOK = "PY105"
    BYTECODE = "PY106"
    NO_RECORD = "PY107"
    BROKEN_RECORD = "PY108"
    RECORD_EDITED = "PY109"
    OTHER_FILE = "PY110"
    ELSEWHERE = "PY111"
    SYSTEM_PACKAGES = "PY112"
    OTHER_BUILD = "PY113"
    UNFINISHED = "PY114"
    OS_MISSING = "OS001"
    OS_VERSION = "OS002"
    OS_STATE = "OS003"
    OS_HELD = "OS004"
    OS_FOREIGN_SOURCE = "OS005"
    OS_FOREIGN_PACKAGE = "OS006"
    OS_FILE_MISSING = "OS101"
    OS_FILE_MODIFIED = "OS102"
    OS_FILE_UNREADABLE = "OS103"
    OS_NO_LIST = "OS104"
    OS_CONFFILE = "OS105"
    OS_SHADOWED = "OS106"
    NIX_OTHER_LOCK = "NX001"
    NIX_CONTENT = "NX002"
    IMAGE_OTHER_LOCK = "IM001"
    IMAGE_OTHER_BASE = "IM002"
    YANKED = "IX001"
    LISTED_NO_MORE = "IX002"
    LISTED_CHANGED = "IX003"
    PROJECT_GONE = "IX004"
    QUARANTINED = "IX005"
    PROJECT_STATUS = "IX006"
    ARCHIVE_CHANGED = "IX007"
    PACKAGE_GONE = "IX008"
    IMAGE_GONE = "IX009"
    TAG_MOVED = "IX010"
    VULNERABLE = "AD001"
    VULNERABLE_NO_FIX = "AD002"
    MALICIOUS = "AD003"


class Severity(StrEnum):
    """How much a difference counts: an error decides the exit code, the others are told only."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a code stands for: its layer, a short name, one sentence, and what to do about it.

    ``severity`` is what counts where the project says nothing else. How each comes about stands
    in ``explain``.
    """

    layer: Layer
    name: str
    summary: str
    remedy: str
    severity: Severity = Severity.ERROR
