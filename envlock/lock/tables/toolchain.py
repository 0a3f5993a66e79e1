"""``[tool.envlock.nixpkgs]`` and ``[tool.envlock.guix]`` ⇄ values; for ``codec``."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from envlock.lock.model import Lock
from envlock.lock.tables.reader import Reader
from envlock.lock.toolchain import Found, GuixChannel, GuixRequest, Nixpkgs, NixRequest

_NIXPKGS = "tool.envlock.nixpkgs"
_GUIX = "tool.envlock.guix"
_REQUEST = "tool.envlock.request"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")
_NAR_HASH = re.compile(r"sha256-[A-Za-z0-9+/]{43}=")
_NAME = re.compile(r"[^=]+=.+", re.S)


def toolchain_tables(lock: Lock) -> dict[str, Any]:
    """The tables that the lock has, by their keys."""
    tables = {}
    if lock.nixpkgs is not None:
        tables["nixpkgs"] = _nixpkgs_table(lock.nixpkgs, lock.as_of)
    if lock.guix is not None:
        tables["guix"] = _guix_table(lock.guix)
    return tables


def with_toolchain(reader: Reader, tool: Mapping[str, Any], lock: Lock) -> Lock:
    """The lock, with what the file says of nixpkgs and Guix.

    Raises:
        UsageError: a value has another shape; names its path in the file.
    """
    asked = tool["request"]
    return replace(
        lock,
        request=replace(
            lock.request, nix=_nix_request(reader, asked), guix=_guix_request(reader, asked)
        ),
        nixpkgs=_nixpkgs(reader, tool, lock.as_of),
        guix=_guix(reader, tool),
    )


def _nixpkgs_table(pin: Nixpkgs, as_of: datetime) -> dict[str, Any]:
    table: dict[str, Any] = {
        "branch": pin.branch,
        "rev": pin.rev,
        "last-modified": pin.last_modified,
        "nar-hash": pin.nar_hash,
        "found": pin.found.value,
        "seconds-before-as-of": _before(pin, as_of),
    }
    return table | _names_table(pin.names)


def _guix_table(pin: GuixChannel) -> dict[str, Any]:
    table: dict[str, Any] = {
        "name": pin.name,
        "url": pin.url,
        "branch": pin.branch,
        "commit": pin.commit,
        "introduction-commit": pin.introduction_commit,
        "introduction-fingerprint": pin.introduction_fingerprint,
    }
    return table | _names_table(pin.names)


def _before(pin: Nixpkgs, as_of: datetime) -> int:
    return int((as_of - pin.last_modified).total_seconds())


def _names_table(names: tuple[str, ...]) -> dict[str, Any]:
    return {"names": sorted(names)} if names else {}


def _nixpkgs(reader: Reader, tool: Mapping[str, Any], as_of: datetime) -> Nixpkgs | None:
    table = _table(reader, tool, "nixpkgs", _NIXPKGS)
    if table is None:
        return None
    pin = Nixpkgs(
        branch=reader.text(table, "branch", _NIXPKGS),
        rev=reader.shaped(table, "rev", _NIXPKGS, _COMMIT, "40 lower-case hex digits"),
        last_modified=reader.instant(table, "last-modified", _NIXPKGS),
        nar_hash=reader.shaped(table, "nar-hash", _NIXPKGS, _NAR_HASH, "an SRI digest (sha256-…)"),
        found=_found(reader, table, "found", _NIXPKGS),
        names=_names(reader, table, "names", _NIXPKGS),
    )
    if table.get("seconds-before-as-of") != _before(pin, as_of):
        raise reader.wrong(f"{_NIXPKGS}.seconds-before-as-of", str(_before(pin, as_of)))
    return pin


def _guix(reader: Reader, tool: Mapping[str, Any]) -> GuixChannel | None:
    table = _table(reader, tool, "guix", _GUIX)
    if table is None:
        return None
    return GuixChannel(
        name=reader.text(table, "name", _GUIX),
        url=reader.text(table, "url", _GUIX),
        branch=reader.text(table, "branch", _GUIX),
        commit=reader.shaped(table, "commit", _GUIX, _COMMIT, "40 lower-case hex digits"),
        introduction_commit=_introduction(reader, table, "introduction-commit", _GUIX, _COMMIT),
        introduction_fingerprint=_introduction(
            reader, table, "introduction-fingerprint", _GUIX, _FINGERPRINT
        ),
        names=_names(reader, table, "names", _GUIX),
    )


def _nix_request(reader: Reader, table: Mapping[str, Any]) -> NixRequest | None:
    if not reader.flag(table, "nix", _REQUEST):
        return None
    return NixRequest(
        branch=reader.optional_text(table, "nix-branch", _REQUEST),
        source=_found(reader, table, "nix-source", _REQUEST) if "nix-source" in table else None,
        names=_names(reader, table, "nix-names", _REQUEST),
    )


def _guix_request(reader: Reader, table: Mapping[str, Any]) -> GuixRequest | None:
    if not reader.flag(table, "guix", _REQUEST):
        return None
    commit, fingerprint = "guix-introduction-commit", "guix-introduction-fingerprint"
    introduced = commit in table or fingerprint in table
    return GuixRequest(
        url=reader.optional_text(table, "guix-url", _REQUEST),
        branch=reader.optional_text(table, "guix-branch", _REQUEST),
        introduction_commit=(
            _introduction(reader, table, commit, _REQUEST, _COMMIT) if introduced else None
        ),
        introduction_fingerprint=(
            _introduction(reader, table, fingerprint, _REQUEST, _FINGERPRINT)
            if introduced
            else None
        ),
        names=_names(reader, table, "guix-names", _REQUEST),
    )


def _table(
    reader: Reader, tool: Mapping[str, Any], key: str, path: str
) -> Mapping[str, Any] | None:
    table = tool.get(key)
    if table is not None and not isinstance(table, dict):
        raise reader.wrong(path, "a table")
    return table


def _introduction(
    reader: Reader, table: Mapping[str, Any], key: str, path: str, shape: re.Pattern[str]
) -> str:
    case = "lower" if shape is _COMMIT else "upper"
    return reader.shaped(table, key, path, shape, f"40 {case}-case hex digits")


def _found(reader: Reader, table: Mapping[str, Any], key: str, path: str) -> Found:
    known = {way.value: way for way in Found}
    value = table.get(key)
    if not isinstance(value, str) or value not in known:
        raise reader.wrong(f"{path}.{key}", f"one of {', '.join(known)}")
    return known[value]


def _names(reader: Reader, table: Mapping[str, Any], key: str, path: str) -> tuple[str, ...]:
    names = reader.texts(table, key, path)
    for i, text in enumerate(names):
        if not _NAME.fullmatch(text):
            raise reader.wrong(f"{path}.{key}[{i}]", "name=other-name")
    return names
