"""What the codes mean of the places that a lock names, and of advisories: parts of ``meanings``."""

from __future__ import annotations

from envlock.check.codes.registry import Code, Layer, Meaning, Severity

_UPGRADE = "envlock lock --upgrade"
_KEEP = "keep what you have of it (envlock fetch), or " + _UPGRADE

MEANINGS_ONLINE: dict[Code, Meaning] = {
    Code.QUARANTINED: Meaning(
        layer=Layer.INDEX,
        name="quarantined",
        summary="The index holds a project back as unsafe.",
        remedy="do not install it; find out why, and lock without it",
    ),
    Code.LISTED_CHANGED: Meaning(
        layer=Layer.INDEX,
        name="file-changed",
        summary="A place has other bytes under a locked file's name.",
        remedy="find out why before anything else; " + _UPGRADE + " takes what is there now",
    ),
    Code.PROJECT_GONE: Meaning(
        layer=Layer.INDEX,
        name="project-gone",
        summary="The index that a package was locked from has no such project any more.",
        remedy=_KEEP,
    ),
    Code.LISTED_NO_MORE: Meaning(
        layer=Layer.INDEX,
        name="file-gone",
        summary="A locked file is no longer where it was locked from.",
        remedy=_KEEP,
    ),
    Code.ARCHIVE_CHANGED: Meaning(
        layer=Layer.INDEX,
        name="archive-changed",
        summary="No snapshot service has the Release that was locked of a suite.",
        remedy="name a mirror that has it (mirrors in [tool.envlock.os]), or " + _UPGRADE,
    ),
    Code.PACKAGE_GONE: Meaning(
        layer=Layer.INDEX,
        name="package-gone",
        summary="No mirror has a locked .deb in its size.",
        remedy="name a mirror that has it (mirrors in [tool.envlock.os]), or " + _UPGRADE,
    ),
    Code.IMAGE_GONE: Meaning(
        layer=Layer.INDEX,
        name="image-gone",
        summary="The registry has a locked base image no more.",
        remedy="push it from a machine that has it, or " + _UPGRADE,
    ),
    Code.YANKED: Meaning(
        layer=Layer.INDEX,
        name="yanked",
        summary="A locked file was yanked: its author asks not to use it.",
        remedy=_UPGRADE,
        severity=Severity.WARNING,
    ),
    Code.TAG_MOVED: Meaning(
        layer=Layer.INDEX,
        name="tag-moved",
        summary="The tag of the base image names another image now; the locked one stays.",
        remedy=_UPGRADE,
        severity=Severity.NOTE,
    ),
    Code.PROJECT_STATUS: Meaning(
        layer=Layer.INDEX,
        name="project-status",
        summary="The index says that a project is archived or deprecated.",
        remedy="look for another package, or accept it with a reason",
        severity=Severity.NOTE,
    ),
    Code.MALICIOUS: Meaning(
        layer=Layer.ADVISORIES,
        name="malicious",
        summary="An advisory calls the locked version malicious.",
        remedy="do not install it; treat machines that did as compromised",
    ),
    Code.VULNERABLE: Meaning(
        layer=Layer.ADVISORIES,
        name="vulnerable",
        summary="An advisory names the locked version, and a newer one that it does not.",
        remedy=_UPGRADE,
    ),
    Code.VULNERABLE_NO_FIX: Meaning(
        layer=Layer.ADVISORIES,
        name="vulnerable-no-fix",
        summary="An advisory names the locked version, and no version that is free of it.",
        remedy="accept it with a reason and a date (until), or do without the package",
        severity=Severity.WARNING,
    ),
}
"""The most important first."""
