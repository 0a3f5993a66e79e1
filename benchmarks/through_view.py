"""Runs ``uv pip compile`` or ``pip-compile`` against a dated view that lives as long as the run.

    python -m benchmarks.through_view {uv,pip-compile} FOLDER OUTPUT

A process of its own, so that starting the view is part of the measured time.
"""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import datetime
from pathlib import Path

from benchmarks.sets import AS_OF
from envlock.io.http.client import Http
from envlock.io.machine import machine_platform
from envlock.io.progress import SilentReporter
from envlock.lock.request import Request
from envlock.lock.target import Target
from envlock.resolve.python.config.find import discover_sources
from envlock.resolve.python.index.view import DatedView

BIN = Path(sys.executable).parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"


def main(tool: str, folder: Path, output: Path) -> int:
    """Resolve ``folder``'s pyproject.toml into ``output``; the tool's exit code."""
    request = Request(targets=(Target(platform=machine_platform(), python=PYTHON),))
    sources = discover_sources(request, folder, dated=True, reporter=SilentReporter())
    as_of = datetime.fromisoformat(AS_OF)
    with Http(certificate=sources.certificate) as http, DatedView(sources, as_of, http) as view:
        url = view.sources.indexes[-1].url
        # pip reads find-links and more from its configuration; the view is all that counts here.
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")}
        for variable in ("PIP_CACHE_DIR", "PIP_TOOLS_CACHE_DIR"):
            if variable in os.environ:
                environment[variable] = os.environ[variable]
        environment["PIP_CONFIG_FILE"] = os.devnull
        done = subprocess.run(
            _argv(tool, url, folder / "pyproject.toml", output),
            cwd=folder,
            env=environment,
            check=False,
        )
    return done.returncode


def _argv(tool: str, url: str, project: Path, output: Path) -> list[str]:
    if tool == "uv":
        uv = [str(BIN / "uv"), "pip", "compile", "--quiet", "--python", sys.executable]
        return [*uv, "--default-index", url, "--output-file", str(output), str(project)]
    pip_compile = [str(BIN / "pip-compile"), "--quiet", "--no-config", "--no-emit-index-url"]
    pip_compile += ["--strip-extras", "--index-url", url]
    return [*pip_compile, "--output-file", str(output), str(project)]


if __name__ == "__main__":
    # As `envlock lock` ends: without taking apart what it has read.
    os._exit(main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])))
