"""The project's own files → a layer: what git tracks, with the content of the working tree.

What git does not track (caches, environments, secrets in ignored files) is not in the image.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli

from envlock.errors import SourceError, UsageError
from envlock.export.own_project import File, Folder, installed
from envlock.io import process
from envlock.lock.package import PythonPackage
from envlock.realise.image.layer import Layer, LayerWriter
from envlock.realise.image.parts import PREFIX
from envlock.realise.image.tree import Node, Tree, outside

FOLDER = "app"
"""Where the files go."""

_KINDS = {"100644": "file", "100755": "program", "120000": "link"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectFile:
    """A tracked file: its name relative to the project, ``file``, ``program`` or ``link``, and the
    digest of its content (of a link, its target)."""

    name: str
    kind: str
    path: Path
    sha256: str


def project_files(root: Path) -> tuple[ProjectFile, ...]:
    """The files below ``root`` that git tracks, by name.

    Raises:
        UsageError: the folder is in no git repository, or a tracked file is gone or a repository.
        SourceError: git is missing, or fails.
    """
    done = process.run(
        ["git", "-c", "core.quotePath=false", "ls-files", "--stage", "-z"],
        cwd=root,
        env=process.clean_environment("GIT_"),
    )
    if done.code != 0:
        if "not a git repository" in done.stderr:
            raise UsageError(
                "git tracks no files here, so it is unknown which ones are the project's",
                where=str(root),
                remedy="--no-project builds without them; or: git init && git add",
            )
        raise SourceError(f"git ls-files failed: {done.stderr.strip()}", where=str(root))
    files = []
    for row in done.stdout.split("\0"):
        if row:
            head, _, name = row.partition("\t")
            files.append(_file(root, name, head.split()[0]))
    return tuple(sorted({file.name: file for file in files}.values(), key=lambda f: f.name))


def _file(root: Path, name: str, mode: str) -> ProjectFile:
    path, kind = root / name, _KINDS.get(mode)
    if kind is None:
        raise UsageError(
            "a repository in the repository (submodule) cannot go into an image",
            where=name,
            remedy="--no-project builds without the project's files",
        )
    try:
        if kind == "link":
            content = hashlib.sha256(os.fsencode(path.readlink()))
        else:
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256")
    except OSError as error:
        raise UsageError(
            f"git tracks it, but it cannot be read: {error.strerror}",
            where=name,
            remedy="restore it, or `git rm` it",
        ) from None
    return ProjectFile(name=name, kind=kind, path=path, sha256=content.hexdigest())


def installed_files(
    files: tuple[ProjectFile, ...], folders: Iterable[tuple[PythonPackage, str]], series: str
) -> Mapping[str, File]:
    """What makes the environment find the project, by path below its prefix: see ``own_project``.

    Args:
        files: the project's.
        folders: packages of the lock that are folders of the project, with their paths in it.
        series: of the image's Python, ``3.11``.

    Raises:
        UsageError: a pyproject.toml cannot be read, or a folder cannot be used unbuilt.
    """
    found = [Folder(f"/{FOLDER}", _pyproject(files, ""), [])]
    for package, path in folders:
        start = f"{path}/"
        names = {
            file.name[len(start) :].partition("/")[0]
            for file in files
            if file.name.startswith(start)
        }
        if not names:
            raise UsageError(
                f"{package.name} is the project's folder {path}, of which git tracks no file",
                remedy=f"git add {path}",
            )
        pyproject = _pyproject(files, start)
        found.append(
            Folder(f"/{FOLDER}/{path}", pyproject, sorted(names), package.name, package.version)
        )
    try:
        return installed(found, series)
    except ValueError as error:
        raise UsageError(
            str(error), remedy="what of a project an image has, unbuilt: docs/docker.md#the-stages"
        ) from None


def _pyproject(files: tuple[ProjectFile, ...], start: str) -> Mapping[str, Any]:
    """The pyproject.toml of a folder; empty where there is none."""
    for file in files:
        if file.name == f"{start}pyproject.toml" and file.kind != "link":
            try:
                return tomli.loads(file.path.read_text("utf-8"))
            except (OSError, ValueError) as error:
                raise UsageError(f"it cannot be read: {error}", where=file.name) from None
    return {}


def write_project(
    files: tuple[ProjectFile, ...], made: Mapping[str, File], *, compression: str
) -> Layer:
    """A layer with these files, all of root's and readable to everyone.

    ``made`` are further ones, of the environment, by path below its prefix.

    Raises:
        UsageError: a file changes meanwhile.
        VerificationError: a link leads out of the project.
    """
    tree = Tree()
    with LayerWriter(f"{len(files)} files of the project", compression) as writer:
        tree.claim(FOLDER, Node(kind="folder", owner="project"))
        writer.folder(FOLDER)
        for file in files:
            path = tree.place(f"{FOLDER}/{file.name}", "project")
            for folder in tree.missing_folders(path):
                tree.claim(folder, Node(kind="folder", owner="project"))
                writer.folder(folder)
            if file.kind == "link":
                target = os.fsdecode(file.path.readlink())
                if target.startswith("/"):
                    raise outside(f"the link to {target!r} leads out of the project", file.name)
                tree.check_link(file.name, target, file.name)
                tree.claim(path, Node(kind="link", owner="project", content=target))
                writer.symlink(path, target)
                continue
            tree.claim(path, Node(kind="file", owner="project"))
            with file.path.open("rb") as content:
                size = os.fstat(content.fileno()).st_size
                mode = 0o755 if file.kind == "program" else 0o644
                writer.file(path, content, size=size, mode=mode)
        for name, own in made.items():
            path = tree.place(f"{PREFIX}/{name}", "project")
            for folder in tree.missing_folders(path):
                tree.claim(folder, Node(kind="folder", owner="project"))
                writer.folder(folder)
            tree.claim(path, Node(kind="file", owner="project"))
            writer.file(path, own.content, mode=0o755 if own.program else 0o644)
        return writer.settle()
