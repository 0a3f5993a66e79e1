"""What two bundles do not share, by their manifests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Paths of files: ``added`` are only in the second one, ``removed`` only in the first, and
    ``changed`` in both with other bytes. Each list is sorted."""

    added: tuple[str, ...]
    removed: tuple[str, ...]
    changed: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.changed)


def difference(before: Mapping[str, str], after: Mapping[str, str]) -> Difference:
    """From one bundle to another; each given as path → SHA-256."""
    return Difference(
        added=tuple(sorted(after.keys() - before.keys())),
        removed=tuple(sorted(before.keys() - after.keys())),
        changed=tuple(
            path for path in sorted(before.keys() & after.keys()) if before[path] != after[path]
        ),
    )


def environments(listed: Mapping[str, str]) -> tuple[str, ...]:
    """The environment hashes of a bundle's locks, sorted."""
    return tuple(sorted({path.split("/")[1] for path in listed if path.startswith("locks/")}))
