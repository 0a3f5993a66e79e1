"""Generated files against what the lock gives now."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

from envlock.check.drift import Code, Drift, drift
from envlock.export.blocks import block, renewed
from envlock.export.exporter import FileTree
from envlock.export.marks import Mark, read_mark, stated
from envlock.lock.hashing import shorten

_ADDRESS = re.compile(rb"https?://[^\s\"'\\]*")
_MOVED = "addresses alone: edited, or the lock has others of the same files now"
LONGEST = 20_000
"""Lines of a file, from which on no difference is worked out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A file as it should be: SHA-256 of all of it or, with ``own``, of the lines between the
    marks; enough to tell that it is so."""

    sha256: str
    own: bool

    def holds(self, content: bytes) -> bool:
        """Whether ``content`` is so."""
        part = block(content) if self.own else content
        return part is not None and hashlib.sha256(part).hexdigest() == self.sha256


def wanted(files: FileTree) -> dict[str, Wanted]:
    """What of each file counts."""
    found = {}
    for name, content in files.items():
        own = block(content)
        part = content if own is None else own
        found[name] = Wanted(sha256=hashlib.sha256(part).hexdigest(), own=own is not None)
    return found


def base_of(path: str, names: Mapping[str, object]) -> str | None:
    """The folder ("" or with a slash at its end) into which the export was written that has a file
    at ``path``; None where it has none. The name of a format's one file does not count."""
    if len(names) == 1:
        return path
    fitting = [name for name in names if path == name or path.endswith(f"/{name}")]
    return path.removesuffix(max(fitting, key=len)) if fitting else None


def path_of(base: str, name: str, names: Mapping[str, object]) -> str:
    """Where the file ``name`` of an export in ``base`` lies."""
    return base if len(names) == 1 else f"{base}{name}"


def compare_export(
    made: FileTree, there: Mapping[str, bytes | None], mark: Mark, base: str
) -> tuple[Drift, ...]:
    """The differences of one export.

    Args:
        made: as the lock gives it.
        there: the same files as they are; None for one that is missing.
        mark: how it was made.
        base: what stands before the names: see ``base_of``.
    """
    one = len(made) == 1
    remedy = _remedy(mark, base, alone=one)
    paths = {name: path_of(base, name, made) for name in made}
    found: list[Drift] = []
    old: list[str] = []
    differing = [name for name in sorted(made) if not _same(there[name], made[name])]
    of_others = [n for n in differing if _of_another(there[n], made[n])]
    of_others.sort(key=lambda n: (read_mark(made[n]) is None, n))  # flake.nix says more than data
    for name in differing:
        content = there[name]
        if content is None:
            found.append(drift(Code.EXPORT_MISSING, paths[name]))
        elif name in of_others or (of_others and not any(stated(made[name]))):
            old.append(name)
        else:
            found.append(_edited(paths[name], content, made[name]))
    if old:
        found.append(_outdated(old, of_others[0], made, there, paths))
    return tuple(d if d.remedy.startswith("take ") else replace(d, remedy=remedy) for d in found)


def _remedy(mark: Mark, base: str, *, alone: bool) -> str:
    if alone:
        return f"{mark.command} -o {base}"
    usual = "" if mark.format == "docker" else f"{mark.format}/"
    return mark.command if base == usual else f"{mark.command} -o {base.rstrip('/') or '.'}"


def _same(there: bytes | None, made: bytes) -> bool:
    return there is not None and renewed(there, made) == there


def _of_another(there: bytes | None, made: bytes) -> bool:
    return there is not None and _first_other(there, made) is not None


def _first_other(there: bytes, made: bytes) -> tuple[str, str] | None:
    """What a file states otherwise than it would now, and how it would."""
    pairs = zip(stated(there), stated(made), strict=True)
    return next(((old, new) for old, new in pairs if old and new and old != new), None)


def _outdated(
    names: list[str],
    first: str,
    made: FileTree,
    there: Mapping[str, bytes | None],
    paths: Mapping[str, str],
) -> Drift:
    """One for all files of an export: they are made again together."""
    names = [first, *(name for name in names if name != first)]
    old, new = _first_other(there[first] or b"", made[first]) or ("", "")
    diffs = [_diff(paths[n], there[n] or b"", made[n]) for n in names]
    more = ", ".join(paths[name] for name in names[1:])
    return drift(
        Code.EXPORT_OUTDATED,
        paths[first],
        expected=_short(new),
        found=_short(old),
        cause=f"and {more}" if more else None,
        diff="".join(diffs),
    )


def _short(text: str) -> str:
    return shorten(text) if text.startswith("env1-") else text


def _edited(path: str, there: bytes, made: bytes) -> Drift:
    if b"\r\n" in there and _same(there.replace(b"\r\n", b"\n"), made):
        cause = "its lines end with CR LF, as git's core.autocrlf makes them"
        return drift(Code.EXPORT_EDITED, path, cause=cause)
    new = renewed(there, made)
    found = drift(Code.EXPORT_EDITED, path, diff=_diff(path, there, made))
    if new is not None and _ADDRESS.sub(b"", new) == _ADDRESS.sub(b"", there):
        return replace(found, cause=_MOVED)
    if new is not None:
        return found
    return replace(
        found,
        cause="the marks >>> envlock and <<< envlock are not there, or not once",
        remedy=f"take {path} out of the way, export again, and put back what is yours",
    )


def _diff(path: str, there: bytes, made: bytes) -> str:
    """What making it again would change: a unified diff."""
    new = renewed(there, made)
    before = there.decode("utf-8", "backslashreplace").splitlines(keepends=True)
    after = (made if new is None else new).decode("utf-8").splitlines(keepends=True)
    if max(len(before), len(after)) > LONGEST:
        return f"--- {path}\n+++ {path}\n"
    import difflib

    lines = difflib.unified_diff(before, after, path, path)
    return "".join(
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
    )
