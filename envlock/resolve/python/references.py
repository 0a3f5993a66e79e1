"""Requirements that name a URL or a path, taken apart: pure, nothing is fetched or opened."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.lock.request import Wish
from envlock.lock.target import Target
from envlock.project.direct import refuse_credentials
from envlock.project.wishes import spelled


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """A wish with a URL, taken apart."""

    wish: Wish
    requirement: Requirement
    url: str

    @classmethod
    def of(cls, wish: Wish) -> Reference | None:
        """The wish's reference, or None when it has none."""
        requirement = Requirement(wish.text)
        if requirement.url is None:
            return None
        refuse_credentials(requirement.url, where=wish.origin)
        return cls(wish=wish, requirement=requirement, url=requirement.url)

    @property
    def name(self) -> str:
        """Normalized."""
        return canonicalize_name(self.requirement.name)

    @property
    def scheme(self) -> str:
        """Of the URL, in lower case."""
        return self.url.partition(":")[0].lower()

    @property
    def fragment(self) -> dict[str, str]:
        """``subdirectory`` (decoded) and ``sha256``."""
        parts = (part.partition("=") for part in self.url.partition("#")[2].split("&"))
        return {key: unquote(value) for key, _, value in parts if value}

    @property
    def path(self) -> str:
        """A local reference's path from the root, normalized, with forward slashes."""
        text = self.url.partition("#")[0].removeprefix("file:")
        return posixpath.normpath(unquote(text.removeprefix("//")))

    @property
    def stated(self) -> frozenset[str]:
        """The sha256 digests, in hex, of which the file must have one; empty for any."""
        digests = {h.partition(":")[2] for h in self.wish.hashes}
        inline = self.fragment.get("sha256")
        if inline is None:
            return frozenset(digests)
        return frozenset({inline} & digests if digests else {inline})


def may_apply(requirement: Requirement, targets: Iterable[Target]) -> bool:
    """Whether the marker holds on some target; for some patch release is enough."""
    marker = requirement.marker
    if marker is None:
        return True
    for target in targets:
        first = {**target.environment(), "extra": ""}
        last = first | {"python_full_version": f"{target.series}.99"}
        if marker.evaluate(first) or marker.evaluate(last):
            return True
    return False


def split_git(url: str) -> tuple[str, str | None]:
    """``git+https://host/path@ref#…`` → (``https://host/path``, ``ref``).

    Raises:
        UsageError: nothing follows the ``@``.
    """
    plain = url.partition("#")[0].removeprefix("git+")
    scheme, _, rest = plain.partition("://")
    host, slash, path = rest.partition("/")
    path, at, ref = path.rpartition("@") if "@" in path else (path, "", "")
    if at and not ref:
        raise UsageError(
            f"{url!r}: nothing after the @", remedy="write a branch, a tag or a commit there"
        )
    return f"{scheme}://{host}{slash}{path}", unquote(ref) if at else None


def with_absolute_path(text: str, root: Path) -> str:
    """A wish's text for a tool: ``name @ file:relative/path`` becomes a ``file:///`` URL."""
    requirement = Requirement(text)
    if requirement.url is None or urlsplit(requirement.url).scheme != "file":
        return text
    path, hash_sign, fragment = requirement.url.partition("#")
    absolute = (root / unquote(path.removeprefix("file:").removeprefix("//"))).resolve()
    return spelled(requirement, url=f"{absolute.as_uri()}{hash_sign}{fragment}")
