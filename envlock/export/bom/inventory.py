"""Lock → Inventory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping

from envlock.export.bom.os_parts import os_parts, requested_refs, tool_refs
from envlock.export.bom.parts import Inventory, Kind, Part, PartFile
from envlock.export.bom.purl import address, cpython_purl, guix_purl, image_purl, nixpkgs_purl
from envlock.export.bom.python_parts import build_parts, python_parts, python_ref
from envlock.lock import codec
from envlock.lock.graph.python import wished
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.target import Target


def inventory(lock: Lock, target: Target | None = None) -> Inventory:
    """All that is locked; with a target, what that one uses.

    Raises:
        UsageError: the lock is of a distribution that this envlock does not know.
        SourceError: the lock cannot be written down (``codec.dump``).
    """
    targets = lock.targets if target is None else (target,)
    parts: dict[str, Part] = {}
    for part in _parts(lock, targets, target):
        parts[part.ref] = part
    ordered = tuple(parts[ref] for ref in sorted(parts))
    return Inventory(
        environment_hash=environment_hash(lock).root,
        lock_sha256=hashlib.sha256(codec.dump(lock).encode()).hexdigest(),
        as_of=lock.as_of,
        scope="all" if target is None else target.key,
        parts=ordered,
        roots=_roots(parts, _asked_for(lock)),
        tools=tuple(ref for ref in tool_refs(lock.os) if ref in parts) if lock.os else (),
    )


def _parts(lock: Lock, targets: tuple[Target, ...], only: Target | None) -> Iterator[Part]:
    python = tuple(python_parts(lock, only))
    yield from python
    yield from build_parts(lock, {ref for part in python for ref in part.built_with}, only)
    if lock.os is not None:
        yield from os_parts(lock.os, {target.platform for target in targets})
    yield from _interpreters(lock, targets)
    yield from _image(lock, targets)
    yield from _toolchain(lock)


def _interpreters(lock: Lock, targets: Iterable[Target]) -> Iterator[Part]:
    for build in lock.standalone:
        if build.target in targets:
            name = build.url.partition("?")[0].rpartition("/")[2]
            file = PartFile(name=name, sha256=build.sha256, size=build.size, url=address(build.url))
            yield Part(
                ref=f"interpreter:{build.target.key}",
                kind=Kind.INTERPRETER,
                name="cpython",
                version=build.version,
                purl=cpython_purl(build),
                files=(file,),
                facts=(("target", build.target.key),),
            )


def _image(lock: Lock, targets: Iterable[Target]) -> Iterator[Part]:
    image = lock.image
    if image is None:
        return
    platforms = {target.platform for target in targets}
    manifests = tuple(p for p in image.platforms if p.platform in platforms)
    if not manifests:
        return
    for manifest in manifests:
        yield Part(
            ref=f"image:{manifest.platform}",
            kind=Kind.IMAGE,
            name=image.repository,
            version=manifest.digest,
            purl=image_purl(image, manifest.digest),
            sha256=manifest.digest.partition(":")[2],
            facts=(
                ("image-index", image.digest),
                ("image-reference", image.reference),
                ("platform", manifest.platform),
            ),
        )


def _toolchain(lock: Lock) -> Iterator[Part]:
    if lock.nixpkgs is not None:
        yield Part(
            ref="nixpkgs",
            kind=Kind.TOOLCHAIN,
            name="nixpkgs",
            version=lock.nixpkgs.rev,
            purl=nixpkgs_purl(lock.nixpkgs),
            repository="https://github.com/NixOS/nixpkgs",
            revision=lock.nixpkgs.rev,
            facts=(("branch", lock.nixpkgs.branch), ("nar-hash", lock.nixpkgs.nar_hash)),
        )
    if lock.guix is not None:
        yield Part(
            ref="guix",
            kind=Kind.TOOLCHAIN,
            name=lock.guix.name,
            version=lock.guix.commit,
            purl=guix_purl(lock.guix),
            repository=address(lock.guix.url),
            revision=lock.guix.commit,
            facts=(("branch", lock.guix.branch),),
        )


def _asked_for(lock: Lock) -> list[str]:
    names = wished(lock)
    python = [python_ref(package) for package in lock.packages if package.name in names]
    return python + (requested_refs(lock.os) if lock.os is not None else [])


def _roots(parts: Mapping[str, Part], asked_for: Iterable[str]) -> tuple[str, ...]:
    """What was asked for, and of the rest what cannot be reached from there."""
    roots: list[str] = []
    seen: set[str] = set()
    rest = (ref for ref in sorted(parts) if parts[ref].runtime)
    for first, ref in [*((True, r) for r in sorted(asked_for)), *((False, r) for r in rest)]:
        if ref not in parts or (ref in seen and not first):
            continue
        roots.append(ref)
        queue = [ref]
        while queue:
            at = queue.pop()
            if at not in seen and at in parts:
                seen.add(at)
                queue.extend(parts[at].needs)
    return tuple(sorted(set(roots)))
