"""``envlock mirror``: a bundle for package managers that know nothing of it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from envlock.cli.common import json_option
from envlock.cli.context import Context
from envlock.cli.output import reporting, result, result_json, say
from envlock.lock.hashing import shorten

if TYPE_CHECKING:
    from envlock.realise.bundle.mirror import Mirror

_EPILOG = """\b
Examples:
  envlock mirror serve paper.tar
  envlock mirror serve bundle --port 8741

It is on 127.0.0.1 alone, and ends with Ctrl-C."""


@click.group(epilog=_EPILOG)
def command() -> None:
    """Serve a bundle to pip, uv, apt, Docker and Nix."""


@command.command(epilog=_EPILOG)
@click.argument("bundle", metavar="BUNDLE", type=click.Path(path_type=Path))
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    metavar="PORT",
    help="The port to listen on; default: any that is free.",
)
@json_option
@click.pass_obj
def serve(context: Context, bundle: Path, port: int, as_json: bool) -> None:
    """Verify a bundle, then serve it until Ctrl-C; prints the addresses, and what to run."""
    from envlock.realise.bundle.mirror import Mirror
    from envlock.realise.bundle.opened import open_bundle
    from envlock.realise.bundle.serve import MirrorServer
    from envlock.realise.bundle.verify import verify

    opened = open_bundle(context.directory / bundle)
    with reporting(context, in_bytes=True) as reporter:
        verified = verify(opened, reporter)

    def told(text: str) -> None:
        if not as_json:
            say(context, text)

    mirror = Mirror(opened, verified.locks, told)
    with MirrorServer(mirror, port) as server, _until_stopped():
        addresses = _addresses(server.address, mirror)
        if as_json:
            result_json({"bundle": str(bundle), "digest": f"sha256:{verified.digest}", **addresses})
        else:
            result(server.address)
            _tell(context, addresses, mirror.own_images.refused)
        server.serve_forever(poll_interval=0.1)
    say(context, "stopped")


@contextmanager
def _until_stopped() -> Iterator[None]:
    """An interrupt, or a request to end, is the end of it, and no error."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        pass
    finally:
        signal.signal(signal.SIGTERM, before)


def _addresses(base: str, mirror: Mirror) -> dict[str, object]:
    from envlock.io.images.reference import parse_reference
    from envlock.realise.bundle.own_images import REPOSITORY

    return {
        "apt": f"{base}/apt" if mirror.has_debs else None,
        "by-digest": f"{base}/sha256",
        "envlock-mirror": f"{base}/archive/{{archive}}/{{timestamp}}" if mirror.has_debs else None,
        "images": [
            f"{base.removeprefix('http://')}/{parse_reference(one.pinned).repository}@{one.digest}"
            for one in mirror.images.images
        ],
        "lock-images": {
            root: f"{base.removeprefix('http://')}/{REPOSITORY}:{root}"
            for root in mirror.own_images.roots
        },
        "locked-indexes": {root: f"{base}/locks/{root}/simple/" for root in mirror.locks},
        "requirements": {root: f"{base}/locks/{root}/requirements.txt" for root in mirror.locks},
        "simple": f"{base}/simple/",
        "snapshots": _sources(base, mirror),
        "url": base,
    }


def _sources(base: str, mirror: Mirror) -> list[str]:
    """The archives with the distribution's signatures, as apt's sources have them."""
    return [
        f"deb [lang=none check-valid-until=no] {base}/archive/{one.archive}/{one.moment}"
        f" {one.suite} {' '.join(one.components)}"
        for one in mirror.snapshots.states
    ]


def _tell(context: Context, addresses: dict[str, object], refused: Mapping[str, str]) -> None:
    simple, apt = addresses["simple"], addresses["apt"]
    lines = [
        f"pip install --index-url {simple} PACKAGE",
        f"uv pip install --default-index {simple} PACKAGE",
    ]
    requirements = addresses["requirements"]
    assert isinstance(requirements, dict)  # noqa: S101 - made above
    exact = f"pip install --index-url {simple} --require-hashes --no-deps -r"
    lines += [f"{exact} {url}" for url in requirements.values()]
    snapshots = addresses["snapshots"]
    assert isinstance(snapshots, list)  # noqa: S101 - made above
    lines += [f"echo '{line}' >> /etc/apt/sources.list.d/bundle.list" for line in snapshots]
    if apt is not None and not snapshots:
        lines.append(f"echo 'deb [trusted=yes] {apt} ./' > /etc/apt/sources.list.d/bundle.list")
    images = addresses["images"]
    assert isinstance(images, list)  # noqa: S101 - made above
    own = addresses["lock-images"]
    assert isinstance(own, dict)  # noqa: S101 - made above
    lines += [f"docker pull {image}" for image in (*images, *own.values())]
    lines.append(f"nix-build --option hashed-mirrors {addresses['url']} …")
    say(context, "it answers, until Ctrl-C:")
    for line in lines:
        say(context, f"  {line}")
    for root, why in refused.items():
        say(context, f"no image of {shorten(root)}: {why}")
