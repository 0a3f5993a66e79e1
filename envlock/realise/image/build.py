"""An image of a lock: its layers, from the cache of layers or made, and its documents."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from envlock.io.progress import Reporter
from envlock.io.store import stored
from envlock.lock.artifacts import UsedFiles
from envlock.realise.fetch import missing
from envlock.realise.image.kept import Key, keep_layer, kept_layer
from envlock.realise.image.layer import Layer
from envlock.realise.image.oci import Image, Runtime, make_image
from envlock.realise.image.parts import PREFIX, Parts
from envlock.realise.image.project import FOLDER, ProjectFile
from envlock.realise.image.system import System, Unpacked
from envlock.realise.image.user import APP, HOME

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """How to build.

    Args:
        compression: of layers, a key of ``layer.MEDIA_TYPES``.
        user: of containers: ``app``, ``root``, or numbers (``1000:1000``).
        project: the project's own files; None where they do not go in.
        scripts: run the packages' maintainer scripts, by mmdebstrap.
    """

    compression: str
    user: str
    project: tuple[ProjectFile, ...] | None = None
    scripts: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image, and the digests of those of its layers that were there before."""

    image: Image
    cached: frozenset[str]


class _Step(Protocol):
    """Some layers of an image."""

    cached: set[str]

    def needs(self) -> UsedFiles:
        """The files of the lock that have to be in the store before ``layers``."""

    def layers(self) -> list[Layer]:
        """Lowest first."""


@dataclass(slots=True)
class _Single:
    """One layer that is made from a few files."""

    key: Key
    files: UsedFiles
    make: Callable[[], Layer]
    cached: set[str]

    def needs(self) -> UsedFiles:
        """Its files, unless it is there."""
        return UsedFiles() if kept_layer(self.key) else self.files

    def layers(self) -> list[Layer]:
        """The layer."""
        layer = kept_layer(self.key)
        if layer is None:
            layer = self.make()
            keep_layer(self.key, layer)
        else:
            self.cached.add(layer.digest)
        return [layer]


def build(
    parts: Parts,
    wishes: Wishes,
    *,
    as_of: datetime,
    annotations: Mapping[str, str],
    fetch: Callable[[UsedFiles], None],
    reporter: Reporter,
) -> Built:
    """The image of one target. Layers that are kept need no file of the lock.

    Args:
        parts: what goes in.
        wishes: how.
        as_of: the lock's date, the image's.
        annotations: of the image.
        fetch: brings files into the store.
        reporter: told the phases.

    Raises:
        EnvlockError: see ``packages``, ``wheels``, ``project`` and ``realise.fetch``.
    """
    system = _system(parts, wishes, as_of, reporter)
    below = _python_steps(parts, wishes, reporter)
    above = _own_steps(parts, wishes, system)
    steps: list[_Step] = [system, *below, *above]
    absent = missing(_all_files([step.needs() for step in steps]))
    if absent != UsedFiles():
        fetch(absent)
    with ThreadPoolExecutor(2) as pool:
        # The system takes longest, then the wheels; neither needs the other.
        futures = [pool.submit(step.layers) for step in (system, *below)]
        layers = [layer for future in futures for layer in future.result()]
    layers += [layer for step in above for layer in step.layers()]
    return Built(
        image=make_image(
            parts.target.platform,
            layers,
            _runtime(parts, wishes),
            created=as_of.strftime("%Y-%m-%dT%H:%M:%SZ"),
            annotations=annotations,
        ),
        cached=frozenset(digest for step in steps for digest in step.cached),
    )


def _system(parts: Parts, wishes: Wishes, as_of: datetime, reporter: Reporter) -> System:
    if wishes.scripts:
        from envlock.realise.image.bootstrap import Bootstrapped

        return Bootstrapped(parts, wishes.compression, as_of, reporter)
    return Unpacked(parts, wishes.compression, reporter)


def _all_files(needs: Sequence[UsedFiles]) -> UsedFiles:
    return UsedFiles(
        interpreters=tuple(file for need in needs for file in need.interpreters),
        python=tuple(file for need in needs for file in need.python),
        os=tuple(file for need in needs for file in need.os),
    )


def _runtime(parts: Parts, wishes: Wishes) -> Runtime:
    if parts.python is None:
        return Runtime(user="", env=(f"PATH={_PATH}",), command=("/bin/bash",), directory="")
    users = {"root": "", APP: f"{APP}:{APP}"}
    directory = f"/{FOLDER}" if wishes.project is not None else ""
    return Runtime(
        user=users.get(wishes.user, wishes.user),
        env=("LANG=C.UTF-8", f"PATH=/{PREFIX}/bin:{_PATH}"),
        command=("python",),
        directory=directory or (HOME if wishes.user == APP else ""),
    )


def _python_steps(parts: Parts, wishes: Wishes, reporter: Reporter) -> list[_Step]:
    """The interpreter, where it is an archive, and the environment."""
    if parts.python is None:
        return []
    steps: list[_Step] = []
    compression, python, archive = wishes.compression, parts.python, parts.interpreter
    if archive is not None:

        def unpack_interpreter() -> Layer:
            from envlock.realise.image.interpreter import write_interpreter

            reporter.step(f"{archive}")
            return write_interpreter(archive, compression=compression)

        key = Key(kind="interpreter", content={"sha256": archive.sha256}, compression=compression)
        steps.append(_Single(key, parts.interpreter_files, unpack_interpreter, set()))

    def install_wheels() -> Layer:
        from envlock.realise.image.sources import make_wheel
        from envlock.realise.image.wheels import Interpreter, Wheel, write_layer

        count = len(parts.wheels) + len(parts.sources)
        reporter.step(f"installing {count} Python packages")
        wheels = [
            Wheel(
                name=entry.file.name,
                path=stored(entry.file.sha256),
                sha256=entry.file.sha256,
                url=entry.file.url if entry.package.archive is not None else None,
            )
            for entry in parts.wheels
        ]
        for source in parts.sources:
            reporter.step(f"building {source.build.package} {source.build.version}")
            made = make_wheel(source)
            url = source.file.url if source.package.archive is not None else None
            place = stored(made.sha256)
            wheels.append(Wheel(name=made.name, path=place, sha256=source.file.sha256, url=url))
        path, series, version = python
        return write_layer(
            wheels,
            Interpreter(path=path, series=series, version=version),
            title=f"{len(wheels)} Python packages",
            compression=compression,
        )

    content = {
        "python": list(python),
        "wheels": [
            [e.file.name, e.file.sha256, e.file.url if e.package.archive else None]
            for e in parts.wheels
        ],
        "sources": [[e.identity, e.file.url if e.package.archive else None] for e in parts.sources],
    }
    key = Key(kind="wheels", content=content, compression=compression)
    steps.append(_Single(key, parts.wheel_files, install_wheels, set()))
    return steps


def _own_steps(parts: Parts, wishes: Wishes, system: System) -> list[_Step]:
    """The user, and the project's files."""
    steps: list[_Step] = []
    if parts.python is None:
        return steps
    if wishes.user == APP:

        def make_user() -> Layer:
            from envlock.realise.image.user import write_user

            return write_user(*system.accounts(), compression=wishes.compression)

        key = Key(kind="user", content=system.identity, compression=wishes.compression)
        steps.append(_Single(key, UsedFiles(), make_user, set()))
    files = wishes.project
    if files is not None:
        from envlock.realise.image.project import installed_files, write_project

        made = installed_files(files, parts.folders, parts.python[1])

        def copy_project() -> Layer:
            return write_project(files, made, compression=wishes.compression)

        rows = [[file.name, file.kind, file.sha256] for file in files]
        texts = [[path, file.content.decode(), file.program] for path, file in made.items()]
        content = {"files": rows, "installed": texts}
        key = Key(kind="project", content=content, compression=wishes.compression)
        steps.append(_Single(key, UsedFiles(), copy_project, set()))
    return steps
