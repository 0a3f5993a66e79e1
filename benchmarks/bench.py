"""What all cases share."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sets import SETS

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where to work, how often to run, which sets."""

    scratch: Path
    repeat: int
    sizes: tuple[int, ...]
    say: Callable[[str], None]

    def project(self, size: int, name: str) -> Path:
        """A new folder with a pyproject.toml that asks for the set."""
        folder = Path(tempfile.mkdtemp(dir=self.scratch, prefix=f"{name}-"))
        wishes = "".join(f'  "{line}",\n' for line in SETS[size])
        (folder / "pyproject.toml").write_text(
            f'[project]\nname = "bench"\nversion = "1"\nrequires-python = "=={PYTHON}.*"\n'
            f'dependencies = [\n{wishes}]\n\n[tool.envlock]\npython = "{PYTHON}"\n'
        )
        return folder
