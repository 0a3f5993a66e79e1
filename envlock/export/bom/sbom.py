"""Both bills of materials, in one folder."""

from __future__ import annotations

from envlock.export.bom.cyclonedx import FILE as CYCLONEDX
from envlock.export.bom.cyclonedx import cyclonedx
from envlock.export.bom.inventory import inventory
from envlock.export.bom.spdx import FILE as SPDX
from envlock.export.bom.spdx import spdx
from envlock.export.exporter import FileTree
from envlock.lock.model import Lock
from envlock.lock.target import Target


class SbomExporter:
    """``envlock.exporters: sbom``."""

    name = "sbom"

    def export(self, lock: Lock, target: Target | None = None) -> FileTree:
        """See ``Exporter.export``."""
        content = inventory(lock, target)
        return {CYCLONEDX: cyclonedx(content), SPDX: spdx(content)}
