"""Where this machine's Python of a series was, for as long as uv would find the same one.

uv asks what programs called python there are, one after the other; pyenv's (shims) take 150 ms to
answer. What they answer follows from variables, from the files of pyenv and ``.python-version``; of
shims of other makers nothing is known, and nothing is remembered.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from envlock.io.cache import DiskCache
from envlock.io.content import unchanged

_KIND = "found-pythons-1"
_SAID = ("HOME", "PATH", "PYENV_", "UV_", "XDG_")
_CHOICE = ".python-version"


def known_python(series: str, uv: Path, variables: Mapping[str, str]) -> Path | None:
    """The interpreter that uv found when it was asked the same, if nothing changed since.

    Args:
        series: ``3.11``, or a release.
        uv: its executable.
        variables: those that it gets.
    """
    key = _key(series, uv, variables)
    if key is None or not unchanged.holds(key):
        return None
    kept = DiskCache(_KIND).get(key)
    return None if kept is None else Path(os.fsdecode(kept))


def remember_python(
    series: str, uv: Path, variables: Mapping[str, str], found: Path, since: int
) -> None:
    """Keep what uv found; ``since`` is when it was asked, nanoseconds since the epoch."""
    key = _key(series, uv, variables)
    if key is not None:
        DiskCache(_KIND).put(key, os.fsencode(found))
        unchanged.keep(key, files=(), folders=_folders(variables), since=since)


def _key(series: str, uv: Path, variables: Mapping[str, str]) -> str | None:
    """Everything but folders that an answer depends on; None where that is not known."""
    root = _pyenv(variables)
    for folder in _path(variables):
        if os.path.basename(folder) == "shims" and not folder.startswith(root + os.sep):
            return None
    told = [f"{name}={text}" for name, text in variables.items() if name.startswith(_SAID)]
    files = (os.path.join(root, "version"), *_choices())
    of_uv = uv.stat()
    parts = (series, str(uv), f"{of_uv.st_mtime_ns} {of_uv.st_size}", *sorted(told))
    said = "\0".join((*parts, *map(_content, files), *_folders(variables)))
    return said.encode("utf-8", "surrogateescape").hex()


def _folders(variables: Mapping[str, str]) -> list[str]:
    """Those that uv, or pyenv for it, looks into."""
    home = variables.get("HOME", "")
    data = variables.get("XDG_DATA_HOME") or os.path.join(home, ".local", "share")
    own = variables.get("UV_PYTHON_INSTALL_DIR") or os.path.join(data, "uv", "python")
    places = (*_path(variables), own, os.path.join(_pyenv(variables), "versions"))
    return sorted({place for place in places if os.path.isdir(place)})


def _path(variables: Mapping[str, str]) -> list[str]:
    return [os.path.abspath(f) for f in variables.get("PATH", os.defpath).split(os.pathsep) if f]


def _pyenv(variables: Mapping[str, str]) -> str:
    return os.path.abspath(
        variables.get("PYENV_ROOT") or os.path.join(variables.get("HOME", ""), ".pyenv")
    )


def _choices() -> Iterator[str]:
    """Where a folder's own choice may stand, from here up."""
    for folder in (cwd := Path.cwd(), *cwd.parents):
        yield os.path.join(folder, _CHOICE)


def _content(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return f"{path}={file.read().hex()}"
    except OSError:
        return ""
