"""``envlock check``: the files that were exported, against what the lock gives now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from envlock.check.drift import Code, Drift, drift
from envlock.check.exports.compare import base_of, compare_export, path_of
from envlock.check.exports.find import Found, find_exports
from envlock.cli.context import Context
from envlock.cli.export_memory import Exports
from envlock.cli.exporters import NoLibraryError, owner_of
from envlock.cli.output import say
from envlock.errors import UsageError
from envlock.export.marks import Mark, stated
from envlock.lock.hashing import environment_hash, shorten
from envlock.lock.model import Lock
from envlock.project.locate import Project


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportsCompared:
    """``drift`` of exports; ``count`` are the exported files that were compared; ``whole``
    says that nothing had to be left out; ``files`` and ``folders`` (absolute paths) are what it
    depends on."""

    drift: tuple[Drift, ...] = ()
    count: int = 0
    whole: bool = True
    files: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()


def exports_drift(
    context: Context, project: Project, lock: Lock, *, required: bool
) -> ExportsCompared:
    """The differences of every export of this lock that lies beside it.

    Args:
        context: of the command.
        project: whose.
        lock: its lock.
        required: the user asked for exports.

    Raises:
        UsageError: ``required``, and there is none.
        NoLibraryError: ``required``, and a format cannot be made here.
    """
    root, own = project.lock_path.parent, owner_of(project)
    search = find_exports(root)
    mine = [found for found in search.files if found.mark.owner == own]
    if required and not mine:
        raise UsageError(
            "no exported file lies beside the lock",
            where=str(root),
            remedy="export one (`envlock export FORMAT`), or leave --exports out",
        )
    exports = Exports(lock, project.lock_path)
    sorted_out = _sorted_out(exports, mine)
    if required and sorted_out.unmade:
        raise sorted_out.unmade[0][1]
    found = list(sorted_out.drift)
    for file, missing in sorted_out.unmade:
        found += _stated_only(context, root, lock, file, missing.remedy)
    read = {file.path for file in mine}
    for base, mark in sorted_out.whole:
        paths = {name: path_of(base, name, exports.wanted(mark)) for name in exports.wanted(mark)}
        read.update(paths.values())
        found += _compared(root, exports, mark, base, paths)
    return ExportsCompared(
        drift=tuple(sorted(found, key=lambda d: d.sort_key)),
        count=len(read),
        whole=not sorted_out.unmade,
        files=tuple(str(root / path) for path in sorted(read)),
        folders=search.folders,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _SortedOut:
    """What is to be done with the files that were found: ``whole`` exports, each by its folder (see
    ``base_of``) and mark; ``drift`` of those that the lock does not give; ``unmade`` files of
    formats that cannot be made here, with the reason."""

    whole: tuple[tuple[str, Mark], ...]
    drift: tuple[Drift, ...]
    unmade: tuple[tuple[Found, NoLibraryError], ...]


def _sorted_out(exports: Exports, files: Iterable[Found]) -> _SortedOut:
    whole: dict[tuple[str, str], list[Mark]] = {}
    impossible: dict[Mark, Drift] = {}
    left, unmade = [], []
    for file in files:
        try:
            base = base_of(file.path, exports.wanted(file.mark))
        except NoLibraryError as error:
            unmade.append((file, error))
        except UsageError as error:
            found = drift(Code.EXPORT_IMPOSSIBLE, file.path, cause=error.what)
            impossible.setdefault(file.mark, found)
        else:
            if base is None:
                left.append(drift(Code.EXPORT_LEFT, file.path))
            else:
                whole.setdefault((base, file.mark.format), []).append(file.mark)
    # Where files of one export name different commands, most of them are right.
    marks = {key: Counter(named).most_common(1)[0][0] for key, named in whole.items()}
    return _SortedOut(
        whole=tuple((base, mark) for (base, _), mark in marks.items()),
        drift=(*impossible.values(), *left),
        unmade=tuple(unmade),
    )


def _compared(
    root: Path, exports: Exports, mark: Mark, base: str, paths: dict[str, str]
) -> tuple[Drift, ...]:
    """One export: by digests, and only where they differ by what it would be."""
    there = {name: _read(root / path) for name, path in paths.items()}
    wanted = exports.wanted(mark)
    if all(content is not None and wanted[name].holds(content) for name, content in there.items()):
        return ()
    return compare_export(exports.made(mark), there, mark, base)


def _stated_only(
    context: Context, root: Path, lock: Lock, file: Found, remedy: str | None
) -> tuple[Drift, ...]:
    """Where the format cannot be made here: what the file says of its lock."""
    own = environment_hash(lock).root
    said = stated(_read(root / file.path) or b"")[0]
    if said is not None and said != own:
        expected, found = shorten(own), shorten(said)
        outdated = drift(Code.EXPORT_OUTDATED, file.path, expected=expected, found=found)
        return (replace(outdated, remedy=file.mark.command),)
    say(context, f"content of {file.path} not compared: that needs {remedy}")
    return ()


def _read(path: Path) -> bytes | None:
    """The file; None where there is none (a folder or a pipe is none)."""
    if not path.is_file():
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"cannot read: {error.strerror}", where=str(path)) from None
