"""Options that `envlock rebuild` and `envlock verify` share."""

from __future__ import annotations

from pathlib import Path

import click

from envlock.cli.context import Context
from envlock.errors import UsageError
from envlock.realise.rebuild.gather import ARCHIVE, Places

from_option = click.option(
    "--from",
    "bundles",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR|TAR",
    multiple=True,
    help="A bundle, as folder or archive, or a folder with files, by digest or by name; may be"
    " repeated.",
)
index_option = click.option(
    "--index", "indexes", metavar="URL", multiple=True, help="Another index to ask, too."
)
archive_option = click.option(
    "--archive",
    metavar="URL",
    default=ARCHIVE,
    show_default=True,
    help="An archive of sources, asked last for sdists (Software Heritage's interface); `none`.",
)
jobs_option = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Builds at once. Default: one a processor.",
)
build_root_option = click.option(
    "--build-root",
    type=click.Choice(["lock", "machine"]),
    help="What wheels are built in: a root of the locked packages (compilers, headers, libraries),"
    " or this machine. Default: lock, where the lock has build packages and the system can.",
)
target_option = click.option(
    "--target", metavar="TARGET", help="Default: the newest Python for this machine."
)
offline_option = click.option("--offline", is_flag=True, help="Use no network.")


def chosen_places(
    context: Context,
    bundles: tuple[Path, ...],
    indexes: tuple[str, ...],
    archive: str,
    *,
    offline: bool,
) -> Places:
    """Where to look for files, as the options say.

    Raises:
        UsageError: an address is none of http or https.
    """
    for address in (*indexes, *([archive] if archive != "none" else [])):
        if not address.startswith(("http://", "https://")):
            raise UsageError(
                f"not an http or https address: {address}", remedy="https://host/simple"
            )
    return Places(
        bundles=tuple((context.directory / bundle).absolute() for bundle in bundles),
        indexes=indexes,
        archive=None if archive == "none" else archive,
        offline=offline,
    )
