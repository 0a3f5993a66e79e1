"""Made by envlock. Puts a project into an environment without building it, as an editable install.

What Python needs to find a project, and a shell to start its programs, follows from its
``pyproject.toml`` alone: a ``.pth`` with its folders, a ``.dist-info`` (PEP 376, PEP 610, PEP 621)
and a script for each entry of ``[project.scripts]``. No build backend runs, and the same project
gives the same files on any machine.

In a Dockerfile this file runs as a program:

    python own_project.py SOURCE PLACE OUT

SOURCE is where the project is now, PLACE (``/app``) where it will be; the files of the environment
go below OUT. ``builds-MACHINE.json`` beside this file names, under ``folders``, folders of the
project that are packages of the lock. It needs nothing but Python 3.8 (and, before 3.11, pip's
reader of TOML).
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import platform
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

PREFIX = "/opt/venv"
"""The environment that the files are for."""

PLACES = ("/app", "/workspace")
"""Where an image has the project, or its user mounts it."""

_ENTRY = re.compile(r"(?P<module>\w+(\.\w+)*)\s*:\s*(?P<object>\w+(\.\w+)*)\s*(\[[^\]]*\])?")
_SCRIPT = re.compile(r"[\w.-]+( [\w.-]+)*")
_LINE = re.compile(r"[^\x00-\x1f\x7f]*")
# Backends that only copy text; with a setup.py beside it, setuptools may compile.
_COPYING = re.compile(r"(flit_core|hatchling|pdm\.backend|poetry\.core|setuptools|uv_build)\b")


class File(NamedTuple):
    """A file's content, and whether it is a program."""

    content: bytes
    program: bool = False


class Folder(NamedTuple):
    """A project: its ``pyproject.toml`` as a value, and what is beside it.

    ``place`` is the absolute path where it will be (``/app``); ``names`` are the names of the files
    and folders at its top. ``locked`` is the name it has as a package of the lock, ``version`` the
    locked version, where there is one; both None for the project that the lock is of.
    """

    place: str
    pyproject: Mapping[str, Any]
    names: list[str]
    locked: str | None = None
    version: str | None = None


def installed(folders: list[Folder], series: str) -> dict[str, File]:
    """The files that make an environment find the projects, by path below its prefix, sorted.

    Raises:
        ValueError: a pyproject.toml has an entry point that is none, or a package of the lock
            cannot be used as it is; says which and why.
    """
    site = f"lib/python{series}/site-packages"
    found: dict[str, File] = {}
    paths = []
    for folder in folders:
        paths += _paths(folder)
        if folder.locked is not None:
            _check_static(folder)
        if folder.locked is not None or _is_package(folder.pyproject):
            made = _distribution(folder, site)
            twice = sorted(made.keys() & found.keys())
            if twice:
                raise ValueError(f"{folder.place}: another one has {twice[0]}, too")
            found.update(made)
    found[f"{site}/project.pth"] = File("".join(f"{path}\n" for path in paths).encode())
    return dict(sorted(found.items()))


def _paths(folder: Folder) -> list[str]:
    if folder.locked is None:
        return [f"{folder.place}/src", folder.place]
    return [folder.place + ("/src" if "src" in folder.names else "")]


def _is_package(pyproject: Mapping[str, Any]) -> bool:
    """Whether the project is to be installed: as uv decides, and where it declares programs."""
    chosen = _table(_table(pyproject, "tool"), "uv").get("package")
    if isinstance(chosen, bool):
        return chosen
    project = _table(pyproject, "project")
    return "build-system" in pyproject or any(
        key in project for key in ("scripts", "gui-scripts", "entry-points")
    )


def _check_static(folder: Folder) -> None:
    """Of a package of the lock, nobody may find out at run time that it had to be built."""
    project = _table(folder.pyproject, "project")
    backend = _table(folder.pyproject, "build-system").get("build-backend", "setuptools")
    why = None
    if not isinstance(project.get("name"), str):
        why = "its pyproject.toml has no [project] with a name"
    elif folder.version is None and not isinstance(project.get("version"), str):
        why = "its version is made by its build backend"
    elif "setup.py" in folder.names:
        why = "its setup.py may compile"
    elif not (isinstance(backend, str) and _COPYING.match(backend)):
        why = f"its build backend {backend} may compile"
    if why is not None:
        raise ValueError(f"{folder.locked} ({folder.place}) cannot be used unbuilt: {why}")


def _distribution(folder: Folder, site: str) -> dict[str, File]:
    """Scripts, and metadata where name and version are known."""
    project = _table(folder.pyproject, "project")
    groups = {
        "console_scripts": _table(project, "scripts"),
        "gui_scripts": _table(project, "gui-scripts"),
        **_table(project, "entry-points"),
    }
    found = {}
    for group in ("console_scripts", "gui_scripts"):
        for name, value in groups[group].items():
            found[f"bin/{name}"] = _script(folder, name, value)
    name = project.get("name")
    version = project.get("version", folder.version)
    if not isinstance(name, str) or not isinstance(version, str):
        return found
    plain = re.sub(r"[-_.]+", "_", name).lower()
    stem = f"{plain}-{version.replace('-', '_')}"
    if not re.fullmatch(r"[\w.+!-]+", stem):
        raise ValueError(f"{folder.place}: {stem!r} is no name and version")
    info = f"{site}/{stem}.dist-info"
    url = {"dir_info": {"editable": True}, "url": f"file://{quote(folder.place)}"}
    found[f"{info}/METADATA"] = File(_metadata(project, name, version).encode())
    found[f"{info}/INSTALLER"] = File(b"envlock\n")
    found[f"{info}/direct_url.json"] = File(json.dumps(url, sort_keys=True).encode())
    if any(groups.values()):
        found[f"{info}/entry_points.txt"] = File(_entry_points(folder, groups).encode())
    record = f"{info}/RECORD"
    found[record] = File(_record(found, site, record))
    return found


def _script(folder: Folder, name: str, value: object) -> File:
    entry = _ENTRY.fullmatch(value.strip()) if isinstance(value, str) else None
    if entry is None or not _SCRIPT.fullmatch(name) or name.startswith("."):
        raise ValueError(f"{folder.place}: no entry point: {name!r} = {value!r}")
    lines = (
        f"#!{PREFIX}/bin/python",
        "import sys",
        f"from {entry['module']} import {entry['object'].split('.')[0]}",
        'if __name__ == "__main__":',
        f"    sys.exit({entry['object']}())",
    )
    return File("".join(f"{line}\n" for line in lines).encode(), program=True)


def _metadata(project: Mapping[str, Any], name: str, version: str) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    for key, field in (("description", "Summary"), ("requires-python", "Requires-Python")):
        if isinstance(project.get(key), str):
            lines.append(f"{field}: {project[key]}")
    lines += [f"Requires-Dist: {line}" for line in project.get("dependencies", ())]
    for extra, wanted in sorted(_table(project, "optional-dependencies").items()):
        lines.append(f"Provides-Extra: {extra}")
        for line in wanted:
            text, _, marker = line.partition(";")
            marker = f"({marker.strip()}) and " if marker.strip() else ""
            lines.append(f"Requires-Dist: {text.strip()} ; {marker}extra == '{extra}'")
    return "".join(f"{line}\n" for line in lines if _LINE.fullmatch(line))


def _entry_points(folder: Folder, groups: Mapping[str, Any]) -> str:
    text = ""
    for group, entries in sorted(groups.items()):
        if entries:
            text += f"[{group}]\n"
            for name, value in sorted(entries.items()):
                line = f"{name} = {value}"
                if not _LINE.fullmatch(line):
                    raise ValueError(f"{folder.place}: no entry point: {line!r}")
                text += f"{line}\n"
            text += "\n"
    return text


def _record(files: Mapping[str, File], site: str, own: str) -> bytes:
    rows = []
    for path, file in sorted(files.items()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(file.content).digest())
        name = path[len(site) + 1 :] if path.startswith(f"{site}/") else f"../../../{path}"
        rows.append((name, "sha256=" + digest.rstrip(b"=").decode(), str(len(file.content))))
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([*rows, (own[len(site) + 1 :], "", "")])
    return text.getvalue().encode()


def _table(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _read(folder: Path) -> Mapping[str, Any]:
    path = folder / "pyproject.toml"
    if not path.is_file():
        return {}
    try:
        import tomllib as reader
    except ImportError:
        from pip._vendor import tomli as reader  # type: ignore[no-redef,unused-ignore]
    found: Mapping[str, Any] = reader.loads(path.read_text("utf-8"))
    return found


def main(source: Path, place: str, out: Path) -> None:
    """Write the files."""
    series = "{}.{}".format(*sys.version_info[:2])
    listing = Path(__file__).resolve().parent / f"builds-{platform.machine()}.json"
    folders = [Folder(place, _read(source), [])]
    for entry in json.loads(listing.read_text("utf-8"))["folders"]:
        folder = source / entry["path"]
        if not folder.is_dir():
            raise ValueError(f"{entry['name']}: {entry['path']} is not in the image")
        names = [path.name for path in folder.iterdir()]
        where = f"{place}/{entry['path']}"
        folders.append(Folder(where, _read(folder), names, entry["name"], entry["version"]))
    for path, file in installed(folders, series).items():
        target = out / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(file.content)
        target.chmod(0o755 if file.program else 0o644)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
    except ValueError as error:
        sys.exit(f"error: {error}")
