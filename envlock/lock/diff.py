"""Two locks, and every typed difference between them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from envlock.lock.builds_diff import build_differences
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage, OsSourceFile
from envlock.lock.package import PythonPackage
from envlock.lock.provider import provider, standalone
from envlock.lock.target import Target


class ChangeKind(StrEnum):
    """What happened to one package from the first lock to the second."""

    ADDED = "added"
    REMOVED = "removed"
    UPGRADED = "upgraded"
    DOWNGRADED = "downgraded"
    FILES = "files"
    MARKER = "marker"
    PROVIDER = "provider"
    SOURCE = "source"
    VERSION = "version"
    REQUIREMENTS = "requirements"
    INTERPRETER = "interpreter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One package's change. ``before``/``after`` are versions, markers, or file names, as texts.

    ``layer`` is ``python`` or ``os``; an OS package's name carries its architecture
    (``libgomp1:amd64``), or says that it is a source package (``src:gcc-12``), and its kind is
    ``version`` when that changed. ``library`` is the layer of what wheels need of the system
    (``libGL.so.1:amd64``): ``before`` and ``after`` are packages. ``build`` is the layer of how a
    package's sdist is built. Where another one provides a target's Python, ``name`` is the target's
    key (``linux/amd64@3.13``).
    """

    layer: str = "python"
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
    changes = _interpreter_changes(before, after)
    old, new = _by_name(before), _by_name(after)
    for name in sorted(old.keys() | new.keys()):
        changes.extend(_entry_changes(name, old.get(name, []), new.get(name, [])))
    changes.extend(_os_changes(before, after))
    if before.request.sources and after.request.sources:
        changes.extend(_os_source_changes(before, after))
        changes.extend(
            Change(
                layer="build", name=d.name, kind=ChangeKind(d.kind), before=d.before, after=d.after
            )
            for d in build_differences(before, after)
        )
    changes.extend(_library_changes(before, after))
    settings = (
        ("as-of", f"{before.as_of:%Y-%m-%dT%H:%M:%SZ}", f"{after.as_of:%Y-%m-%dT%H:%M:%SZ}"),
        (
            "targets",
            " ".join(t.key for t in sorted(before.targets)),
            " ".join(t.key for t in sorted(after.targets)),
        ),
        ("engine", before.engine, after.engine),
        ("os", before.os.base if before.os else "none", after.os.base if after.os else "none"),
        ("sources", _yes(before.request.sources), _yes(after.request.sources)),
        ("nixpkgs", _nixpkgs(before), _nixpkgs(after)),
        ("guix", _guix(before), _guix(after)),
        ("image", _image(before), _image(after)),
    )
    return LockDiff(
        before_hash=environment_hash(before).root,
        after_hash=environment_hash(after).root,
        changes=tuple(changes),
        settings=tuple(s for s in settings if s[1] != s[2]),
    )


def _nixpkgs(lock: Lock) -> str:
    pin = lock.nixpkgs
    return "none" if pin is None else " ".join([pin.branch, pin.rev, *sorted(pin.names)])


def _guix(lock: Lock) -> str:
    pin = lock.guix
    return "none" if pin is None else " ".join([pin.url, pin.commit, *sorted(pin.names)])


def _image(lock: Lock) -> str:
    image = lock.image
    if image is None:
        return "none"
    own = [one.digest for one in sorted(image.platforms)]
    return " ".join(dict.fromkeys([image.reference, image.digest, *own]))


def _interpreter_changes(before: Lock, after: Lock) -> list[Change]:
    """Pythons that come from elsewhere. Another version of the OS layer's is a package's change."""
    changes = []
    for target in sorted(set(before.targets) & set(after.targets)):
        old, new = _origin(before, target), _origin(after, target)
        if old != new:
            changes.append(
                Change(name=target.key, kind=ChangeKind.INTERPRETER, before=old, after=new)
            )
    return changes


def _origin(lock: Lock, target: Target) -> str | None:
    build = standalone(lock, target)
    if build is not None:
        return f"{build} sha256:{build.sha256}"
    found = provider(lock, target)
    return None if found is None else found.partition(" ")[0]


def _os_changes(before: Lock, after: Lock) -> list[Change]:
    old, new = _os_packages(before), _os_packages(after)
    changes = []
    for key in sorted(old.keys() | new.keys()):
        o, n = old.get(key), new.get(key)
        if o is None or n is None or o.version != n.version:
            kind = ChangeKind.VERSION
            if o is None or n is None:
                kind = ChangeKind.ADDED if o is None else ChangeKind.REMOVED
            versions = (o.version if o else None, n.version if n else None)
        elif o.sha256 != n.sha256:
            kind, versions = ChangeKind.FILES, (o.file_name, n.file_name)
        else:
            continue
        changes.append(
            Change(layer="os", name=key, kind=kind, before=versions[0], after=versions[1])
        )
    return changes


def _os_source_changes(before: Lock, after: Lock) -> list[Change]:
    """What differs in version or content; from which suite the same files came is no change."""
    old, new = _os_sources(before), _os_sources(after)
    return [
        _os_source_change(f"src:{name}", gone, come)
        for name in sorted(old.keys() | new.keys())
        for gone, come in zip_longest(
            sorted(old.get(name, set()) - new.get(name, set())),
            sorted(new.get(name, set()) - old.get(name, set())),
        )
    ]


_Built = tuple[str, tuple[OsSourceFile, ...]]
"""A source package's version and files."""


def _os_sources(lock: Lock) -> dict[str, set[_Built]]:
    found: dict[str, set[_Built]] = {}
    for source in lock.os.sources if lock.os else ():
        found.setdefault(source.name, set()).add((source.version, source.files))
    return found


def _os_source_change(name: str, old: _Built | None, new: _Built | None) -> Change:
    before, after = old and old[0], new and new[0]
    if old is None or new is None:
        kind = ChangeKind.ADDED if old is None else ChangeKind.REMOVED
    elif before != after:
        kind = ChangeKind.VERSION
    else:
        kind = ChangeKind.FILES
        before = ", ".join(sorted({file.name for file in old[1] if file not in new[1]})) or None
        after = ", ".join(sorted({file.name for file in new[1] if file not in old[1]})) or None
    return Change(layer="os", name=name, kind=kind, before=before, after=after)


def _library_changes(before: Lock, after: Lock) -> list[Change]:
    old, new = _libraries(before), _libraries(after)
    changes = []
    for key in sorted(old.keys() | new.keys()):
        if key in old and key in new and old[key] == new[key]:
            continue
        kind = ChangeKind.PROVIDER
        if key not in old or key not in new:
            kind = ChangeKind.ADDED if key in new else ChangeKind.REMOVED
        changes.append(
            Change(layer="library", name=key, kind=kind, before=old.get(key), after=new.get(key))
        )
    return changes


def _libraries(lock: Lock) -> dict[str, str]:
    return {
        f"{entry.soname}:{entry.architecture}": entry.package or "no package"
        for entry in (lock.os.libraries if lock.os else ())
    }


def _os_packages(lock: Lock) -> dict[str, OsPackage]:
    if lock.os is None:
        return {}
    own = {f"{p.name}:{p.architecture}": p for p in lock.os.packages}
    return own | {f"build:{p.name}:{p.architecture}": p for p in lock.os.build_packages}


def _yes(flag: object) -> str:
    return "yes" if flag else "no"


def _by_name(lock: Lock) -> dict[str, list[PythonPackage]]:
    found: dict[str, list[PythonPackage]] = {}
    for package in sorted(lock.packages, key=lambda p: p.sort_key):
        found.setdefault(package.name, []).append(package)
    return found


def _entry_changes(name: str, old: list[PythonPackage], new: list[PythonPackage]) -> list[Change]:
    # Entries of one name differ by version, marker or source. Those that agree in version and
    # marker belong together, then those of one version; what is left over pairs up in order (the
    # usual case: one entry on each side).
    pairs, old, new = _paired(old, new, lambda p: (p.version, p.marker))
    more, old, new = _paired(old, new, lambda p: p.version)
    changes = [c for o, n in pairs + more for c in _same_version(name, o, n)]
    for o, n in zip(old, new, strict=False):
        before, after = _version(o), _version(n)
        changes.append(Change(name=name, kind=_direction(o, n), before=before, after=after))
        changes += _source_change(name, o, n) + _marker_change(name, o, n)
    gone, come = old[len(new) :], new[len(old) :]
    changes += [Change(name=name, kind=ChangeKind.REMOVED, before=_version(o)) for o in gone]
    changes += [Change(name=name, kind=ChangeKind.ADDED, after=_version(n)) for n in come]
    return changes


def _paired(
    old: list[PythonPackage],
    new: list[PythonPackage],
    key: Callable[[PythonPackage], object],
) -> tuple[list[tuple[PythonPackage, PythonPackage]], list[PythonPackage], list[PythonPackage]]:
    """Entries of equal ``key``, one to one in order, and what is left on each side."""
    pairs, old_left, new_left = [], [], list(new)
    for o in old:
        n = next((n for n in new_left if key(n) == key(o)), None)
        if n is None:
            old_left.append(o)
        else:
            new_left.remove(n)
            pairs.append((o, n))
    return pairs, old_left, new_left


def _version(package: PythonPackage) -> str:
    return package.version or "source tree"


def _direction(old: PythonPackage, new: PythonPackage) -> ChangeKind:
    from packaging.version import Version

    if old.version is None or new.version is None:
        return ChangeKind.SOURCE
    # One version in two spellings has an order too, so that the way back is the mirror.
    newer = (Version(new.version), new.version) > (Version(old.version), old.version)
    return ChangeKind.UPGRADED if newer else ChangeKind.DOWNGRADED


def _same_version(name: str, old: PythonPackage, new: PythonPackage) -> list[Change]:
    changes = _source_change(name, old, new)
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
    return changes + _marker_change(name, old, new)


def _source_change(name: str, old: PythonPackage, new: PythonPackage) -> list[Change]:
    before, after = _source(old), _source(new)
    if before == after:
        return []
    return [Change(name=name, kind=ChangeKind.SOURCE, before=before, after=after)]


def _marker_change(name: str, old: PythonPackage, new: PythonPackage) -> list[Change]:
    if old.marker == new.marker:
        return []
    return [Change(name=name, kind=ChangeKind.MARKER, before=old.marker, after=new.marker)]


def _source(package: PythonPackage) -> str:
    """What is installed when it is no file of an index: all that the environment hash covers."""
    if package.vcs is not None:
        return _inside(f"{package.vcs.kind} {package.vcs.commit}", package.vcs.subdirectory)
    if package.archive is not None:
        text = f"archive sha256:{package.archive.sha256}"
        return _inside(text, package.archive.subdirectory)
    if package.directory is not None:
        kind = "editable" if package.directory.editable else "directory"
        return _inside(f"{kind} {package.directory.path}", package.directory.subdirectory)
    return "index"


def _inside(text: str, subdirectory: str | None) -> str:
    return text if subdirectory is None else f"{text} subdirectory {subdirectory}"
