"""What each code means, and what to do. How it comes about stands in ``explain``."""

from __future__ import annotations

from envlock.check.codes.meanings_online import MEANINGS_ONLINE
from envlock.check.codes.registry import Code, Layer, Meaning, Severity

LOCK = "envlock lock"
SYNC = "envlock sync"
RECREATE = "envlock sync --recreate"
_REMOVE = "remove it, or make the environment anew: envlock sync --recreate"
_REINSTALL = "apt-get install --reinstall, or make the image anew"
_APT = "install the locked versions with apt, or make the image anew"

MEANINGS: dict[Code, Meaning] = {
    Code.LOCK_EDITED: Meaning(
        layer=Layer.REQUEST,
        name="lock-edited",
        summary="The lockfile's content is not what its own digests say; nothing else is compared.",
        remedy="restore it from git, or ask for the change in the project and run envlock lock",
    ),
    Code.STALE: Meaning(
        layer=Layer.REQUEST,
        name="stale",
        summary="The project asks for something else than when it was locked.",
        remedy=LOCK,
    ),
    Code.EXPORT_IMPOSSIBLE: Meaning(
        layer=Layer.EXPORTS,
        name="export-impossible",
        summary="The lock no longer gives an export that is there.",
        remedy="remove it, or put back what it needs and run envlock lock",
    ),
    Code.EXPORT_OUTDATED: Meaning(
        layer=Layer.EXPORTS,
        name="export-outdated",
        summary="An export was made from another lock.",
        remedy="envlock export FORMAT",
    ),
    Code.EXPORT_MISSING: Meaning(
        layer=Layer.EXPORTS,
        name="export-incomplete",
        summary="A file of an export is not there.",
        remedy="envlock export FORMAT",
    ),
    Code.EXPORT_EDITED: Meaning(
        layer=Layer.EXPORTS,
        name="export-edited",
        summary="An exported file says that it is of this lock, and is not what the lock gives.",
        remedy="envlock export FORMAT",
    ),
    Code.EXPORT_LEFT: Meaning(
        layer=Layer.EXPORTS,
        name="export-left",
        summary="An exported file is there that the lock no longer gives.",
        remedy="remove it",
    ),
    Code.NO_ENVIRONMENT: Meaning(
        layer=Layer.PYTHON,
        name="no-environment",
        summary="There is no environment, or its interpreter does not start.",
        remedy=SYNC,
    ),
    Code.OTHER_INTERPRETER: Meaning(
        layer=Layer.PYTHON,
        name="other-interpreter",
        summary="The environment's Python is none that the lock is for.",
        remedy=RECREATE,
    ),
    Code.MISSING: Meaning(
        layer=Layer.PYTHON,
        name="missing",
        summary="A locked package is not installed.",
        remedy=SYNC,
    ),
    Code.OTHER_VERSION: Meaning(
        layer=Layer.PYTHON,
        name="other-version",
        summary="A package is installed in another version than the locked one.",
        remedy=SYNC,
    ),
    Code.OTHER_SOURCE: Meaning(
        layer=Layer.PYTHON,
        name="other-source",
        summary="A package was installed from elsewhere (index, commit, archive, folder).",
        remedy=SYNC,
    ),
    Code.DUPLICATE: Meaning(
        layer=Layer.PYTHON,
        name="duplicate",
        summary="The metadata of one package is there more than once.",
        remedy=RECREATE,
    ),
    Code.BROKEN_METADATA: Meaning(
        layer=Layer.PYTHON,
        name="broken-metadata",
        summary="The metadata of an installed package cannot be read.",
        remedy=RECREATE,
    ),
    Code.EXTRA: Meaning(
        layer=Layer.PYTHON,
        name="extra",
        summary="A package is installed that the lock does not have.",
        remedy=SYNC,
    ),
    Code.OTHER_BUILD: Meaning(
        layer=Layer.PYTHON,
        name="other-build",
        summary="The Python is another build than the archive that is locked.",
        remedy="uv python install --reinstall, then envlock sync --recreate",
    ),
    Code.ELSEWHERE: Meaning(
        layer=Layer.PYTHON,
        name="elsewhere",
        summary="Programs of the environment lead to another one: it was moved or copied.",
        remedy=RECREATE,
    ),
    Code.SYSTEM_PACKAGES: Meaning(
        layer=Layer.PYTHON,
        name="system-packages",
        summary="The environment sees the packages of the Python that it was made from.",
        remedy=RECREATE,
    ),
    Code.UNFINISHED: Meaning(
        layer=Layer.PYTHON,
        name="unfinished",
        summary="The environment was being rebuilt, and that did not come to its end.",
        remedy="run envlock rebuild again, as before",
    ),
    Code.OTHER_FILE: Meaning(
        layer=Layer.PYTHON,
        name="other-file",
        summary="A package was installed from another file than a locked one, of its version.",
        remedy=SYNC,
    ),
    Code.FILE_MODIFIED: Meaning(
        layer=Layer.PYTHON,
        name="file-modified",
        summary="A file of a package is not what its RECORD says.",
        remedy=SYNC,
    ),
    Code.FILE_MISSING: Meaning(
        layer=Layer.PYTHON,
        name="file-missing",
        summary="A file of a package is not there.",
        remedy=SYNC,
    ),
    Code.STARTUP_HOOK: Meaning(
        layer=Layer.PYTHON,
        name="startup-hook",
        summary="A file of no package runs whenever Python starts (.pth, sitecustomize).",
        remedy=_REMOVE,
    ),
    Code.BYTECODE: Meaning(
        layer=Layer.PYTHON,
        name="bytecode",
        summary="Cached bytecode was made from another source than the one beside it.",
        remedy="remove the file: Python makes it anew",
    ),
    Code.RECORD_EDITED: Meaning(
        layer=Layer.PYTHON,
        name="record-edited",
        summary="A package's RECORD is not what it was when envlock installed the package.",
        remedy=RECREATE,
    ),
    Code.BROKEN_RECORD: Meaning(
        layer=Layer.PYTHON,
        name="broken-record",
        summary="A package's RECORD cannot be relied on, so its files cannot be verified.",
        remedy=RECREATE,
    ),
    Code.NO_RECORD: Meaning(
        layer=Layer.PYTHON,
        name="no-record",
        summary="A package has no RECORD, so its files cannot be verified.",
        remedy=SYNC,
    ),
    Code.FILE_UNREADABLE: Meaning(
        layer=Layer.PYTHON,
        name="file-unreadable",
        summary="A file or folder cannot be read, or changes while it is read.",
        remedy="make it readable for the user who checks, and check again",
    ),
    Code.FILE_UNOWNED: Meaning(
        layer=Layer.PYTHON,
        name="file-unowned",
        summary="A file lies among the packages or programs and belongs to none.",
        remedy=_REMOVE,
    ),
    Code.OS_MISSING: Meaning(
        layer=Layer.OS,
        name="os-missing",
        summary="A locked OS package is not installed.",
        remedy=_APT,
    ),
    Code.OS_VERSION: Meaning(
        layer=Layer.OS,
        name="os-other-version",
        summary="An OS package is installed in another version than the locked one.",
        remedy=_APT,
    ),
    Code.OS_STATE: Meaning(
        layer=Layer.OS,
        name="os-unfinished",
        summary="An OS package is there, but its installation did not finish.",
        remedy="dpkg --configure -a",
    ),
    Code.OS_FILE_MODIFIED: Meaning(
        layer=Layer.OS,
        name="os-file-modified",
        summary="A file of an OS package is not what dpkg unpacked.",
        remedy=_REINSTALL,
    ),
    Code.OS_FILE_MISSING: Meaning(
        layer=Layer.OS,
        name="os-file-missing",
        summary="A file of an OS package is not there.",
        remedy=_REINSTALL,
    ),
    Code.OS_NO_LIST: Meaning(
        layer=Layer.OS,
        name="os-no-list",
        summary="dpkg does not know the files of an OS package, so they cannot be verified.",
        remedy=_REINSTALL,
    ),
    Code.OS_FILE_UNREADABLE: Meaning(
        layer=Layer.OS,
        name="os-file-unreadable",
        summary="A file of an OS package cannot be read, or changes while it is read.",
        remedy="check as a user who may read it",
    ),
    Code.OS_SHADOWED: Meaning(
        layer=Layer.OS,
        name="os-shadowed",
        summary="A program or library in /usr/local is found before the one of an OS package.",
        remedy="remove it, or accept it with a reason",
        severity=Severity.WARNING,
    ),
    Code.OS_CONFFILE: Meaning(
        layer=Layer.OS,
        name="os-configuration",
        summary="A configuration file of an OS package was edited or removed.",
        remedy="accept it with a reason, or put the package's own back",
        severity=Severity.WARNING,
    ),
    Code.OS_FOREIGN_PACKAGE: Meaning(
        layer=Layer.OS,
        name="os-foreign-package",
        summary="A package beyond the lock is none that the locked archives have.",
        remedy="remove it, or accept it with a reason",
        severity=Severity.WARNING,
    ),
    Code.OS_FOREIGN_SOURCE: Meaning(
        layer=Layer.OS,
        name="os-foreign-source",
        summary="apt has a source that is none of the locked archives.",
        remedy="remove it from apt's sources, or accept it with a reason",
        severity=Severity.WARNING,
    ),
    Code.OS_HELD: Meaning(
        layer=Layer.OS,
        name="os-held",
        summary="An OS package is on hold: apt leaves it as it is.",
        remedy="apt-mark unhold",
        severity=Severity.NOTE,
    ),
    Code.NIX_CONTENT: Meaning(
        layer=Layer.NIX,
        name="nix-content",
        summary="A path in Nix's store does not hold what was built there.",
        remedy="nix-store --repair-path PATH",
    ),
    Code.NIX_OTHER_LOCK: Meaning(
        layer=Layer.NIX,
        name="nix-other-lock",
        summary="What Nix built last was built from another lock.",
        remedy="envlock build nix",
    ),
    Code.IMAGE_OTHER_LOCK: Meaning(
        layer=Layer.IMAGE,
        name="image-other-lock",
        summary="An image says that it was made from another lock.",
        remedy="make the image anew from this lock",
    ),
    Code.IMAGE_OTHER_BASE: Meaning(
        layer=Layer.IMAGE,
        name="image-other-base",
        summary="An image says that it was built on another base image than the locked one.",
        remedy="make the image anew from this lock",
    ),
    **MEANINGS_ONLINE,
}
"""Every code's meaning, the most important first."""
