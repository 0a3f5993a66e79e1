"""What several commands share: finding the project, reading its lock, common options."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envlock.cli.context import Context
from envlock.cli.output import say
from envlock.cli.style import style
from envlock.errors import UsageError
from envlock.io import files
from envlock.io.cache import DiskCache
from envlock.io.machine import machine_platform
from envlock.lock.request import Request
from envlock.lock.target import Target, parse_target
from envlock.project.load import allows, load_request
from envlock.project.locate import Project, locate

if TYPE_CHECKING:
    from envlock.lock.image import BaseImage
    from envlock.lock.model import Lock
    from envlock.lock.os import OsLibrary

_VALID = "valid-locks-1"
"""Digests of lockfiles found valid; another number when what counts as valid changes."""

name_option = click.option(
    "--name",
    metavar="NAME",
    help="The named environment: pylock.NAME.toml, [tool.envlock.env.NAME].",
)
script_option = click.option(
    "--script",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A Python script with its own requirements (PEP 723) instead of a project.",
)
json_option = click.option("--json", "as_json", is_flag=True, help="The result as JSON on stdout.")


def locate_project(context: Context, *, name: str | None, script: Path | None) -> Project:
    """The project that the command works on, from ``--directory``, ``--name`` and ``--script``."""
    return locate(context.directory, name=name, script=script)


def only_of_files(request: Request, read: Collection[str]) -> bool:
    """Whether a request is made of the files that were read, and of nothing else.

    Local paths are looked at, and variables (in requirements files, URLs) come from outside.
    """
    texts = [wish.text for wish in (*request.wishes, *request.constraints, *request.overrides)]
    places = [*request.index_urls, *request.find_links, request.default_index or ""]
    return (
        files.OTHERS not in read
        and not any("file:" in text for text in texts)
        and all(not place or place.startswith(("https:", "http:")) for place in places)
        and not any(b"${" in Path(path).read_bytes() for path in read)
    )


def read_lock(project: Project) -> Lock:
    """The project's lock.

    Raises:
        UsageError: there is none, or it is not a lock.
        VerificationError: it was edited or damaged.
    """
    require_lock(project)
    return read_lock_file(project.lock_path)


def require_lock(project: Project) -> None:
    """See that there is a lock.

    Raises:
        UsageError: there is none.
    """
    if not project.lock_path.exists():
        raise UsageError(
            "there is no lock yet", where=str(project.lock_path), remedy="envlock lock"
        )


def read_lock_file(path: Path) -> Lock:
    """The lock in that file. What was found valid once is not examined again: see ``codec.load``.

    Raises:
        UsageError: it is not a lock.
        VerificationError: it was edited or damaged.
    """
    return lock_of_text(files.read_text(path), where=str(path))


def lock_of_text(text: str, *, where: str) -> Lock:
    """The lock that a file says, as ``read_lock_file`` reads it.

    Raises:
        UsageError: it is not a lock.
        VerificationError: it was edited or damaged.
    """
    from envlock.lock import codec

    known, key = DiskCache(_VALID), _identity(text)
    valid = known.get(key) is not None
    lock = codec.load(text, where=where, known_valid=valid)
    if not valid:
        known.put(key, b"")
    return lock


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the lockfile, whole or not at all."""
    from envlock.lock import codec

    text = codec.dump(lock)
    files.write_atomic(path, text)
    DiskCache(_VALID).put(_identity(text), b"")


def locked_target(lock: Lock, text: str) -> Target:
    """The lock's target that is written ``linux/amd64@3.11``.

    Raises:
        UsageError: it is no target, or none of the lock's.
    """
    target = parse_target(text)
    if target not in lock.targets:
        raise UsageError(
            f"the lock is not for {target.key}",
            remedy=f"it is for {', '.join(t.key for t in lock.targets)}",
        )
    return target


def _identity(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def library_json(entry: OsLibrary) -> dict[str, object]:
    """A library that wheels need, for ``--json``."""
    return {
        "architecture": entry.architecture,
        "soname": entry.soname,
        "package": entry.package,
        "wheels": list(entry.wheels),
    }


def image_json(image: BaseImage) -> dict[str, object]:
    """A base image, for ``--json``."""
    return {
        "reference": image.reference,
        "digest": image.digest,
        "platforms": {one.platform: one.digest for one in image.platforms},
    }


@contextmanager
def project_guard(context: Context, root: Path) -> Iterator[None]:
    """Hold the project while writing in it; say so when another envlock does."""

    def waiting() -> None:
        say(context, f"{style('note', 'bold cyan')}: waiting for another envlock in {root}")

    with files.project_lock(root, waiting):
        yield


def current_request(
    project: Project,
    lock: Lock | None,
    *,
    now: datetime,
    as_of: datetime | None = None,
    note: Callable[[str], None] = lambda text: None,
) -> Request:
    """What the project asks for today.

    What it leaves open, platform, Python and the distribution's release, is what the lock decided,
    so that neither another machine nor a new Python on it makes a lock stale; without a lock, this
    machine and the date decide.

    Args:
        project: see ``locate_project``.
        lock: the existing lock.
        now: the present.
        as_of: the date that is asked for; the project's own counts where it has one.
        note: told what was guessed, and why.
    """

    def python(bound: str | None, base: str | None, own: datetime | None) -> str:
        return _default_python(bound, base, lock, own or as_of, note)

    def release(name: str, own: datetime | None, pythons: tuple[str, ...]) -> str:
        return _default_base(name, pythons, lock, own or as_of or now, note)

    return load_request(
        project,
        platform=machine_platform() if lock is None else lock.targets[0].platform,
        default_python=python,
        default_base=release,
        now=now,
    )


def _default_base(
    name: str,
    pythons: tuple[str, ...],
    lock: Lock | None,
    as_of: datetime,
    note: Callable[[str], None],
) -> str:
    if lock is not None and lock.os is not None and lock.os.base.startswith(f"{name}:"):
        return lock.os.base
    from envlock.resolve.os.distributions.guess import guess_base

    found = guess_base(name, as_of, pythons)
    note(
        f"guessed: {found} (python {found.codename.python}), the newest release of"
        f" {as_of:%Y-%m-%d}" + (" with that Python" if pythons else "") + "; set `base` to change"
    )
    return str(found)


def _default_python(
    requires_python: str | None,
    base: str | None,
    lock: Lock | None,
    as_of: datetime | None,
    note: Callable[[str], None],
) -> str:
    from packaging.specifiers import SpecifierSet

    if lock is not None:
        target = lock.targets[0]
        sample = target.environment()["python_full_version"]
        if SpecifierSet(requires_python or "").contains(sample):
            return target.python
    if base is not None:
        from envlock.resolve.os.distributions.distribution import parse_base

        own = parse_base(base).codename.python
        if own is not None and allows(requires_python or "", own):
            return own
    from envlock.io.interpreters import newest_installed

    files.note_others()
    found = newest_installed(requires_python)
    if as_of is not None:
        found = _python_of_then(found, requires_python, as_of, note)
    if found is None:
        raise UsageError(
            f"no Python on this machine satisfies requires-python {requires_python!r}",
            remedy='name the one to lock for: python = "3.11" in [tool.envlock]',
        )
    return found


def _python_of_then(
    found: str | None, requires_python: str | None, as_of: datetime, note: Callable[[str], None]
) -> str | None:
    """``found``, where it was out at ``as_of``; else the newest one that was."""
    from envlock.resolve.python.releases import newest_released, was_released

    if found is not None and was_released(found, as_of):
        return found
    then = newest_released(as_of, lambda series: allows(requires_python or "", series))
    if then is None:
        return found
    bound = f" that {requires_python} allows" if requires_python else ""
    note(f"guessed: python {then}, the newest{bound} on {as_of:%Y-%m-%d}; set `python` to change")
    return then
