"""`envlock rebuild --backend image` and `nix`: the environment as an image, or from Nix."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from envlock.cli.rebuild_python import with_mirrors
from envlock.cli.rebuild_work import Order
from envlock.errors import SourceError
from envlock.io.machine import machine_platform
from envlock.io.progress import Reporter
from envlock.lock.artifacts import UsedFiles
from envlock.lock.hashing import environment_hash
from envlock.lock.selection import select_target
from envlock.realise.rebuild.gather import Gathered, gather

_LISTED = 20


def rebuild_image(order: Order, reporter: Reporter) -> dict[str, Any]:
    """Build the environment's image, without the project, into a folder or .tar; what came of it.

    Raises:
        SourceError: files are missing; names them with what was tried.
        UsageError: the lock cannot become an image.
    """
    from envlock.export.labels import labels
    from envlock.realise.image.build import Wishes, build
    from envlock.realise.image.layout import Layout
    from envlock.realise.image.oci import make_index
    from envlock.realise.image.parts import choose_parts, choose_targets

    lock = order.subject.lock
    chosen = choose_targets(lock, () if order.target is None else (order.target,))
    annotations = labels(lock, with_base=False)
    came: dict[str, Gathered] = {}

    def fetch(absent: UsedFiles) -> None:
        places = with_mirrors(lock, order.subject.root, order.places) if absent.os else order.places
        found = gather(lock, absent, order.subject.root, places, reporter)
        came.update(found)
        _refuse_missing(absent, found)

    built = [
        build(
            choose_parts(lock, target, only_os=False),
            Wishes(compression="none", user="app"),
            as_of=lock.as_of,
            annotations=annotations,
            fetch=fetch,
            reporter=reporter,
        )
        for target in chosen
    ]
    images = tuple(entry.image for entry in built)
    top = images[0].manifest if len(images) == 1 else make_index(images, annotations)
    reporter.step("writing")
    layout = Layout(images, top)
    if order.folder.suffix == ".tar":
        layout.write_archive(order.folder)
    else:
        layout.write_folder(order.folder)
    return {
        "backend": "image",
        "digest": f"sha256:{top.digest}",
        "environment-hash": environment_hash(lock).root,
        "output": str(order.folder),
        "fetched": {sha256: one.origin for sha256, one in sorted(came.items())},
    }


def rebuild_nix(order: Order, reporter: Reporter) -> dict[str, Any]:
    """Have Nix build the environment, with ``order.folder`` as a link to it; what came of it.

    Raises:
        SourceError: Nix is missing, or fails.
        UsageError: the lock has nothing for Nix.
    """
    from envlock.export.nix.content import SYSTEMS, output_name
    from envlock.export.nix.exporter import NixExporter
    from envlock.io.tools import find_nix
    from envlock.realise.nix import build_flake

    lock = order.subject.lock
    target = order.target or select_target(lock, machine_platform())
    files = NixExporter().export(lock)
    find_nix()
    attribute = output_name(lock, target, "from-source" if order.from_source else "environment")
    with tempfile.TemporaryDirectory(prefix="envlock-nix-") as folder:
        for name, content in files.items():
            Path(folder, name).write_bytes(content)
        built = build_flake(
            Path(folder),
            f"packages.{SYSTEMS[target.platform]}.{attribute}",
            link=order.folder,
            reporter=reporter,
        )
    return {
        "backend": "nix",
        "digest": built.nar_hash,
        "environment-hash": environment_hash(lock).root,
        "output": str(order.folder),
        "store-path": built.store_path,
    }


def _refuse_missing(files: UsedFiles, found: dict[str, Gathered]) -> None:
    names = {
        **{f.file.sha256: f.file.name for f in files.python},
        **{p.sha256: p.file_name.rpartition("/")[2] for p in files.os},
        **{b.sha256: str(b) for b in files.interpreters},
    }
    missing = [sha256 for sha256, one in found.items() if one.origin is None]
    if not missing:
        return
    lines = []
    for sha256 in missing[:_LISTED]:
        lines.append(f"  {names.get(sha256, sha256)}")
        lines += [f"      tried {one.place}: {one.why}" for one in found[sha256].tried]
    if len(missing) > _LISTED:
        lines.append(f"  and {len(missing) - _LISTED} more")
    raise SourceError(
        f"{len(missing)} files are missing; everything else is in the store:\n" + "\n".join(lines),
        remedy="give a place that has them: --from DIR, --index URL",
    )
