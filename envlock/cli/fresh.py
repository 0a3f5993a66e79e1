"""``envlock lock --check`` and ``envlock check`` where nothing changed since the last time, before
anything is loaded.

A verdict "fresh" or "no drift" is kept with all that it was made from (``io.unchanged``; the
environment in ``io.index``). In CI and in hooks the
same question comes again and again; the start of Python is then most of what it costs. Every other
command line, and every other verdict, goes the whole way.
"""

from __future__ import annotations

import os
import sys

from envlock import __version__

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable

_QUIET = ("-q", "--quiet")
QUESTIONS = ("lock --check", "check", "check --python-only", "check --os-only")
"""Command lines that are answered from memory; the last two forms with ``--root DIR``, too."""
_CLEAN = "no-drift-3"


def answer(arguments: list[str]) -> bool:
    """Say that all is well and give True, if that is what was asked and is known."""
    words = [argument for argument in arguments if argument not in _QUIET]
    place = words[-2:] if words[-2:-1] == ["--root"] else []
    short = " ".join(words[: len(words) - len(place)])
    if short not in QUESTIONS or (place and short not in ("check", "check --os-only")):
        return False
    question = " ".join([short, *place])
    from envlock.io.content import unchanged

    if not unchanged.holds(_key(question)):
        return False
    said = message("pylock.toml") if question == "lock --check" else _no_drift(question)
    if said is None:
        return False
    if not any(argument in _QUIET for argument in arguments):
        sys.stderr.write(said + "\n")
    return True


def _no_drift(question: str) -> str | None:
    """What was said of environment and system, where none of their files moved since."""
    from envlock.io.cache import DiskCache
    from envlock.io.content import index

    kept = DiskCache(_CLEAN).get(_key(question))
    if kept is None:
        return None
    count, *lines = kept.decode("utf-8", "surrogateescape").split("\n")
    for line in lines[: int(count)]:
        since, tree = line.split()
        known = index.load(bytes.fromhex(tree).decode("utf-8", "surrogateescape"))
        # Of a record that was made later, nobody said that there is no drift.
        if known.since != int(since) or not known.holds():
            return None
    return "\n".join(lines[int(count) :])


def remember_no_drift(
    question: str,
    said: str,
    records: Iterable[tuple[str, int]],
    *,
    files: Iterable[str],
    folders: Iterable[str],
    root: str,
    since: int,
) -> None:
    """Keep what ``check`` said when there was nothing to say.

    Args:
        question: one of ``QUESTIONS``.
        said: the line for people.
        records: those in ``io.index`` of all that was looked at: key, and when it was made.
        files: as of ``remember``.
        folders: see there.
        root: see there.
        since: see there.
    """
    from envlock.io.cache import DiskCache

    known = [f"{of} {tree.encode('utf-8', 'surrogateescape').hex()}" for tree, of in records]
    text = "\n".join([str(len(known)), *known, said])
    DiskCache(_CLEAN).put(_key(question), text.encode("utf-8", "surrogateescape"))
    remember(question, files=files, folders=folders, root=root, since=since)


def message(lock_name: str) -> str:
    """What is said of a fresh lock."""
    return f"{lock_name} answers the request"


def remember(
    question: str, *, files: Iterable[str], root: str, since: int, folders: Iterable[str] = ()
) -> None:
    """Keep the answer to a question about the project in ``root``, asked from here.

    ``files`` are all that were read; what else there could be (another pyproject.toml on the way
    up, a ``.python-version``) shows in the folders, and in more ``folders`` that were looked into.
    """
    from envlock.io.content import unchanged

    files = list(files)
    folders = {*folders, *(os.path.dirname(file) for file in files)}
    folder = os.getcwd()
    while True:
        folders.add(folder)
        parent = os.path.dirname(folder)
        if folder == root or parent == folder:
            break
        folder = parent
    unchanged.keep(_key(question), files=files, folders=folders, since=since)


def _key(question: str) -> str:
    """Another envlock, or another installation of it, may judge otherwise."""
    here = os.stat(__file__)
    return "\0".join(
        (question, __version__, __file__, f"{here.st_mtime_ns} {here.st_size}", os.getcwd())
    )
