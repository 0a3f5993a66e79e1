"""How each difference comes about, in words: what ``envlock explain`` and docs/checks.md say."""

from __future__ import annotations

from envlock.check.drift import MEANINGS, Code, Layer
from envlock.errors import UsageError

TITLES = {
    Layer.REQUEST: "Project and lock",
    Layer.EXPORTS: "Exported files and lock",
    Layer.PYTHON: "Python environment and lock",
    Layer.OS: "OS packages and lock",
    Layer.NIX: "What Nix built",
    Layer.IMAGE: "Images",
    Layer.INDEX: "Lock and the places that it names",
    Layer.ADVISORIES: "Lock and security advisories",
}

ORIGINS: dict[Code, str] = {
    Code.STALE: "A requirement, a target or another setting was edited after `envlock lock`, or the"
    " lock was taken over from another branch. Subject: the setting.",
    Code.LOCK_EDITED: "A pin was bumped by hand, a merge mixed two locks, or the file was damaged."
    " Such a lock says nothing of what was resolved and verified, so this cannot be accepted.",
    Code.EXPORT_OUTDATED: "The lock changed after `envlock export`, or only some of its files were"
    " taken over into a commit. Subject: the first of the files.",
    Code.EXPORT_MISSING: "It was removed, is hidden by .gitignore, or was not added to git.",
    Code.EXPORT_IMPOSSIBLE: "The base image, the target or another thing that the format needs was"
    " taken out of the project.",
    Code.EXPORT_LEFT: "The lock was exported for more platforms once.",
    Code.EXPORT_EDITED: "It was edited by hand (in a file with marks: between them), a merge mixed"
    " two versions, another version of envlock or of a library that it uses made it, or the lock"
    " has other addresses of the same files now.",
    Code.NO_ENVIRONMENT: "Nothing was installed yet, the folder was removed, or the Python that it"
    " was made with is gone (an upgrade of the system does that). Subject: the environment.",
    Code.OTHER_INTERPRETER: "The environment was made with another Python, or the system's Python"
    " moved to its next version. With a locked archive of Python, the patch release counts, too.",
    Code.MISSING: "It was uninstalled, or the environment is older than the lock.",
    Code.OTHER_VERSION: "pip or uv installed something that brought another version, or the"
    " environment is older than the lock.",
    Code.OTHER_SOURCE: "The version is right, but direct_url.json (PEP 610) names another origin"
    " than the lock: an editable install in place of the released package, another commit.",
    Code.DUPLICATE: "Two tools installed one package, each in its own way; which of them Python"
    " imports is chance.",
    Code.BROKEN_METADATA: "An installation was interrupted, or a file of the .dist-info folder was"
    " removed or damaged.",
    Code.EXTRA: "It was installed by hand, or is left of an older lock. An unlocked pip,"
    " setuptools, wheel or uv (tools put them into new environments) or envlock itself is none.",
    Code.FILE_MODIFIED: "Somebody edited it in place, a tool patched it, or the disk damaged it.",
    Code.FILE_MISSING: "It was removed by hand or by cleaning up (to make an image smaller), or an"
    " installation was interrupted.",
    Code.FILE_UNREADABLE: "The user who checks may not read it, or it is no regular file (a pipe, a"
    " device), or something writes it right now.",
    Code.FILE_UNOWNED: "It was copied there by hand or by a script, or a tool left it. A whole"
    " folder is told as one.",
    Code.STARTUP_HOOK: "Coverage tools, debuggers, company-wide set-ups and malware put such files"
    " into site-packages. virtualenv's own is none.",
    Code.BYTECODE: "The source was edited, run, and put back, or the .pyc was put there to run in"
    " place of the source. One that Python itself wrote is none, nor one that is stale by time.",
    Code.NO_RECORD: "It was removed, or the package was installed by an old setup.py.",
    Code.BROKEN_RECORD: "It was damaged or edited, or it names files without a digest.",
    Code.RECORD_EDITED: "A file was edited and its line in RECORD with it, or one was added.",
    Code.OTHER_FILE: "Installers compare versions only: the package is from another index, from a"
    " build of this machine, or from before the lock got another file of the same version.",
    Code.ELSEWHERE: "The environment was moved, copied or unpacked where it was not made; programs"
    " name their Python by its path.",
    Code.SYSTEM_PACKAGES: "It was made with --system-site-packages, or pyvenv.cfg was edited.",
    Code.UNFINISHED: "envlock rebuild was killed or failed while it installed, or is at it now:"
    " packages may be missing, or not be the ones that the lock has.",
    Code.OTHER_BUILD: "Another build of the same Python version was there when the environment was"
    " made, or has replaced it since.",
    Code.OS_MISSING: "The package was removed, or the image was built without it.",
    Code.OS_VERSION: "apt upgraded it, or the image was built from another snapshot.",
    Code.OS_STATE: "dpkg was interrupted, or a maintainer script failed.",
    Code.OS_FILE_MODIFIED: "It was edited or replaced by hand, by an installer that goes past apt,"
    " or the disk damaged it.",
    Code.OS_FILE_MISSING: "It was removed by hand or by cleaning up. Manuals, documentation and"
    " translations may be missing, and what dpkg was told to leave out (path-exclude).",
    Code.OS_FILE_UNREADABLE: "Some files may be read by root alone.",
    Code.OS_NO_LIST: "dpkg's folder of lists was cleaned up, or damaged.",
    Code.OS_CONFFILE: "Configuration is there to be edited; dpkg keeps what it finds.",
    Code.OS_SHADOWED: "`make install`, pip as root, or the image that this one is built on put it"
    " there: images of Python have theirs in /usr/local.",
    Code.OS_FOREIGN_PACKAGE: "It came from a source of somebody else, or from a .deb given to dpkg."
    " Told where the lists that apt fetched are there; they know names.",
    Code.OS_FOREIGN_SOURCE: "A suite that the lock does not have (but backports), a component that"
    " the distribution does not have, keys of somebody else, or no need of a signature. An upgrade"
    " may replace locked packages from there. Mirrors of the locked archives are none.",
    Code.OS_HELD: "`apt-mark hold`. The version is the locked one; a later lock may want another.",
    Code.NIX_CONTENT: "A file in the store was edited, or the disk damaged it.",
    Code.NIX_OTHER_LOCK: "The lock changed after `envlock build nix`.",
    Code.IMAGE_OTHER_LOCK: "The lock changed after the image was made, or it is another project's.",
    Code.IMAGE_OTHER_BASE: "The base image was locked again, or its tag was used in its place.",
    Code.YANKED: "Its author withdrew it (PEP 592), mostly because it is broken. It still installs"
    " where its exact version is named, as a lock does. With a reason where one is stated.",
    Code.LISTED_NO_MORE: "Its author or the index deleted it. A new machine cannot install it from"
    " there.",
    Code.LISTED_CHANGED: "Indexes do not let files be replaced; private ones may, and attackers do."
    " Installers that verify digests refuse it.",
    Code.PROJECT_GONE: "It was deleted or renamed, or the index moved.",
    Code.QUARANTINED: "Its maintainers' account was taken over, or it is malware (PEP 792).",
    Code.PROJECT_STATUS: "Its maintainers said so (PEP 792): no more releases are to be expected.",
    Code.ARCHIVE_CHANGED: "The snapshot service dropped it, or another one is asked.",
    Code.PACKAGE_GONE: "A live mirror keeps newest versions only. Dated locks are asked for at"
    " snapshot services, too.",
    Code.IMAGE_GONE: "The registry cleans up what no tag names.",
    Code.TAG_MOVED: "Tags move with each build of the image.",
    Code.VULNERABLE: "OSV records, from a file or from a service. Subject: the package; of a"
    " distribution, the source package.",
    Code.VULNERABLE_NO_FIX: "Nothing is fixed yet, or the distribution will not fix it.",
    Code.MALICIOUS: "A record MAL-… of the OpenSSF's malicious packages.",
}
"""How each comes about."""


def find_code(text: str) -> Code:
    """The code that is written ``PY003``, ``py003`` or ``other-version``.

    Raises:
        UsageError: there is none; names the nearest.
    """
    for code, meaning in MEANINGS.items():
        if text.upper() == code or text == meaning.name:
            return code
    import difflib

    known = {name: code for code, m in MEANINGS.items() for name in (code.value, m.name)}
    near = difflib.get_close_matches(text, known, n=1)
    raise UsageError(
        f"there is no difference called {text!r}",
        remedy=f"did you mean {near[0]}?" if near else "all of them: envlock explain",
    )
