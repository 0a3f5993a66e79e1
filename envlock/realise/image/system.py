"""The layers of an image's operating system: the base, and what the project adds to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from envlock.io.progress import Reporter
from envlock.lock.artifacts import UsedFiles
from envlock.lock.os import OsPackage
from envlock.realise.image.kept import Key, keep_layer, keep_state, kept_layer, kept_state
from envlock.realise.image.layer import Layer
from envlock.realise.image.parts import Parts


class System(Protocol):
    """A way to make them. ``identity`` decides what they hold, as JSON has it."""

    cached: set[str]

    @property
    def identity(self) -> Mapping[str, object]:
        """What decides the layers' content."""

    def needs(self) -> UsedFiles:
        """The packages that have to be in the store before ``layers``."""

    def layers(self) -> list[Layer]:
        """Lowest first."""

    def accounts(self) -> tuple[bytes, bytes]:
        """``/etc/passwd`` and ``/etc/group`` of what ``layers`` gave."""


class Unpacked:
    """Packages unpacked, what their scripts would do done by envlock; see ``packages``."""

    def __init__(self, parts: Parts, compression: str, reporter: Reporter) -> None:
        self._base = parts.base
        self._architecture = parts.target.platform.partition("/")[2]
        self._groups: list[tuple[str, tuple[OsPackage, ...]]] = [
            (f"{parts.base} base system, {len(parts.base_packages)} packages", parts.base_packages)
        ]
        if parts.packages:
            title = f"{len(parts.packages)} packages of {parts.base}"
            self._groups.append((title, parts.packages))
        self._compression = compression
        self._reporter = reporter
        self.cached: set[str] = set()

    @property
    def identity(self) -> Mapping[str, object]:
        """The packages, in their layers."""
        return self._key(len(self._groups)).content

    def _key(self, count: int) -> Key:
        """Of the layer that is on the first ``count - 1`` ones."""
        groups = [
            [[p.name, p.sha256, p.requested] for p in packages]
            for _title, packages in self._groups[:count]
        ]
        return Key(
            kind="unpacked",
            content={"architecture": self._architecture, "base": self._base, "groups": groups},
            compression=self._compression,
        )

    def _kept(self) -> list[Layer]:
        """The lowest layers, as far as they are there with what was learnt in making them."""
        found: list[Layer] = []
        for count in range(1, len(self._groups) + 1):
            layer = kept_layer(self._key(count))
            if layer is None or kept_state(self._key(count)) is None:
                break
            found.append(layer)
        return found

    def needs(self) -> UsedFiles:
        """All packages, unless all layers are there: a layer is made knowing those below it."""
        if len(self._kept()) == len(self._groups):
            return UsedFiles()
        return UsedFiles(os=tuple(p for _title, packages in self._groups for p in packages))

    def layers(self) -> list[Layer]:
        """The layers; those that are kept are not made again."""
        layers = self._kept()
        self.cached |= {layer.digest for layer in layers}
        if len(layers) == len(self._groups):
            return layers
        from envlock.realise.image.packages import Root, write_layer

        below: Sequence[OsPackage] = ()
        for _title, packages in self._groups[: len(layers)]:
            below = (*below, *packages)
        state = kept_state(self._key(len(layers))) if layers else None
        own = (self._base, self._architecture)
        root = (
            Root(base=own[0], architecture=own[1])
            if state is None
            else Root.restore(*own, below, state)
        )
        for count in range(len(layers) + 1, len(self._groups) + 1):
            title, packages = self._groups[count - 1]
            self._reporter.step(f"unpacking {len(packages)} packages")
            layer = write_layer(root, packages, title=title, compression=self._compression)
            keep_state(self._key(count), root.state())
            keep_layer(self._key(count), layer)
            layers.append(layer)
        return layers

    def accounts(self) -> tuple[bytes, bytes]:
        """base-passwd's own: no package that is unpacked may add any."""
        state: dict[str, Any] = kept_state(self._key(1)) or {"contents": {}}
        names = ("passwd", "group")
        found = [
            state["contents"].get(f"usr/share/base-passwd/{name}.master", "") for name in names
        ]
        return found[0].encode("latin-1"), found[1].encode("latin-1")
