"""The files of ``envlock export guix``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from envlock.errors import UsageError
from envlock.export.exporter import FileTree
from envlock.export.guix.definition import Plan
from envlock.export.guix.packages import plan
from envlock.export.guix.scheme import scheme_string
from envlock.export.templates import render
from envlock.lock import codec
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.target import Target
from envlock.lock.toolchain import GuixChannel

CHANNELS = "channels.scm"
MANIFEST = "manifest.scm"
MODULE = "modules/envlock/environment.scm"
LOCK = "lock.toml"

SYSTEMS = {"linux/amd64": "x86_64-linux", "linux/arm64": "aarch64-linux"}
"""The platforms of locks that Guix has, as it calls them."""


class GuixExporter:
    """``envlock.exporters: guix``."""

    name = "guix"

    def export(self, lock: Lock, target: Target | None = None) -> FileTree:
        """See ``Exporter.export``. Without a target: for all of Linux, where that is one plan."""
        if lock.guix is None:
            raise UsageError(
                "the lock holds no commit of Guix",
                remedy="add an empty table [tool.envlock.guix] and run `envlock lock`",
            )
        targets = _targets(lock, target)
        heading = Heading(
            environment=environment_hash(lock).root,
            as_of=f"{lock.as_of:%Y-%m-%dT%H:%M:%SZ}",
            targets=tuple(target.key for target in targets),
            systems=tuple(SYSTEMS[target.platform] for target in targets),
        )
        return {
            **scheme_files(heading, lock.guix, _common_plan(lock, targets)),
            LOCK: codec.dump(lock).encode(),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """What the files say of themselves. No text of it is the lock's own, so it needs no quotes."""

    environment: str
    as_of: str
    targets: tuple[str, ...]
    systems: tuple[str, ...]


def scheme_files(heading: Heading, channel: GuixChannel, plan: Plan) -> FileTree:
    """The files in Scheme; ASCII only.

    Raises:
        UsageError: a text that Scheme cannot hold.
    """
    filters = {"scheme": scheme_string, "fingerprint": _fingerprint}
    values = {"heading": heading, "channel": channel, "plan": plan}
    return {
        name: render(f"guix/{PurePosixPath(name).name}", filters, **values)
        for name in (CHANNELS, MANIFEST, MODULE)
    }


def _targets(lock: Lock, target: Target | None) -> list[Target]:
    offered = lock.targets if target is None else (target,)
    found = sorted(one for one in offered if one.platform in SYSTEMS)
    if not found:
        raise UsageError(
            f"Guix has no {', '.join(one.key for one in sorted(offered))}",
            remedy=f"add one of {', '.join(SYSTEMS)} to targets in [tool.envlock] and run"
            " `envlock lock`",
        )
    return found


def _common_plan(lock: Lock, targets: list[Target]) -> Plan:
    """The one plan of all targets.

    Raises:
        UsageError: they need different packages or Pythons.
    """
    first, *others = targets
    common = plan(lock, first)
    for other in others:
        if plan(lock, other) != common:
            raise UsageError(
                f"{first.key} and {other.key} need different packages, which one Guix module"
                " cannot define",
                remedy="export each into a folder of its own:\n"
                + "\n".join(
                    f"envlock export guix --target {one.key}"
                    f" --output guix-{one.key.translate(str.maketrans('/@', '--'))}"
                    for one in targets
                ),
            )
    return common


def _fingerprint(digits: str) -> str:
    """As Guix and GnuPG print it: groups of four, the halves apart."""
    groups = [digits[i : i + 4] for i in range(0, len(digits), 4)]
    return scheme_string(" ".join(groups[:5]) + "  " + " ".join(groups[5:]))
