"""``envlock build``: the environment, built from the lock."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from envlock.cli.build_image import image
from envlock.cli.common import (
    json_option,
    locate_project,
    locked_target,
    name_option,
    project_guard,
    read_lock,
    script_option,
)
from envlock.cli.context import Context
from envlock.cli.output import reporting, result, result_json, say
from envlock.errors import UsageError, VerificationError
from envlock.io.files import read_text, write_atomic
from envlock.io.machine import machine_platform
from envlock.lock.realised import NixOutput, dump, merged, parse, realised_path
from envlock.lock.selection import select_target

_EPILOG = """\b
Examples:
  envlock build nix                    # ./result is the environment: result/bin/python
  envlock build image --output image   # an OCI image, without a daemon"""

_NIX_EPILOG = """\b
Examples:
  envlock build nix                  # ./result/bin/python
  envlock build nix --from-source    # sdists instead of wheels, where the lock says how
  envlock build nix --image && docker load < result

The store path and its digest are kept in pylock.realised.json; `envlock check` compares."""


@click.group(epilog=_EPILOG)
def command() -> None:
    """Build the environment from the lock: an image, or with Nix."""


command.add_command(image)


@command.command(name="nix", epilog=_NIX_EPILOG)
@click.option("--from-source", is_flag=True, help="Build sdists, where the lock says how.")
@click.option("--image", "as_image", is_flag=True, help="A layered container image (Linux).")
@click.option("--target", metavar="TARGET", help="Default: the newest Python for this machine.")
@click.option(
    "-o",
    "--out-link",
    type=click.Path(path_type=Path),
    metavar="PATH",
    default=Path("result"),
    show_default=True,
    help="A link to the result, which keeps it from being collected.",
)
@name_option
@script_option
@json_option
@click.pass_obj
def nix(
    context: Context,
    from_source: bool,
    as_image: bool,
    target: str | None,
    out_link: Path,
    name: str | None,
    script: Path | None,
    as_json: bool,
) -> None:
    """Build it with Nix, as the flake of `envlock export nix` says."""
    from envlock.export.nix.content import SYSTEMS, output_name
    from envlock.export.nix.exporter import NixExporter
    from envlock.io.tools import find_nix
    from envlock.lock.hashing import environment_hash
    from envlock.realise.nix import build_flake

    if from_source and as_image:
        raise UsageError("--from-source and --image exclude one another")
    output = "from-source" if from_source else "image" if as_image else "environment"
    project = locate_project(context, name=name, script=script)
    lock = read_lock(project)
    chosen = (
        select_target(lock, machine_platform()) if target is None else locked_target(lock, target)
    )
    if as_image and not chosen.platform.startswith("linux/"):
        raise UsageError(f"there are no images of {chosen.platform}", remedy="name a Linux target")
    files = NixExporter().export(lock)
    find_nix()
    attribute = output_name(lock, chosen, output)
    with (
        project_guard(context, project.root),
        reporting(context) as reporter,
        tempfile.TemporaryDirectory(prefix="envlock-nix-") as temporary,
    ):
        reporter.step("evaluating")
        for file, content in files.items():
            Path(temporary, file).write_bytes(content)
        built = build_flake(
            Path(temporary),
            f"packages.{SYSTEMS[chosen.platform]}.{attribute}",
            link=(context.directory / out_link).absolute(),
            reporter=reporter,
        )
        path = realised_path(project.lock_path)
        known = parse(read_text(path), where=str(path)) if path.exists() else ()
        new = NixOutput(
            target=chosen.key,
            output=output,
            environment_hash=environment_hash(lock).root,
            store_path=built.store_path,
            nar_hash=built.nar_hash,
        )
        _compare(known, new, path)
        write_atomic(path, dump(merged(known, new)))
    if as_json:
        result_json(
            {
                "environment-hash": new.environment_hash,
                "nar-hash": new.nar_hash,
                "output": output,
                "realised": path.name,
                "store-path": new.store_path,
                "target": chosen.key,
            }
        )
    else:
        result(new.store_path)
        say(context, f"{out_link} holds {environment_hash(lock).short} ({chosen.key}, {output})")


def _compare(known: tuple[NixOutput, ...], new: NixOutput, path: Path) -> None:
    """A store path is named by all that goes into it: with other content, building was not pure."""
    for old in known:
        if old.store_path == new.store_path and old.nar_hash != new.nar_hash:
            raise VerificationError(
                f"built {new.nar_hash}, and before it was {old.nar_hash}: not bit for bit the same",
                where=new.store_path,
                remedy=f"`nix build --rebuild` shows whether it is so again;"
                f" to accept what is there now, remove {path.name}",
            )
