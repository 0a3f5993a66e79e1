"""``envlock build image``: an OCI image from the lock, without a daemon."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from envlock.cli.common import (
    current_request,
    json_option,
    locate_project,
    locked_target,
    name_option,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import reporting, result, result_json, say
from envlock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from envlock.io.progress import Reporter
    from envlock.lock.artifacts import UsedFiles
    from envlock.lock.model import Lock
    from envlock.project.locate import Project
    from envlock.realise.image.build import Built, Wishes
    from envlock.realise.image.layout import Layout
    from envlock.realise.image.oci import Document, Image
    from envlock.realise.image.parts import Parts

_EPILOG = """\b
Examples:
  envlock build image --output image         # a folder: an OCI image layout
  envlock build image --output image.tar     # the same as one file: an oci-archive
  envlock build image --only os --rootfs docker/root  # for a Dockerfile without a base image
  envlock build image --push registry.example.org/team/app:1 --compression zstd

No daemon, no root, no network once the files are there; the same lock gives the same digest."""

_COMPRESSIONS = ("none", "gzip", "zstd")


@click.command(name="image", epilog=_EPILOG)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR|TAR",
    help="Where to: a folder (OCI image layout), or a file that ends in .tar (oci-archive).",
)
@click.option(
    "--push",
    metavar="REF",
    help="Send it to a registry, with Docker's credentials: registry.example.org/team/app:1.",
)
@click.option(
    "--rootfs",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="All files as one tar archive for each platform (DIR/amd64.tar), for a Dockerfile's ADD.",
)
@click.option("--load", is_flag=True, help="Load it into Podman, else Docker, on this machine.")
@click.option(
    "--target",
    "targets",
    metavar="TARGET",
    multiple=True,
    help="linux/amd64@3.11; may be repeated. Default: every Linux platform, its newest Python;"
    " several platforms make an index.",
)
@click.option(
    "--only",
    type=click.Choice(["os"]),
    help="Only the distribution's packages: no Python environment, no project, no user.",
)
@click.option(
    "--mode",
    type=click.Choice(["unpack", "scripts"]),
    default="unpack",
    show_default=True,
    help="unpack: run nothing of the packages, on any system, and refuse those that need it."
    " scripts: install them with their maintainer scripts (Linux, mmdebstrap).",
)
@click.option(
    "--compression",
    type=click.Choice(_COMPRESSIONS),
    default="none",
    show_default=True,
    help="Of layers. Uncompressed ones have the same digest with any compression library.",
)
@click.option(
    "--user",
    metavar="USER",
    default="app",
    show_default=True,
    help="Whom containers run as: app (made for this), root, or numbers such as 1000:1000.",
)
@click.option(
    "--project/--no-project",
    "with_project",
    default=True,
    show_default=True,
    help="The project's files that git tracks go to /app.",
)
@name_option
@script_option
@json_option
@click.pass_obj
def image(
    context: Context,
    output: Path | None,
    push: str | None,
    rootfs: Path | None,
    load: bool,
    targets: tuple[str, ...],
    only: str | None,
    mode: str,
    compression: str,
    user: str,
    with_project: bool,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> None:
    """Build an OCI image: the locked packages, their Python, and the project; no daemon."""
    from envlock.export.labels import labels
    from envlock.lock.hashing import environment_hash
    from envlock.realise.image.build import Wishes
    from envlock.realise.image.layout import Layout
    from envlock.realise.image.oci import make_index
    from envlock.realise.image.parts import choose_parts, choose_targets
    from envlock.realise.image.project import project_files

    if output is None and push is None and rootfs is None and not load:
        raise UsageError(
            "say where the image goes",
            remedy="--output DIR, --output FILE.tar, --push, --load or --rootfs",
        )
    _check_user(user)
    if push is not None:
        from envlock.io.images.reference import parse_reference

        parse_reference(push)  # a typing error is to be told before any work
    project = locate_project(context, name=name, script=script)
    lock = read_lock(project)
    chosen = choose_targets(lock, tuple(locked_target(lock, text) for text in targets))
    parts = [choose_parts(lock, target, only_os=only == "os") for target in chosen]
    own = project_files(project.root) if with_project and only is None else None
    wishes = Wishes(compression=compression, user=user, project=own, scripts=mode == "scripts")
    # The image is made from packages, not on the lock's base image, so it must not name that.
    annotations = labels(lock, with_base=False)
    with reporting(context, in_bytes=True) as reporter:
        built = _build(lock, project, parts, wishes, annotations, reporter)
        images = tuple(entry.image for entry in built)
        top = images[0].manifest if len(images) == 1 else make_index(images, annotations)
        layout = Layout(images, top)
        if output is not None:
            _write(layout, (context.directory / output).absolute(), reporter)
        if rootfs is not None:
            _write_rootfs(images, (context.directory / rootfs).absolute(), reporter)
        pushed = _push(layout, push, reporter) if push is not None else None
        loaded = _load(layout, project, reporter) if load else None
    if as_json:
        result_json(
            {
                "compression": compression,
                "digest": f"sha256:{top.digest}",
                "environment-hash": environment_hash(lock).root,
                "images": [_image_json(entry) for entry in built],
                "loaded": loaded,
                "lock": project.lock_path.name,
                "media-type": top.media_type,
                "mode": mode,
                "output": None if output is None else str(output),
                "pushed": pushed,
                "rootfs": None if rootfs is None else str(rootfs),
            }
        )
    else:
        result(f"sha256:{top.digest}")
        places = [str(place) for place in (output, rootfs, push, loaded) if place is not None]
        _report(context, built, top, places)


def _write(layout: Layout, path: Path, reporter: Reporter) -> None:
    reporter.step("writing")
    if path.suffix == ".tar":
        layout.write_archive(path)
    else:
        layout.write_folder(path)


def _write_rootfs(images: tuple[Image, ...], folder: Path, reporter: Reporter) -> None:
    from envlock.realise.image.rootfs import write_rootfs

    reporter.step("writing")
    for image in images:
        write_rootfs(image, folder)


def _push(layout: Layout, reference: str, reporter: Reporter) -> str:
    from envlock.realise.image.send import push

    reporter.step("pushing")
    return push(layout, reference, reporter)


def _load(layout: Layout, project: Project, reporter: Reporter) -> str:
    from envlock.realise.image.send import load

    plain = re.sub(r"[^a-z0-9]+", "-", (project.name or project.root.name).lower()).strip("-")
    name = f"localhost/{plain or 'project'}:latest"
    reporter.step("loading")
    load(layout, name)
    return name


def _check_user(user: str) -> None:
    names = user.split(":")
    if user not in ("app", "root") and not (
        len(names) <= 2 and all(part.isascii() and part.isdigit() for part in names)
    ):
        raise UsageError(f"{user!r} is no user", remedy="app, root, or numbers: 1000, 1000:1000")


def _build(
    lock: Lock,
    project: Project,
    parts: list[Parts],
    wishes: Wishes,
    annotations: dict[str, str],
    reporter: Reporter,
) -> list[Built]:
    from envlock.realise.image.build import build

    return [
        build(
            entry,
            wishes,
            as_of=lock.as_of,
            annotations=annotations,
            fetch=_fetching(lock, project, reporter),
            reporter=reporter,
        )
        for entry in parts
    ]


def _fetching(lock: Lock, project: Project, reporter: Reporter) -> Callable[[UsedFiles], None]:
    def fetch_files(absent: UsedFiles) -> None:
        from envlock.realise.fetch import fetch

        mirrors: tuple[str, ...] = ()
        keyring = None
        if absent.os:
            # No part of the lock: the project says today where its archives are.
            now = datetime.now(UTC).replace(microsecond=0)
            request = current_request(project, lock, now=now)
            mirrors, keyring = request.os_mirrors, request.os_keyring
        fetch(lock, absent, project.root, mirrors=mirrors, keyring=keyring, reporter=reporter)

    return fetch_files


def _image_json(entry: Built) -> dict[str, object]:
    found = entry.image
    return {
        "config": f"sha256:{found.config.digest}",
        "digest": f"sha256:{found.manifest.digest}",
        "layers": [
            {
                "cached": layer.digest in entry.cached,
                "diff-id": f"sha256:{layer.diff_id}",
                "digest": f"sha256:{layer.digest}",
                "media-type": layer.media_type,
                "size": layer.size,
                "title": layer.title,
            }
            for layer in found.layers
        ],
        "platform": found.platform,
    }


def _report(context: Context, built: list[Built], top: Document, places: list[str]) -> None:
    for entry in built:
        if len(built) > 1:
            say(context, f"  {entry.image.platform}")
        for layer in entry.image.layers:
            state = "cached" if layer.digest in entry.cached else "made"
            say(context, f"  {layer.size / 1e6:9.1f} MB  {state:<6}  {layer.title}")
    for place in places:
        say(context, f"{place} holds sha256:{top.digest[:12]}")
