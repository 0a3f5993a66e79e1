"""What `envlock lock` says of a lock, and of what changed in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envlock.cli.common import (
    image_json,
    library_json,
)
from envlock.cli.context import Context
from envlock.cli.locking.options import Options
from envlock.cli.output import result_json, say
from envlock.cli.style import style
from envlock.project.locate import Project

if TYPE_CHECKING:
    from envlock.lock.model import Lock


_CHANGES = 50
"""Lines of changes, without --verbose: OS packages come by the hundred."""


def report(
    context: Context,
    project: Project,
    previous: Lock | None,
    lock: Lock,
    options: Options,
    *,
    fresh: bool,
) -> None:
    """Say what the lock holds and what changed since ``previous``; ``fresh``: nothing had to."""
    from envlock.lock.diff import diff
    from envlock.lock.hashing import environment_hash
    from envlock.lock.provider import provider
    from envlock.project.document import nearest

    changes = () if previous is None or fresh else diff(previous, lock).changes
    hashed = environment_hash(lock)
    if options.as_json:
        result_json(
            {
                "lock": project.lock_path.name,
                "written": not options.dry_run and not fresh,
                "as-of": f"{lock.as_of:%Y-%m-%dT%H:%M:%SZ}",
                "environment-hash": hashed.root,
                "packages": len(lock.packages),
                "os-packages": len(lock.os.packages) if lock.os else 0,
                "os-build-packages": len(lock.os.build_packages) if lock.os else 0,
                "os-sources": len(lock.os.sources) if lock.os else 0,
                "missing-libraries": [
                    library_json(entry) for entry in (lock.os.missing if lock.os else ())
                ],
                "builds": len(lock.builds),
                "image": None if lock.image is None else image_json(lock.image),
                "interpreters": [
                    {"target": t.key, "provider": provider(lock, t)} for t in sorted(lock.targets)
                ],
                "changes": [
                    {
                        "layer": c.layer,
                        "name": c.name,
                        "kind": c.kind,
                        "before": c.before,
                        "after": c.after,
                    }
                    for c in changes
                ],
            }
        )
        return
    known = {package.name for package in (*lock.packages, *lock.build_packages)}
    for name in sorted(options.upgrade.names - known):
        near = nearest(name, known)
        near = f"; {near}" if near.startswith("did you mean") else ""
        text = f"--upgrade-package {name} moves nothing: the lock has no such package{near}"
        say(context, f"{style('note', 'bold cyan')}: {text}")
    # That there are OS packages at all is one change; which ones, --verbose and `tree` tell.
    whole = None if context.verbose else _whole_layer(previous, lock)
    if whole is not None:
        say(context, whole)
    told = [
        change
        for change in changes  # of libraries, notes have told what is missing
        if change.layer != "library" and not (change.layer == "os" and whole is not None)
    ]
    most = len(told) if context.verbose or len(told) <= _CHANGES + 1 else _CHANGES
    for change in told[:most]:
        name = f"build {change.name}" if change.layer == "build" else change.name
        say(context, f"  {change.kind:<10} {name} {_versions(change.before, change.after)}")
    if len(told) > most:
        say(context, f"  … and {len(told) - most} more changes: --verbose shows all")
    if not fresh:
        for built in lock.built:
            say(
                context,
                f"{style('note', 'bold cyan')}: {built} has no wheel for some target"
                " and is built from its sdist",
            )
        for target in sorted(lock.targets):
            provided = provider(lock, target)
            if provided is not None:
                say(context, f"  CPython for {target.key}: {provided}")
        for line in _toolchain(lock):
            say(context, line)
    verb = "is up to date" if fresh else "would be" if options.dry_run else "written"
    targets = ", ".join(t.key for t in lock.targets)
    say(
        context,
        f"{project.lock_path.name} {verb}: {_count(lock)} for {targets},"
        f" as of {lock.as_of:%Y-%m-%d %H:%M:%SZ}, {hashed.short}",
    )


def _whole_layer(previous: Lock | None, lock: Lock) -> str | None:
    """That OS packages came or went altogether; None where they did not."""
    before = previous.os if previous is not None else lock.os
    if lock.os is not None and before is None:
        return f"  {'added':<10} {len(lock.os.packages)} packages of {lock.os.base}"
    if lock.os is None and before is not None:
        return f"  {'removed':<10} {len(before.packages)} packages of {before.base}"
    return None


def _count(lock: Lock) -> str:
    count = f"{len(lock.packages)} package{'' if len(lock.packages) == 1 else 's'}"
    if lock.builds:
        count += f" ({len(lock.builds)} with build requirements)"
    if lock.os is None:
        return count
    count += f" and {len(lock.os.packages)} of {lock.os.base}"
    if lock.os.build_packages:
        count += f" (and {len(lock.os.build_packages)} to build with)"
    if lock.request.sources:
        count += f" (from {len(lock.os.sources)} source packages)"
    return count


def _toolchain(lock: Lock) -> list[str]:
    lines = []
    if lock.nixpkgs is not None:
        pin = lock.nixpkgs
        lines.append(f"nixpkgs {pin.branch} {pin.rev[:12]} of {pin.last_modified:%Y-%m-%d}")
    if lock.guix is not None:
        lines.append(f"guix {lock.guix.branch} {lock.guix.commit[:12]}")
    if lock.image is not None:
        lines.append(f"base image {lock.image.reference} {lock.image.digest[:19]}")
    return lines


def _versions(before: str | None, after: str | None) -> str:
    if before is None or after is None:
        return before or after or ""
    return f"{before} → {after}"
