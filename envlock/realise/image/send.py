"""An image, sent: to a registry, or into Podman's or Docker's own store on this machine."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from envlock.errors import SourceError
from envlock.io import process
from envlock.io.progress import Reporter
from envlock.realise.image.layout import Layout


def push(layout: Layout, reference_text: str, reporter: Reporter) -> str:
    """Push an image: blobs first, then the manifests, last the tag. Gives the reference by digest.

    Blobs that the repository has are not sent.

    Raises:
        UsageError: the reference cannot be read.
        SourceError: the registry refuses.
        VerificationError: the registry counts other digests.
    """
    from envlock.io.images.push import push_blob, push_manifest
    from envlock.io.images.reference import Reference, parse_reference
    from envlock.io.images.registry import Registry, read_manifest

    reference = parse_reference(reference_text)
    done = 0
    with Registry() as registry:
        for digest, source in layout.blobs():
            size = len(source) if isinstance(source, bytes) else source.stat().st_size
            push_blob(registry, reference, f"sha256:{digest}", source)
            done += size
            reporter.progress(done, layout.size)
        for document in layout.manifests():
            own = reference
            if document is not layout.top:  # one of several platforms: it has no tag of its own
                own = Reference(
                    registry=reference.registry,
                    repository=reference.repository,
                    digest=f"sha256:{document.digest}",
                )
            manifest = read_manifest(
                document.content, where=str(own), media_type=document.media_type
            )
            push_manifest(registry, own, manifest)
    return f"{reference.name}@sha256:{layout.top.digest}"


def load(layout: Layout, name: str) -> str:
    """Load an image into Podman, else Docker, where there is one; gives the program's name.

    Raises:
        SourceError: there is neither, or it fails.
    """
    program = next((found for found in ("podman", "docker") if shutil.which(found)), None)
    if program is None:
        raise SourceError(
            "neither podman nor docker is installed",
            remedy="--output image.tar writes a file that they load elsewhere",
        )
    with tempfile.TemporaryDirectory(prefix="envlock-load-") as folder:
        archive = Path(folder, "image.tar")
        layout.write_archive(archive, tag=name)
        done = process.run([program, "load", "--quiet", "--input", str(archive)])
    if done.code != 0:
        raise SourceError(
            f"{program} load failed: {done.stderr.strip()[-500:]}",
            remedy="--output image.tar writes the file that it was given",
        )
    return program
