"""Two locks, and every typed difference between them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock, PythonPackage


class ChangeKind(StrEnum):
    """What happened to one package from the first lock to the second."""

    ADDED = "added"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    FILES = "files"
    MARKER = "marker"
    SOURCE = "source"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One package's change. ``before``/``after`` are versions, markers, or file names, as texts."""

    name: str
    kind: ChangeKind
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LockDiff:
    """All differences; ``same_environment`` compares environment hashes."""

    before_hash: str
    after_hash: str
    changes: tuple[Change, ...]
    settings: tuple[tuple[str, str, str], ...]

    @property
    def same_environment(self) -> bool:
        """Whether both locks install the same."""
        return self.before_hash == self.after_hash


def diff(before: Lock, after: Lock) -> LockDiff:
    """What changed from ``before`` to ``after``; package changes sorted by name."""
    changes: list[Change] = []
    old, new = _by_name(before), _by_name(after)
    for name in sorted(old.keys() | new.keys()):
        changes.extend(_entry_changes(name, old.get(name, []), new.get(name, [])))
    settings = (
        ("as-of", f"{before.as_of:%Y-%m-%dT%H:%M:%SZ}", f"{after.as_of:%Y-%m-%dT%H:%M:%SZ}"),
        (
            "targets",
            " ".join(t.key for t in before.targets),
            " ".join(t.key for t in after.targets),
        ),
        ("engine", before.engine, after.engine),
    )
    return LockDiff(
        before_hash=environment_hash(before).root,
        after_hash=environment_hash(after).root,
        changes=tuple(changes),
        settings=tuple(s for s in settings if s[1] != s[2]),
    )


def _by_name(lock: Lock) -> dict[str, list[PythonPackage]]:
    found: dict[str, list[PythonPackage]] = {}
    for package in sorted(lock.packages, key=lambda p: p.sort_key):
        found.setdefault(package.name, []).append(package)
    return found


def _entry_changes(name: str, old: list[PythonPackage], new: list[PythonPackage]) -> list[Change]:
    # Entries of one name differ by marker; those with equal versions belong together, and what is
    # left over pairs up in order (the usual case: one entry on each side).
    pairs = [(o, n) for o in old for n in new if o.version == n.version]
    old_left = [o for o in old if all(o is not pair[0] for pair in pairs)]
    new_left = [n for n in new if all(n is not pair[1] for pair in pairs)]
    changes = [c for o, n in pairs for c in _same_version(name, o, n)]
    for o, n in zip(old_left, new_left, strict=False):
        changes.append(Change(name=name, kind=_direction(o, n), before=o.version, after=n.version))
    changes += [
        Change(name=name, kind=ChangeKind.REMOVED, before=o.version or "source tree")
        for o in old_left[len(new_left) :]
    ]
    changes += [
        Change(name=name, kind=ChangeKind.ADDED, after=n.version or "source tree")
        for n in new_left[len(old_left) :]
    ]
    return changes


def _direction(old: PythonPackage, new: PythonPackage) -> ChangeKind:
    from packaging.version import Version

    if old.version is None or new.version is None:
        return ChangeKind.SOURCE
    newer = Version(new.version) > Version(old.version)
    return ChangeKind.UPGRADED if newer else ChangeKind.DOWNGRADED


def _same_version(name: str, old: PythonPackage, new: PythonPackage) -> list[Change]:
    changes = []
    if _source(old) != _source(new):
        changes.append(
            Change(name=name, kind=ChangeKind.SOURCE, before=_source(old), after=_source(new))
        )
    old_files = {f.sha256: f.name for f in old.files}
    new_files = {f.sha256: f.name for f in new.files}
    gone = sorted(old_files[d] for d in old_files.keys() - new_files.keys())
    come = sorted(new_files[d] for d in new_files.keys() - old_files.keys())
    if gone or come:
        changes.append(
            Change(
                name=name,
                kind=ChangeKind.FILES,
                before=", ".join(gone) or None,
                after=", ".join(come) or None,
            )
        )
    if old.marker != new.marker:
        changes.append(
            Change(name=name, kind=ChangeKind.MARKER, before=old.marker, after=new.marker)
        )
    return changes


def _source(package: PythonPackage) -> str:
    if package.vcs is not None:
        return f"{package.vcs.kind} {package.vcs.commit}"
    if package.archive is not None:
        return f"archive sha256:{package.archive.sha256}"
    if package.directory is not None:
        return f"directory {package.directory.path}"
    return "index"
