"""``envlock why PKG``: show who asked for a package."""

from __future__ import annotations

import difflib
from pathlib import Path

import click

from envlock.cli.common import json_option, locate_project, name_option, read_lock, script_option
from envlock.cli.context import Context
from envlock.cli.output import result, result_json
from envlock.errors import UsageError
from envlock.lock.graph import Chain, chains_to
from envlock.lock.model import Lock, PythonPackage
from envlock.lock.request import wish_line

_EPILOG = """\b
Examples:
  envlock why idna           # the shortest way from each requirement down to it
  envlock why idna --json"""


@click.command(epilog=_EPILOG)
@click.argument("package", metavar="PKG")
@name_option
@script_option
@json_option
@click.pass_obj
def command(
    context: Context, package: str, name: str | None, script: Path | None, as_json: bool
) -> None:
    """Show which requirements lead to PKG, and through which packages."""
    from packaging.utils import canonicalize_name

    lock = read_lock(locate_project(context, name=name, script=script))
    wanted = canonicalize_name(package)
    entries = lock.package(wanted)
    if not entries:
        raise UsageError(f"{package} is not in the lock", remedy=_nearest(lock, wanted))
    chains = chains_to(lock, wanted)
    if as_json:
        result_json(
            {
                "package": wanted,
                "versions": [entry.version for entry in entries],
                "chains": [_chain_table(chain) for chain in chains],
            }
        )
        return
    for entry in entries:
        result(_title(entry))
    for chain in chains:
        result(f"  {_chain_line(chain)}")


def _nearest(lock: Lock, name: str) -> str:
    near = difflib.get_close_matches(name, [p.name for p in lock.packages], n=3)
    return f"did you mean {', '.join(near)}?" if near else "see `envlock tree` for what is"


def _title(package: PythonPackage) -> str:
    version = package.version or "(source tree)"
    return f"{package.name} {version}" + (f" where {package.marker}" if package.marker else "")


def _chain_line(chain: Chain) -> str:
    links = " → ".join(f"{p.name} {p.version or ''}".rstrip() for p in chain.links)
    return f"{wish_line(chain.wish)}: {links}"


def _chain_table(chain: Chain) -> dict[str, object]:
    return {
        "requirement": wish_line(chain.wish),
        "through": [{"name": p.name, "version": p.version} for p in chain.links],
    }
