"""``envlock rebuild``: an environment brought back, and whether it is the same one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from threading import Event

import click

from envlock.cli.common import (
    json_option,
    locked_target,
    name_option,
    project_guard,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import reporting, result, result_json, say
from envlock.cli.rebuilding.find import find_subject
from envlock.cli.rebuilding.options import (
    archive_option,
    build_root_option,
    chosen_places,
    from_option,
    index_option,
    jobs_option,
    offline_option,
    target_option,
)
from envlock.cli.rebuilding.order import BUILT, WHEELS, Order
from envlock.cli.rebuilding.work import rebuild
from envlock.errors import EXIT_SOURCE, EXIT_VERIFICATION, UsageError
from envlock.lock.hashing import shorten

_EPILOG = """\b
Examples:
  envlock rebuild                            # the lock here, into .venv-rebuilt
  envlock rebuild last --into /tmp/then      # the environment of the last run
  envlock rebuild v1.0                       # the lock at a git revision
  envlock rebuild old/pylock.toml --from /media/usb/bundle.tar --offline
  envlock rebuild --from paper.tar           # the lock that is in it
  envlock rebuild last --backend image       # an image, with the distribution's packages
  envlock rebuild --backend guix             # from source, by the Guix of the locked commit
  envlock rebuild --from-source              # wheels from sdists, beside the published ones
  envlock rebuild --from-source --build-with wheels  # quicker: backends as published
  envlock rebuild --from-source --build-root machine  # with the compilers of this machine
  envlock rebuild --index https://mirror.example.org/simple
  envlock rebuild --os-package hello         # a Debian package from its sources, compared

WHAT is a lockfile, a run (its id, or `last`), or a git revision; a file goes before a revision.
Without a lock here it is the bundle's own; of several, the environment hash (env1-…) names one.
A file that is not where the lock says is taken from whoever has the same bytes. What nobody has
is listed with what was tried, and the exit code is 3; everything else is in the store by then."""


@click.command(epilog=_EPILOG)
@click.argument("what", metavar="[WHAT]", required=False)
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where to. Default: .venv-rebuilt, .venv-<run>, .venv-<commit> (image-…, nix-…,"
    " guix-…), beside the lock.",
)
@click.option(
    "--backend",
    type=click.Choice(["venv", "image", "nix", "guix"]),
    default="venv",
    show_default=True,
    help="What it becomes: a virtual environment, a container image with the distribution's"
    " packages (DIR, or a file that ends in .tar), or what Nix or Guix builds (DIR is a link).",
)
@click.option(
    "--recreate",
    is_flag=True,
    help="Make DIR anew where it is an environment already; with --os-package, build again.",
)
@target_option
@from_option
@index_option
@archive_option
@click.option(
    "--from-source",
    is_flag=True,
    help="Build every wheel from its locked sdist, where the lock says how (sources = true).",
)
@click.option(
    "--build-with",
    type=click.Choice([BUILT, WHEELS]),
    default=BUILT,
    show_default=True,
    help="With --from-source, what wheels are built with: what is built from locked sdists, too,"
    " down to the lock's bootstrap set, or the locked wheels.",
)
@build_root_option
@click.option(
    "--os-package",
    "os_packages",
    metavar="NAME",
    multiple=True,
    help="Build this package of the distribution from its locked sources, in a root of its build"
    " dependencies, and compare with the published .deb; may be repeated.",
)
@jobs_option
@offline_option
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context,
    what: str | None,
    into: Path | None,
    backend: str,
    recreate: bool,
    target: str | None,
    bundles: tuple[Path, ...],
    indexes: tuple[str, ...],
    archive: str,
    from_source: bool,
    build_with: str,
    build_root: str | None,
    os_packages: tuple[str, ...],
    jobs: int | None,
    offline: bool,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> int:
    """Bring an environment back from its lock, and verify that it is the same one."""
    places = chosen_places(context, bundles, indexes, archive, offline=offline)
    subject = find_subject(context, what, name=name, script=script, bundles=places.bundles)
    usual = (
        subject.folder if backend == "venv" else f"{backend}{subject.folder.removeprefix('.venv')}"
    )
    folder = subject.root / usual if into is None else context.directory / into
    order = Order(
        subject=subject,
        folder=folder.absolute(),
        target=None if target is None else locked_target(subject.lock, target),
        places=places,
        recreate=recreate,
        from_source=from_source,
        build_with=build_with,
        build_root=build_root,
        jobs=jobs,
    )
    if os_packages:
        return _os_packages(context, order, os_packages, backend, into, as_json=as_json)
    if backend != "venv":
        return _other(context, order, backend, as_json=as_json)
    with (
        project_guard(context, subject.root),
        _target_guard(context, order.folder),
        reporting(context, in_bytes=True) as reporter,
    ):
        report = rebuild(order, reporter)
    from envlock.cli.rebuilding.report import report_json, tell

    if as_json:
        result_json(report_json(report))
    else:
        tell(context, report)
    if report.missing or report.failed:
        return EXIT_SOURCE
    return 0 if report.same else EXIT_VERIFICATION


@contextmanager
def _target_guard(context: Context, folder: Path) -> Iterator[None]:
    """Hold the folder that is installed into, whatever project somebody else does that from."""
    from envlock.cli.style import style
    from envlock.io.files import make_folder
    from envlock.realise.source.folder import alone

    def waiting() -> None:
        say(context, f"{style('note', 'bold cyan')}: waiting for another envlock in {folder}")

    place = folder.resolve()
    make_folder(place.parent)
    with ExitStack() as held:
        lock = place.with_name(f".{place.name}.lock")
        with suppress(OSError):  # no place for a lock: who cannot install either, says so
            held.enter_context(alone(lock, Event(), waiting))
        yield


def _os_packages(
    context: Context,
    order: Order,
    names: tuple[str, ...],
    backend: str,
    into: Path | None,
    *,
    as_json: bool,
) -> int:
    """Packages of the distribution."""
    from envlock.cli.rebuilding.debian import rebuild_debian
    from envlock.cli.rebuilding.debian_report import exit_code, packages_json, tell_packages

    if backend != "venv" or order.from_source or order.places.indexes or order.target:
        raise UsageError(
            "--os-package builds .debs; --backend, --from-source, --index and --target do not go"
            " with it"
        )
    if into is None:
        folder = order.subject.folder.removeprefix(".venv-")
        order = replace(order, folder=(order.subject.root / f".debs-{folder}").absolute())
    with project_guard(context, order.subject.root), reporting(context, in_bytes=True) as reporter:
        built = rebuild_debian(order, names, reporter)
    if as_json:
        result_json(packages_json(order, built))
    else:
        tell_packages(context, order, built)
    return exit_code(built)


def _other(context: Context, order: Order, backend: str, *, as_json: bool) -> int:
    """An image, or what Nix or Guix builds."""
    if backend == "image" and order.from_source:
        raise UsageError(
            "--from-source makes a virtual environment, or with --backend nix or guix what"
            " these build"
        )
    if backend == "image":
        return _image(context, order, as_json=as_json)
    from envlock.cli.rebuilding.guix import rebuild_guix
    from envlock.cli.rebuilding.nix import rebuild_nix
    from envlock.cli.rebuilding.store import store_json, tell_store

    if backend == "guix" and order.places.offline:
        raise UsageError(
            "Guix fetches what it builds with by itself, so --offline cannot be kept",
            remedy="--backend venv, image or nix, or a machine without a network",
        )
    with project_guard(context, order.subject.root), reporting(context, in_bytes=True) as reporter:
        report = (rebuild_nix if backend == "nix" else rebuild_guix)(order, reporter)
    if as_json:
        result_json(store_json(report))
    else:
        tell_store(context, report)
    return 0 if report.same else EXIT_VERIFICATION


def _image(context: Context, order: Order, *, as_json: bool) -> int:
    from envlock.cli.rebuilding.image import rebuild_image

    with project_guard(context, order.subject.root), reporting(context, in_bytes=True) as reporter:
        made = rebuild_image(order, reporter)
    from envlock.cli.sync import shown_path

    if as_json:
        result_json(made)
    else:
        result(made["digest"])
        held = shorten(made["environment-hash"])
        say(context, f"{shown_path(context, order.folder)} holds {held} of {order.subject.title}")
    return 0
