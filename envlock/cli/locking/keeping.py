"""What is kept of a plain `envlock lock`, so that it need not be worked out a second time."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from envlock.cli import fresh
from envlock.cli.common import only_of_files, read_lock
from envlock.cli.context import Context
from envlock.cli.locking.options import PLAIN, Options
from envlock.project.dates import parse_absolute
from envlock.project.locate import Project

if TYPE_CHECKING:
    from envlock.lock.model import Lock
    from envlock.lock.request import Request
    from envlock.resolve.python.engines.uv_runs import UvAnswer, UvOrder


def keep_verdict(
    context: Context, project: Project, options: Options, read: set[str], since: int
) -> None:
    """Keep a plain ``lock --check``'s verdict, where all that it depends on is in ``read``."""
    if not _is_own(context, project) or options.as_of is not None or options.as_json:
        return
    if only_of_files(read_lock(project).request, read):
        fresh.remember("lock --check", files=read, root=str(project.root), since=since)


def keep_lock(
    context: Context,
    project: Project,
    options: Options,
    lock: Lock,
    read: set[str],
    since: int,
    run: tuple[UvOrder, UvAnswer] | None,
    said: list[str],
) -> None:
    """Keep a plain first lock, where it follows from files and uv's one answer alone.

    Signed Releases of a settled date are files, too: the cache's.
    """
    request = lock.request
    more = (request.nix, request.guix, request.image_base)
    reads_wheels = request.os_base is not None and request.os_libraries and bool(lock.packages)
    if (
        not _is_own(context, project)
        or context.verbose
        or options != replace(PLAIN, as_of=options.as_of)
        or (options.as_of is not None and parse_absolute(options.as_of) is None)
        or (options.as_of is None and request.as_of is None)
        or lock.engine != "uv"
        or request.sources
        or reads_wheels
        or request.interpreter == "standalone"
        or any(part is not None for part in more)
        or any("@" in wish.text for wish in (*request.wishes, *request.constraints))
        or not only_of_files(request, read)
    ):
        return
    from envlock.cli.locking import again
    from envlock.resolve.python.config.find import places

    again.remember(
        sys.argv[1:],
        files=read - {str(project.lock_path)},
        places=[*map(str, places()), *_apt_places(request)],
        root=str(project.root),
        lock_path=str(project.lock_path),
        run=run,
        said=said,
        since=since,
    )


def _is_own(context: Context, project: Project) -> bool:
    """Whether it is about the project in this folder, and nothing beside it."""
    return project.name is None and project.kind != "script" and context.directory == Path()


def _apt_places(request: Request) -> tuple[str, ...]:
    if request.os_base is None:
        return ()
    from envlock.io.apt_config import PLACES

    return PLACES
