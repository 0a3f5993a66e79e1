"""``[tool.envlock.nix]`` and ``[tool.envlock.guix]``: which nixpkgs, which Guix, which names."""

from __future__ import annotations

import re
from typing import Any

from envlock.errors import UsageError
from envlock.io.http.urls import without_credentials
from envlock.lock.toolchain import Found, GuixRequest, NixRequest
from envlock.project.document import Document, KeyPath, dotted, nearest

_NIX_KEYS = ("branch", "names", "source")
_GUIX_KEYS = ("branch", "introduction-commit", "introduction-fingerprint", "names", "url")
# A branch as git-check-ref-format(1) has it, without what a URL or a shell would read otherwise.
_BRANCH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_URL = re.compile(r"(https?|ssh|git|file)://[^\s]+")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_DEBIAN = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*(\.[A-Za-z_][A-Za-z0-9_'-]*)*")
# `name`, `name@version`, `name:output` or all three, as `guix install` takes them.
_GUIX_PACKAGE = re.compile(r"[a-z0-9][a-zA-Z0-9+._-]*(@[A-Za-z0-9+._-]+)?(:[a-z0-9-]+)?")


def read_nix(document: Document, path: KeyPath, value: Any) -> NixRequest:
    """The table at ``path``; an empty one asks for nixpkgs with everything at its default.

    Raises:
        UsageError: an unknown key or source, a wrong type, a name that none can have.
    """
    table = _table(document, path, value, _NIX_KEYS)
    known = {way.value: way for way in Found}
    source = table.get("source")
    if source is not None and (not isinstance(source, str) or source not in known):
        raise document.wrong((*path, "source"), f"one of {', '.join(known)}")
    return NixRequest(
        branch=_branch(document, path, table, "nixos-25.11"),
        source=None if source is None else known[source],
        names=_names(document, path, table, _ATTRIBUTE, '{ libgl1 = "libGL" }'),
    )


def read_guix(document: Document, path: KeyPath, value: Any) -> GuixRequest:
    """The table at ``path``; an empty one asks for Guix's own channel.

    Raises:
        UsageError: an unknown key, a wrong type, half an introduction, a URL with credentials.
    """
    table = _table(document, path, value, _GUIX_KEYS)
    commit, fingerprint = _introduction(document, path, table)
    return GuixRequest(
        url=_url(document, path, table),
        branch=_branch(document, path, table, "master"),
        introduction_commit=commit,
        introduction_fingerprint=fingerprint,
        names=_names(document, path, table, _GUIX_PACKAGE, '{ libgl1 = "mesa" }'),
    )


def _table(document: Document, path: KeyPath, value: Any, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise document.wrong(path, "a table")
    for key in value:
        if key not in keys:
            raise UsageError(
                f"unknown key {dotted((*path, key))}",
                where=document.place((*path, key)),
                remedy=nearest(key, keys),
            )
    return value


def _branch(document: Document, path: KeyPath, table: dict[str, Any], example: str) -> str | None:
    branch = table.get("branch")
    if branch is not None and not (isinstance(branch, str) and _BRANCH.fullmatch(branch)):
        raise document.wrong((*path, "branch"), f'a branch such as "{example}"')
    return branch


def _url(document: Document, path: KeyPath, table: dict[str, Any]) -> str | None:
    url = table.get("url")
    if url is None:
        return None
    if not isinstance(url, str) or not _URL.fullmatch(url):
        raise document.wrong((*path, "url"), 'a URL such as "https://git.example.org/guix.git"')
    if not url.startswith("ssh:") and without_credentials(url) != url:
        raise UsageError(
            f"{dotted((*path, 'url'))} has a user in it, and the lock would show it",
            where=document.place((*path, "url")),
            remedy="leave it out; git asks its own credential helper",
        )
    return url


def _introduction(
    document: Document, path: KeyPath, table: dict[str, Any]
) -> tuple[str | None, str | None]:
    commit, fingerprint = table.get("introduction-commit"), table.get("introduction-fingerprint")
    if commit is None and fingerprint is None:
        return None, None
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise document.wrong((*path, "introduction-commit"), "40 lower-case hex digits")
    plain = fingerprint.replace(" ", "").upper() if isinstance(fingerprint, str) else ""
    if not _FINGERPRINT.fullmatch(plain):
        raise document.wrong(
            (*path, "introduction-fingerprint"), "the signer's OpenPGP fingerprint, 40 hex digits"
        )
    return commit, plain


def _names(
    document: Document,
    path: KeyPath,
    table: dict[str, Any],
    shape: re.Pattern[str],
    example: str,
) -> tuple[str, ...]:
    names = table.get("names", {})
    place = (*path, "names")
    if not isinstance(names, dict):
        raise document.wrong(place, f"a table such as {example}")
    for name, other in names.items():
        if not _DEBIAN.fullmatch(name):
            raise UsageError(
                f"{name!r} cannot be a package of a distribution",
                where=document.place((*place, name)),
                remedy=f"write its name in lower case: names = {example}",
            )
        if not isinstance(other, str) or not shape.fullmatch(other):
            raise document.wrong((*place, name), f"a name, as in {example}")
    return tuple(sorted(f"{name}={other}" for name, other in names.items()))
