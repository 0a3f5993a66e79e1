"""The user's own credentials for container registries: where Docker, Podman and skopeo keep them.

Looked at in this order; the first file that knows the registry answers:
``$DOCKER_CONFIG/config.json`` (or ``~/.docker/config.json``), ``$REGISTRY_AUTH_FILE``,
``$XDG_RUNTIME_DIR/containers/auth.json``, ``$XDG_CONFIG_HOME/containers/auth.json``. In each,
``credHelpers`` go before ``credsStore``, and that before ``auths``, as in docker-config(5) and
containers-auth.json(5). Nothing read here is ever written anywhere or shown.
"""

from __future__ import annotations

import base64
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from envlock.errors import SourceError, UsageError
from envlock.io.images.reference import HUB, Reference
from envlock.io.process import run

_HUB_KEY = "https://index.docker.io/v1/"
_HELPER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_IDENTITY = "<token>"
"""The user name under which helpers keep an identity token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryLogin:
    """User and password, or an identity token (OAuth 2 refresh token); never in a ``repr``."""

    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    identity: str = field(default="", repr=False)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must be shown nowhere."""
        basic = self.basic.partition(" ")[2] if self.password else ""
        return tuple(text for text in (self.password, self.identity, basic) if text)

    @property
    def basic(self) -> str:
        """The value of an ``Authorization`` header (RFC 7617)."""
        return "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()


def find_login(
    reference: Reference, environ: Mapping[str, str] | None = None
) -> RegistryLogin | None:
    """What the user has stored for the reference's registry; None: nothing.

    Raises:
        UsageError: a file that holds credentials cannot be read.
        SourceError: a credential helper is missing or fails.
    """
    variables = os.environ if environ is None else environ
    for path in _files(variables):
        config = _config(path)
        found = None if config is None else _in_config(config, reference, path, variables)
        if found is not None:
            return found
    return None


def _files(variables: Mapping[str, str]) -> Iterator[Path]:
    home = Path(variables.get("HOME") or Path.home())
    yield Path(variables.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    if variables.get("REGISTRY_AUTH_FILE"):
        yield Path(variables["REGISTRY_AUTH_FILE"])
    if variables.get("XDG_RUNTIME_DIR"):
        yield Path(variables["XDG_RUNTIME_DIR"]) / "containers" / "auth.json"
    config = variables.get("XDG_CONFIG_HOME") or home / ".config"
    yield Path(config) / "containers" / "auth.json"


def _config(path: Path) -> dict[str, Any] | None:
    try:
        content = json.loads(path.read_text("utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", where=str(path)) from None
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise UsageError(
            "not the JSON in which container tools keep credentials",
            where=str(path),
            remedy="correct it, or log in again",
        )
    return content


def _in_config(
    config: Mapping[str, Any], reference: Reference, path: Path, variables: Mapping[str, str]
) -> RegistryLogin | None:
    helpers, auths = config.get("credHelpers"), config.get("auths")
    server = _HUB_KEY if reference.registry == HUB else reference.registry
    if isinstance(helpers, dict):
        for key in (server, reference.registry):
            if key in helpers:
                return _ask_helper(helpers[key], server, path, variables)
    store = config.get("credsStore")
    if isinstance(store, str) and store:
        found = _ask_helper(store, server, path, variables)
        if found is not None:
            return found
    if not isinstance(auths, dict):
        return None
    for key in _keys(reference):
        entry = auths.get(key)
        if isinstance(entry, dict):
            found = _entry(entry, path)
            if found is not None:
                return found
    return None


def _keys(reference: Reference) -> Iterator[str]:
    """What ``auths`` may call the place, narrowest first."""
    parts = reference.repository.split("/")
    for length in range(len(parts), 0, -1):
        yield "/".join([reference.registry, *parts[:length]])
    if reference.registry == HUB:
        yield from (_HUB_KEY, "index.docker.io", "https://index.docker.io/v1", "docker.io")
        return
    for host in (reference.registry, reference.host):
        yield from (host, f"https://{host}", f"https://{host}/")
        yield from (f"https://{host}/v1/", f"https://{host}/v2/", f"http://{host}")


def _entry(entry: Mapping[str, Any], path: Path) -> RegistryLogin | None:
    identity = entry.get("identitytoken")
    if isinstance(identity, str) and identity:
        return RegistryLogin(identity=identity)
    user, password = entry.get("username"), entry.get("password")
    if isinstance(user, str) and isinstance(password, str) and user:
        return RegistryLogin(user=user, password=password)
    auth = entry.get("auth")
    if not isinstance(auth, str) or not auth:
        return None
    try:
        text = base64.b64decode(auth, validate=True).decode()
    except ValueError:  # binascii.Error is one
        text = ""
    user, colon, password = text.partition(":")
    if not colon:
        raise UsageError(
            "an entry of auths is not base64 of user:password",
            where=str(path),
            remedy="log in again",
        )
    return RegistryLogin(user=user, password=password.rstrip("\0"))


def _ask_helper(
    name: object, server: str, path: Path, variables: Mapping[str, str]
) -> RegistryLogin | None:
    """Docker's protocol of credential helpers: the server on stdin, JSON on stdout."""
    if not isinstance(name, str) or not _HELPER.fullmatch(name):
        raise UsageError("a credential helper with a name that none can have", where=str(path))
    program = f"docker-credential-{name}"
    done = run(
        [program, "get"],
        env=variables,
        stdin=server,
        remedy=f"install {program}, or take it out of {path}",
    )
    if done.code:
        if "not found" in (done.stdout + done.stderr).lower():
            return None
        # What it said may hold what nobody is to see.
        raise SourceError(
            f"{program} gave no credentials for {server} (exit code {done.code})",
            where=str(path),
            remedy="log in again, and try it by hand",
        )
    try:
        answer = json.loads(done.stdout)
        user, secret = answer["Username"], answer["Secret"]
    except (ValueError, KeyError, TypeError):
        user, secret = None, None
    if not isinstance(user, str) or not isinstance(secret, str):
        raise SourceError(f"{program} does not answer as a credential helper does", where=str(path))
    if user == _IDENTITY:
        return RegistryLogin(identity=secret)
    return RegistryLogin(user=user, password=secret) if user or secret else None
