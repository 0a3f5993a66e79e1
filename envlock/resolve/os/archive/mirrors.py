"""Where an archive's bytes can be asked for: given mirrors, apt's own, the snapshot service.

Nothing here is trusted: what a mirror gives is verified by signature or digest, whoever it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import quote

from envlock.errors import EnvlockError, UsageError
from envlock.io.apt_config import AptSource
from envlock.io.http.urls import without_credentials
from envlock.resolve.os.archive.snapshot import SnapshotMirror, public_mirror
from envlock.resolve.os.archive.trust import Keyring, read_keyring
from envlock.resolve.os.distributions.distribution import Distribution

_UNQUOTED = "/+~:@!$&'()*,;="


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Places to ask, most preferred first.

    ``live`` has the present state: archive name → root URLs without a final slash. ``snapshots``
    have past states.
    """

    snapshots: tuple[SnapshotMirror, ...] = ()
    live: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def roots(self, archive: str, moment: str | None) -> tuple[str, ...]:
        """Where a file of the archive can be asked for by digest: live ones, then dated ones.

        The live ones go first: they are near, and the snapshot service is spared.
        """
        dated = () if moment is None else (m.root(archive, moment) for m in self.snapshots)
        return (*self.live.get(archive, ()), *dated)

    def before(self, url: str) -> None:
        """Wait until a request for ``url`` may go out (the public service's bound)."""
        mirror = self._dated(url)
        if mirror is not None:
            mirror.rate.wait()

    def spared(self, url: str) -> bool:
        """Whether ``url`` is on a service that shall be asked for as little as possible."""
        mirror = self._dated(url)
        return mirror is not None and mirror.rate.bounded

    def _dated(self, url: str) -> SnapshotMirror | None:
        starts = ((mirror.template.partition("{")[0], mirror) for mirror in self.snapshots)
        return next((mirror for start, mirror in starts if url.startswith(start)), None)


def pool_url(root: str, filename: str) -> str:
    """The address of a file that an index names (``Filename``), below an archive's root URL."""
    return f"{root}/{quote(filename, safe=_UNQUOTED)}"


def choose_mirrors(
    distribution: Distribution,
    *,
    given: Sequence[str] = (),
    sources: Iterable[AptSource] = (),
    keyring: Callable[[], Keyring],
) -> Mirrors:
    """The mirrors for a distribution.

    Given ones take the place of what is found: one with ``{timestamp}`` (and ``{archive}``) that of
    the public snapshot service, another one that of apt's own.

    Args:
        given: URLs. Without ``{timestamp}``: an archive's root, with ``{archive}`` or ending with
            the archive's name.
        sources: what the machine's apt is configured with (``io.apt_config.apt_sources``).
        keyring: gives the distribution's keys; apt sources signed by others are somebody else's.
            Asked only when one of apt's mirrors is wanted: keys take a while to read.

    Raises:
        UsageError: a given mirror is no such URL.
    """
    dated: list[SnapshotMirror] = []
    live: dict[str, tuple[str, ...]] = {}
    for url in given:
        if not url.startswith(("http://", "https://")):
            raise _unusable("not an http or https URL", url, distribution)
        if "{timestamp}" in url:
            dated.append(_dated(url.rstrip("/"), distribution))
            continue
        for archive, root in _live(url.rstrip("/"), distribution):
            live[archive] = (*live.get(archive, ()), root)
    return Mirrors(
        snapshots=tuple(dated) or (public_mirror(distribution.snapshots),),
        live=live or _Later(lambda: _apt_mirrors(distribution, sources, keyring())),
    )


class _Later(Mapping[str, tuple[str, ...]]):
    """A mapping that is made when it is first looked into."""

    def __init__(self, make: Callable[[], Mapping[str, tuple[str, ...]]]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Mapping[str, tuple[str, ...]]:
        return self._make()

    def __getitem__(self, name: str) -> tuple[str, ...]:
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def archives(distribution: Distribution) -> tuple[str, ...]:
    """The names of the distribution's archives (``debian``, ``debian-security``)."""
    suites = (
        suite for codename in distribution.codenames for suite in distribution.suites(codename.name)
    )
    return tuple(dict.fromkeys(suite.archive for suite in suites))


def _dated(url: str, distribution: Distribution) -> SnapshotMirror:
    try:
        url.format(archive="a", timestamp="t")
    except (KeyError, ValueError, IndexError):
        raise _unusable("braces other than {archive} and {timestamp}", url, distribution) from None
    if "{archive}" not in url and len(archives(distribution)) > 1:
        raise _unusable("no {archive} in it", url, distribution)
    service = distribution.snapshots
    timestamps = None
    if service.timestamps is not None and url.endswith(service.path):
        timestamps = url.removesuffix(service.path) + service.timestamps
    return SnapshotMirror(template=url, timestamps=timestamps)


def _live(url: str, distribution: Distribution) -> list[tuple[str, str]]:
    names = archives(distribution)
    if "{archive}" in url:
        return [(name, url.replace("{archive}", name)) for name in names]
    last = url.rpartition("/")[2]
    if last not in names:
        raise _unusable("it does not end with an archive's name", url, distribution)
    return [(last, url)]


def _unusable(what: str, url: str, distribution: Distribution) -> UsageError:
    path = distribution.snapshots.path
    return UsageError(
        f"cannot use the mirror: {what}",
        where=without_credentials(url),
        remedy=f"for example https://mirror.example.org/{{archive}} with one of "
        f"{', '.join(archives(distribution))}, or https://snapshot.example.org{path}",
    )


def _apt_mirrors(
    distribution: Distribution, sources: Iterable[AptSource], keyring: Keyring
) -> dict[str, tuple[str, ...]]:
    """The http(s) mirrors in apt's configuration that carry this distribution's archives."""
    suites = {
        suite.name: suite.archive
        for codename in distribution.codenames
        for suite in distribution.suites(codename.name)
    }
    found: dict[str, tuple[str, ...]] = {}
    for source in sources:
        if not source.uri.startswith(("http://", "https://")):
            continue
        if not set(source.components) & set(distribution.components):
            continue
        if not _same_keys(source, keyring):
            continue
        for archive in dict.fromkeys(suites[name] for name in source.suites if name in suites):
            known = found.get(archive, ())
            if source.uri not in known:
                found[archive] = (*known, source.uri)
    return found


def _same_keys(source: AptSource, keyring: Keyring) -> bool:
    """Whether the source is signed by one of the distribution's keys, as far as it says."""
    for name in source.signed_by:
        if not name.startswith("/"):
            return any(key.endswith(name.rstrip("!").lower()) for key in keyring.keys)
        try:
            ring = read_keyring(Path(name))
        except EnvlockError:
            continue
        return bool(set(ring.keys) & set(keyring.keys))
    return True
