"""The base image of a request → the lock's: a tag → the digests that it stands for.

Registries keep no history: what a tag said at an earlier date cannot be asked. So under a date, a
tag serves only where the images that it names now say that they were made no later (``created`` of
their configuration, OCI image specification); a digest always does. See docs/decisions/0016.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from envlock.errors import NoSolutionError, UsageError, VerificationError
from envlock.io.images.reference import DIGEST, Reference, parse_reference
from envlock.io.images.registry import MANIFESTS, MAX_MANIFEST_BYTES, Manifest, Registry
from envlock.io.progress import Reporter
from envlock.lock.image import BaseImage, PlatformImage

_FIRST = datetime(2013, 1, 1, tzinfo=UTC)
"""Before it there were no such images: an earlier ``created`` says nothing."""
_VARIANTS = {"arm64": "v8"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """One platform's image: its manifest, and what its configuration says."""

    manifest: Manifest
    platform: str
    created: datetime | None


def find_image(
    text: str,
    platforms: tuple[str, ...],
    *,
    not_later_than: datetime | None,
    registry: Registry,
    reporter: Reporter,
) -> BaseImage:
    """The image that ``text`` names, as the registry has it.

    Args:
        text: a whole reference (``docker.io/library/debian:bookworm-slim``).
        platforms: those to lock for (``linux/amd64``), sorted.
        not_later_than: UTC; a tag's images must be made by then. None: as of now.
        registry: is asked.
        reporter: told what is asked, and of a digest that is younger than the date.

    Raises:
        UsageError: it has no image for a platform, or there is no Linux target.
        NoSolutionError: the tag's image is younger than the date, or does not tell its age.
        SourceError: the registry does not give it.
        VerificationError: what it gives is not what its digest says.
    """
    reference = parse_reference(text)
    if not platforms:
        raise UsageError(
            f"no target of the lock can use the image {text}",
            remedy='add one, such as targets = ["linux/amd64"], or leave [tool.envlock.image] out',
        )
    reporter.step(f"asking {reference.registry} for {reference.repository}")
    top = registry.manifest(reference)
    found = [_one(top, reference, platform, registry) for platform in platforms]
    if not_later_than is not None:
        for image in found:
            _hold(image, reference, not_later_than, reporter)
    return BaseImage(
        reference=text,
        digest=top.digest,
        platforms=tuple(
            PlatformImage(platform=image.platform, digest=image.manifest.digest) for image in found
        ),
    )


def kept_image(
    image: BaseImage, platforms: tuple[str, ...], *, registry: Registry, reporter: Reporter
) -> BaseImage:
    """The locked image, for other platforms than before: its tag may mean another one by now.

    Raises:
        UsageError, SourceError, VerificationError: as for ``find_image``.
    """
    found = find_image(
        image.pinned, platforms, not_later_than=None, registry=registry, reporter=reporter
    )
    return replace(found, reference=image.reference)


def _one(top: Manifest, reference: Reference, platform: str, registry: Registry) -> _Found:
    """The image for one platform."""
    manifest = top
    if top.is_index:
        digest = _in_index(top.document["manifests"], reference, platform)
        manifest = registry.manifest(replace(reference, tag=None, digest=digest))
        if manifest.media_type not in MANIFESTS:
            raise VerificationError(
                f"{digest} is no image but an index in an index", where=str(reference)
            )
    config = _config(manifest, reference, registry)
    own = f"{config.get('os')}/{config.get('architecture')}"
    if own != platform:
        if top.is_index:
            raise VerificationError(
                f"the image for {platform} says that it is for {own}", where=str(reference)
            )
        raise _no_platform(reference, platform, [own])
    return _Found(manifest=manifest, platform=platform, created=_instant(config.get("created")))


def _in_index(entries: Iterable[Any], reference: Reference, platform: str) -> str:
    system, _, machine = platform.partition("/")
    there: dict[str, str] = {}
    known = []
    for entry in entries:
        about = entry.get("platform") if isinstance(entry, dict) else None
        if not isinstance(about, dict):
            continue
        known.append(f"{about.get('os')}/{about.get('architecture')}")
        if (about.get("os"), about.get("architecture")) == (system, machine):
            there.setdefault(str(about.get("variant") or ""), str(entry.get("digest")))
    digest = there.get("", there.get(_VARIANTS.get(machine, "")))
    if digest is None:
        raise _no_platform(reference, platform, known)
    if not DIGEST.fullmatch(digest):
        raise VerificationError(f"its index has {digest[:80]!r} as a digest", where=str(reference))
    return digest


def _no_platform(reference: Reference, platform: str, known: Iterable[str]) -> UsageError:
    has = ", ".join(sorted({name for name in known if name != "unknown/unknown"})) or "nothing"
    return UsageError(
        f"the image is not made for {platform}; it has {has}",
        where=str(reference),
        remedy="choose another image, or other targets",
    )


def _config(manifest: Manifest, reference: Reference, registry: Registry) -> Mapping[str, Any]:
    entry = manifest.document.get("config")
    digest = entry.get("digest") if isinstance(entry, dict) else None
    size = entry.get("size") if isinstance(entry, dict) else None
    config = None
    if isinstance(digest, str) and isinstance(size, int) and 0 <= size <= MAX_MANIFEST_BYTES:
        try:
            config = json.loads(registry.blob(reference, digest, size).read_bytes())
        except (ValueError, RecursionError):
            config = None
    if not isinstance(config, dict):
        raise VerificationError(
            "not an image: its configuration cannot be read", where=str(reference)
        )
    return config


def _instant(value: object) -> datetime | None:
    try:
        instant = datetime.fromisoformat(str(value))
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _hold(image: _Found, reference: Reference, as_of: datetime, reporter: Reporter) -> None:
    """Hold a tag's image to the date."""
    dated = image.created is not None and image.created >= _FIRST
    if dated and image.created is not None and image.created <= as_of:
        return
    when = f"{image.created:%Y-%m-%dT%H:%M:%SZ}" if dated else "a time that it does not tell"
    made = f"the image for {image.platform} was made at {when}"
    if reference.digest is not None:
        reporter.note(f"{reference.name}: {made}, not by {as_of:%Y-%m-%d}; its digest is given")
        return
    raise NoSolutionError(
        f"{made}, and the lock is as of {as_of:%Y-%m-%dT%H:%M:%SZ}; registries do not tell what a"
        " tag was before",
        where=str(reference),
        remedy=f'name the digest (base = "{reference.name}@sha256:…") or a tag with a date in it'
        " (debian:bookworm-20240612-slim), or lock as of now",
    )
