"""References to container images, read as Docker reads them (``distribution/reference``).

``debian:bookworm-slim`` is ``docker.io/library/debian:bookworm-slim``: what comes before the first
slash is a registry only where it has a dot or a port, or is ``localhost``.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from envlock.errors import UsageError

HUB = "docker.io"
_HUB_NAMES = frozenset({"index.docker.io", "registry-1.docker.io", HUB})
_HUB_API = "registry-1.docker.io"

_DOMAIN = re.compile(
    r"(?:(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])"
    r"(?:\.(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9]))*|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
)
_REPOSITORY = re.compile(
    r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}")
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_MAX_NAME = 255
_MAX_TEXT = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An image in a registry: ``registry`` as people write it (``docker.io``), ``repository``
    (``library/debian``), and a tag, a digest (``sha256:…``), or both.
    """

    registry: str
    repository: str
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        """In full, as Docker would: ``docker.io/library/debian:bookworm-slim``."""
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """Registry and repository, without tag and digest."""
        return f"{self.registry}/{self.repository}"

    @property
    def target(self) -> str:
        """What a manifest is asked for by: the digest where there is one, else the tag."""
        return self.digest or self.tag or "latest"

    @property
    def host(self) -> str:
        """The host (and port) that answers for the registry."""
        return _HUB_API if self.registry == HUB else self.registry

    @property
    def loopback(self) -> bool:
        """Whether the registry is on this machine: only then plain HTTP will do, as for Docker."""
        return is_loopback(self.registry)


def is_loopback(host: str) -> bool:
    """Whether ``host`` (or ``host:port``) is ``localhost``, in 127.0.0.0/8 or ``::1``."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def parse_reference(text: str, *, where: str | None = None) -> Reference:
    """The image that ``text`` names; without tag and digest, its tag is ``latest``.

    Args:
        text: ``debian``, ``debian:bookworm-slim``, ``localhost:5000/team/app@sha256:…``.
        where: for the error.

    Raises:
        UsageError: no container tool would take it; says why.
    """

    def wrong(why: str) -> UsageError:
        return UsageError(
            f"{text!r} is no reference to an image: {why}",
            where=where,
            remedy='write it as Docker does: "debian:bookworm-slim", "ghcr.io/team/app@sha256:…"',
        )

    if len(text) > _MAX_TEXT:
        raise wrong("it is too long")
    rest, at, digest = text.partition("@")
    if at and not DIGEST.fullmatch(digest):
        raise wrong("a digest is sha256: and 64 lower-case hex digits")
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise wrong(f"{tag!r} cannot be a tag")
    name = head + slash + last
    first, slash, path = name.partition("/")
    if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
        registry = first
    else:
        registry, path = HUB, name
    if registry.lower() in _HUB_NAMES:
        registry = HUB
        path = path if "/" in path else f"library/{path}"
    if not _DOMAIN.fullmatch(registry):
        raise wrong(f"{registry!r} cannot be a registry")
    if not _REPOSITORY.fullmatch(path):
        upper = " (names are in lower case)" if path != path.lower() else ""
        raise wrong(f"{path!r} cannot be a repository{upper}")
    if len(registry) + 1 + len(path) > _MAX_NAME:
        raise wrong(f"its name is longer than {_MAX_NAME} characters")
    return Reference(
        registry=registry,
        repository=path,
        tag=tag if colon else None if at else "latest",
        digest=digest if at else None,
    )
