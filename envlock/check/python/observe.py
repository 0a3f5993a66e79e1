"""What is installed in an environment, read from its files: no package is imported or run.

Installed packages are recognized by their metadata (the "recording installed projects"
specification: ``*.dist-info``; and what came before it: ``*.egg-info``, ``*.egg-link``). What
cannot be read is a finding, never a crash.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from envlock.io.interpreters import Interpreter

_NAME = re.compile(rb"^Name:[ \t]*([^\r\n]+)", re.MULTILINE | re.IGNORECASE)
_VERSION = re.compile(rb"^Version:[ \t]*([^\r\n]+)", re.MULTILINE | re.IGNORECASE)
# A PEP 508 name; anything else in a Name field is damage.
_PROPER = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?")
_SEPARATORS = re.compile(r"[-_.]+")
_HEAD = 8192


@dataclass(frozen=True, slots=True, kw_only=True)
class DirectUrl:
    """Where a package came from, when not from an index (PEP 610 ``direct_url.json``).

    ``kind`` is ``vcs``, ``archive`` or ``directory``; ``commit`` is there for the first,
    ``sha256`` for the second where the installer wrote it (uv does not).
    """

    kind: str
    url: str
    commit: str | None = None
    sha256: str | None = None
    editable: bool = False
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One installed package.

    ``name`` is PEP 503 normalized (a folder's name where the metadata cannot be read). ``version``
    is as written, None where it cannot be read; ``problem`` says why. ``path`` is the metadata's.
    """

    name: str
    version: str | None
    path: Path
    direct_url: DirectUrl | None = None
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """An environment: its interpreter's full version and implementation, and its packages."""

    prefix: Path
    version: str
    implementation: str
    distributions: tuple[Distribution, ...]

    @property
    def series(self) -> str:
        """``3.11`` of ``3.11.7``."""
        return ".".join(self.version.split(".")[:2])


def observe(
    prefix: Path, folders: Iterable[Path], *, version: str, implementation: str
) -> Observed:
    """Read what is installed in ``folders`` (site-packages), sorted by name and path."""
    seen: set[tuple[int, int]] = set()
    found: list[Distribution] = []
    for folder in folders:
        try:
            status = folder.stat()
        except OSError:
            continue  # an environment's second folder (lib64) need not be there
        if (status.st_dev, status.st_ino) not in seen:
            seen.add((status.st_dev, status.st_ino))
            found.extend(_scan(folder))
    return Observed(
        prefix=prefix,
        version=version,
        implementation=implementation,
        distributions=tuple(sorted(found, key=lambda d: (d.name, str(d.path)))),
    )


def observe_interpreter(interpreter: Interpreter) -> Observed:
    """What is installed in the environment that an interpreter belongs to."""
    return observe(
        interpreter.prefix,
        (interpreter.purelib, interpreter.platlib),
        version=interpreter.version,
        implementation=interpreter.implementation,
    )


def _scan(folder: Path) -> Iterator[Distribution]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".dist-info"):
                yield _dist_info(Path(entry.path))
            elif entry.name.endswith(".egg-info"):
                path = Path(entry.path)
                yield _read(path, path / "PKG-INFO" if entry.is_dir() else path, ".egg-info")
            elif entry.name.endswith(".egg-link"):
                yield _egg_link(Path(entry.path))
            elif entry.name.endswith(".egg"):
                yield _read(Path(entry.path), Path(entry.path, "EGG-INFO", "PKG-INFO"), ".egg")


def _dist_info(path: Path) -> Distribution:
    if path.name.startswith("~"):
        # pip renames what it is about to remove; one that was interrupted leaves this behind.
        return _broken(path, ".dist-info", "left behind by an interrupted installation")
    found = _read(path, path / "METADATA", ".dist-info")
    if found.problem is not None:
        return found
    try:
        content = (path / "direct_url.json").read_bytes()
    except FileNotFoundError:
        return found
    except OSError as error:
        return _broken(path, ".dist-info", f"direct_url.json: {error.strerror}")
    return _from(found, content, ".dist-info")


def described(
    path: Path, name: str, metadata: bytes | None, suffix: str, *, direct_url: bytes | None = None
) -> Distribution:
    """The package of a metadata folder at ``path`` whose content is at hand.

    Args:
        path: the folder (``….dist-info``), for the result and its problems.
        name: the metadata file's, ``METADATA`` or ``PKG-INFO``.
        metadata: its content; None where there is none.
        suffix: ``.dist-info`` or ``.egg-info``.
        direct_url: the content of ``direct_url.json``, where there is one.
    """
    if metadata is None:
        return _broken(path, suffix, f"{name} is not there")
    found = _parsed(path, name, _header(metadata), suffix)
    if found.problem is not None or direct_url is None:
        return found
    return _from(found, direct_url, suffix)


def _from(found: Distribution, content: bytes, suffix: str) -> Distribution:
    """The package with what its ``direct_url.json`` says."""
    try:
        url = _direct_url(content)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        return _broken(found.path, suffix, f"direct_url.json cannot be read: {error}")
    return replace(found, direct_url=url)


def _read(path: Path, metadata: Path, suffix: str) -> Distribution:
    try:
        head = _head(metadata)
    except OSError as error:
        return _broken(path, suffix, f"{metadata.name}: {error.strerror}")
    return _parsed(path, metadata.name, head, suffix)


def _parsed(path: Path, file: str, head: bytes, suffix: str) -> Distribution:
    name, version = _NAME.search(head), _VERSION.search(head)
    if name is None or version is None:
        missing = "Name" if name is None else "Version"
        return _broken(path, suffix, f"{file} has no {missing}")
    text = name[1].decode("utf-8", "replace").strip()
    if not _PROPER.fullmatch(text):
        return _broken(path, suffix, f"{file} has an improper Name: {text!r}")
    return Distribution(
        name=_normalized(text), version=version[1].decode("utf-8", "replace").strip(), path=path
    )


def _head(path: Path) -> bytes:
    """The header fields of a metadata file, which end with an empty line."""
    with path.open("rb", buffering=0) as file:
        head = file.read(_HEAD) or b""
        end = re.search(rb"\r?\n\r?\n", head)
        if end is None and len(head) == _HEAD:
            head += file.readall() or b""
    return _header(head)


def _header(content: bytes) -> bytes:
    end = re.search(rb"\r?\n\r?\n", content)
    return content if end is None else content[: end.start()]


def _egg_link(path: Path) -> Distribution:
    """A ``setup.py develop`` link: its first line names the source folder."""
    try:
        folder = Path(path.read_text(encoding="utf-8", errors="replace").splitlines()[0].strip())
        infos = sorted(folder.glob("*.egg-info"))
    except (OSError, IndexError) as error:
        return _broken(path, ".egg-link", f"cannot be read: {error}")
    if not infos:
        return _broken(path, ".egg-link", f"{folder} has no *.egg-info")
    found = _read(path, infos[0] / "PKG-INFO", ".egg-link")
    if found.problem is not None:
        return found
    url = DirectUrl(kind="directory", url=folder.absolute().as_uri(), editable=True)
    return Distribution(name=found.name, version=found.version, path=path, direct_url=url)


def _direct_url(content: bytes) -> DirectUrl:
    table = json.loads(content)
    url, subdirectory = str(table["url"]), table.get("subdirectory")
    if "vcs_info" in table:
        commit = str(table["vcs_info"]["commit_id"])
        return DirectUrl(kind="vcs", url=url, commit=commit, subdirectory=subdirectory)
    if "dir_info" in table:
        editable = table["dir_info"].get("editable") is True
        return DirectUrl(kind="directory", url=url, editable=editable, subdirectory=subdirectory)
    info = table["archive_info"]
    # `hash` is the older form, `algorithm=digest`.
    algorithm, _, digest = str(info.get("hash") or "").partition("=")
    hashes = info.get("hashes") or ({algorithm: digest} if digest else {})
    return DirectUrl(
        kind="archive", url=url, sha256=hashes.get("sha256"), subdirectory=subdirectory
    )


def _broken(path: Path, suffix: str, problem: str) -> Distribution:
    name = path.name.removesuffix(suffix).split("-")[0]
    return Distribution(name=_normalized(name), version=None, path=path, problem=problem)


def _normalized(name: str) -> str:
    return _SEPARATORS.sub("-", name).lower()
