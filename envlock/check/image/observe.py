"""What is installed in an image, read from its layers without running or unpacking it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envlock.check.image.files import Files
from envlock.check.os.observe import STATUS, Status, parse_status
from envlock.check.python.observe import Distribution, Observed, described
from envlock.errors import UsageError
from envlock.io.images.layers import entries
from envlock.io.images.registry import Manifest
from envlock.io.images.source import ImageSource, as_object, bytes_of, damaged, diff_ids_of
from envlock.io.progress import Reporter

_OWN = ("usr/lib/python3", "usr/lib/python")
"""Where the distribution's own Python packages lie, which are OS packages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedImage:
    """One platform's image.

    ``said`` are its annotations and, before them, its labels. ``os`` is what dpkg has, empty where
    there is no dpkg; ``python`` what is installed of Python, ``files`` all of its files.
    """

    digest: str
    platform: str
    layers: int
    said: Mapping[str, str]
    os: Status
    python: Observed
    files: Files


def observe_image(
    source: ImageSource, platforms: tuple[str, ...], reporter: Reporter
) -> ObservedImage:
    """Read the image of the first of ``platforms`` (``linux/amd64``) that it has.

    Raises:
        UsageError: it has none of them.
        SourceError: a part of it cannot be had.
        VerificationError: a part of it is cut, damaged, other than its digest says, or hostile.
    """
    return next(observe_images(source, platforms, reporter))


def observe_images(
    source: ImageSource, platforms: tuple[str, ...], reporter: Reporter
) -> Iterator[ObservedImage]:
    """Read the images of all of ``platforms`` that it has, at least one; raises as above."""
    top = source.top()
    for manifest in _of_platforms(source, top, platforms) if top.is_index else (top,):
        yield _observe(source, manifest, platforms, reporter)


def _observe(
    source: ImageSource, manifest: Manifest, platforms: tuple[str, ...], reporter: Reporter
) -> ObservedImage:
    entry = manifest.document.get("config")
    config = as_object(bytes_of(source, *_descriptor(entry, source.where)), source.where)
    platform = f"{config.get('os')}/{config.get('architecture')}"
    if platform not in platforms:
        raise _none_of(source.where, [platform], platforms)
    diff_ids = diff_ids_of(config, source.where)
    layers = manifest.document["layers"]
    if len(layers) != len(diff_ids):
        raise damaged(source.where, "its manifest and configuration differ in layers")
    files = Files(source.where)
    for number, (layer, diff_id) in enumerate(zip(layers, diff_ids, strict=True), 1):
        reporter.step(f"reading layer {number} of {len(layers)}")
        digest, size = _descriptor(layer, source.where)
        span = source.blob(digest, size)
        files.apply(entries(span, digest=digest, diff_id=diff_id, where=source.where))
    content = files.content()
    own = config.get("config")
    own = own if isinstance(own, dict) else {}
    return ObservedImage(
        digest=manifest.digest,
        platform=platform,
        layers=len(layers),
        # Labels first: of several stages, buildah annotates the stage before as the base.
        said=_texts(manifest.document.get("annotations")) | _texts(own.get("Labels")),
        os=_status(content, source.where),
        python=_python(content, own.get("Env")),
        files=files,
    )


def _of_platforms(
    source: ImageSource, top: Manifest, platforms: tuple[str, ...]
) -> Iterator[Manifest]:
    known: dict[str, str] = {}
    for entry in top.document["manifests"]:
        about = entry.get("platform") if isinstance(entry, dict) else None
        if isinstance(about, dict):
            known.setdefault(
                f"{about.get('os')}/{about.get('architecture')}", str(entry.get("digest"))
            )
    there = [platform for platform in platforms if platform in known]
    if not there:
        raise _none_of(source.where, list(known), platforms)
    for platform in there:
        found = source.manifest(known[platform])
        if found.is_index:
            raise damaged(source.where, "its index has an index in it")
        yield found


def _none_of(where: str, has: list[str], platforms: tuple[str, ...]) -> UsageError:
    return UsageError(
        f"the image is for {', '.join(sorted(has)) or 'nothing'},"
        f" the lock for {', '.join(platforms)}",
        where=where,
        remedy="give an image of a locked platform",
    )


def _descriptor(entry: object, where: str) -> tuple[str, int]:
    if isinstance(entry, dict):
        digest, size = entry.get("digest"), entry.get("size")
        if isinstance(digest, str) and isinstance(size, int) and size >= 0:
            return digest, size
    raise damaged(where, "its manifest does not say what belongs to it")


def _texts(value: object) -> dict[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _status(content: Mapping[str, bytes], where: str) -> Status:
    """dpkg's status; distroless images keep a file for each package, in ``status.d``."""
    found = dict[tuple[str, str], Any]()
    for path in sorted(content):
        if path == STATUS:
            text = content[path].decode("utf-8", "replace")
            found.update(parse_status(text, where=f"{where}: {path}"))
        elif path.startswith(f"{STATUS}.d/"):
            text = content[path].decode("utf-8", "replace").strip()
            if "\nStatus:" not in f"\n{text}":
                text = f"Status: install ok installed\n{text}"
            found.update(parse_status(text, where=f"{where}: {path}"))
    return found


def _python(content: Mapping[str, bytes], env: object) -> Observed:
    """The image's environment: ``VIRTUAL_ENV``, else all that is not the distribution's own."""
    variables = dict(
        text.split("=", 1)
        for text in (env if isinstance(env, list) else [])
        if isinstance(text, str) and "=" in text
    )
    packages = dict[str, dict[str, bytes]]()
    for path, data in content.items():
        head, _, last = path.rpartition("/")
        info = path if last.endswith(".egg-info") else head
        if info.endswith((".dist-info", ".egg-info")):
            packages.setdefault(info, {})[last] = data
    folders = {
        info.rpartition("/")[0]
        for info in packages
        if info.rpartition("/")[0].endswith(("/site-packages", "/dist-packages"))
        and not info.startswith(_OWN)
    }
    prefix = variables.get("VIRTUAL_ENV", "").strip("/")
    chosen = {folder for folder in folders if prefix and folder.startswith(f"{prefix}/")}
    chosen = chosen or folders
    first = min(chosen, default="")
    prefix = first.rsplit("/", 3)[0] if first.count("/") >= 3 else prefix
    series = first.split("/")[-2].removeprefix("python") if first else ""
    found = [
        _distribution(Path("/", info), files)
        for info, files in sorted(packages.items())
        if info.rpartition("/")[0] in chosen
    ]
    return Observed(
        prefix=Path("/", prefix),
        version=_version(content.get(f"{prefix}/pyvenv.cfg", b"")) or series,
        implementation="cpython",
        distributions=tuple(sorted(found, key=lambda d: (d.name, str(d.path)))),
    )


def _distribution(path: Path, files: Mapping[str, bytes]) -> Distribution:
    name = "METADATA" if path.suffix == ".dist-info" else "PKG-INFO"
    head = files.get(name, files.get(path.name))
    return described(path, name, head, path.suffix, direct_url=files.get("direct_url.json"))


def _version(pyvenv: bytes) -> str:
    """The full version that ``pyvenv.cfg`` states (venv: ``version``, uv: ``version_info``)."""
    for line in pyvenv.decode("utf-8", "replace").splitlines():
        key, equals, value = line.partition("=")
        if equals and key.strip() in ("version", "version_info"):
            return ".".join(value.strip().split(".")[:3])
    return ""
