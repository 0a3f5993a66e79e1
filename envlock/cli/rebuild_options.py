"""Options that `envlock rebuild` and `envlock verify` share."""

from __future__ import annotations

from pathlib import Path

import click

from_option = click.option(
    "--from",
    "bundles",
    type=click.Path(path_type=Path, exists=True),
    metavar="DIR|TAR",
    multiple=True,
    help="A bundle, as folder or archive, or a folder with files, by digest or by name; may be"
    " repeated.",
)
jobs_option = click.option(
    "-j",
    "--jobs",
    type=click.IntRange(min=1),
    metavar="N",
    help="Builds at once. Default: one a processor.",
)
target_option = click.option(
    "--target", metavar="TARGET", help="Default: the newest Python for this machine."
)
offline_option = click.option("--offline", is_flag=True, help="Use no network.")
