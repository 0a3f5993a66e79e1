"""Made by envlock. Builds the locked packages that have no wheel, and installs them:

    python build.py PIP ENVIRONMENT

PIP is a virtual environment with pip, ENVIRONMENT the one to install into. Each package is built
from its locked source by its own backend (PEP 517), in an environment of exactly its locked build
requirements and in a folder that is the same in every build. It needs nothing but Python 3.8.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NoReturn

HERE = Path(__file__).resolve().parent
LOCAL = Path("/srv")
WORK = Path("/tmp/envlock-build")  # noqa: S108 - of the image
SHOWN = 30


def main(pip: Path, environment: Path) -> None:
    """Build all that is listed for this machine, one after the other, and install the wheels."""
    wanted = json.loads((HERE / f"builds-{platform.machine()}.json").read_text("utf-8"))
    if not wanted["built"]:
        return
    shutil.rmtree(WORK, ignore_errors=True)
    wheels = WORK / "wheels"
    for folder in (wheels, WORK / "pip", WORK / "sdists"):
        folder.mkdir(parents=True)
    # pip alone: what is beside it must not stand in for what is locked.
    [package] = pip.glob("lib/python*/site-packages/pip")
    (WORK / "pip" / "pip").symlink_to(package)
    for build in wanted["built"]:
        sys.stdout.write(f"building {build['name']} {build['version']}\n")
        sys.stdout.flush()
        python = requirements(pip, build["graph"], wanted["graphs"][build["graph"]])
        backend(python, {**build, "sdist": str(source(python, build))}, wheels)
    names = ["==".join(wheel.name.split("-")[:2]) for wheel in sorted(wheels.glob("*.whl"))]
    options = ["--no-index", "--find-links", str(wheels), "--no-deps", "--ignore-installed"]
    options += ["--no-compile", "--no-warn-script-location", "--only-binary", ":all:"]
    run_pip(environment / "bin" / "python", "install", *options, *names)


def run_pip(python: Path, command: str, *arguments: str) -> None:
    """Run pip in an interpreter that does not have it."""
    said = subprocess.run(
        [str(python), "-m", "pip", "--disable-pip-version-check", command, "--quiet", *arguments],
        env={**os.environ, "PYTHONPATH": str(WORK / "pip")},
        check=False,
    )
    if said.returncode != 0:
        fail(f"pip {command} failed, see above")


def requirements(pip: Path, graph: str, lines: list[str]) -> Path:
    """An environment with locked build requirements; its Python. Equal ones are made once."""
    place = WORK / "environments" / graph
    python = place / "bin" / "python"
    if not place.exists():
        base = [str(pip / "bin" / "python"), "-m", "venv", "--without-pip", str(place)]
        subprocess.run(base, check=True)
        if lines:
            listed = WORK / f"{graph}.txt"
            listed.write_text("".join(f"{line}\n" for line in lines), "utf-8")
            options = ["--require-hashes", "--no-deps", "--only-binary", ":all:", "--no-compile"]
            run_pip(python, "install", *options, *links(), "-r", str(listed))
    return python


def links() -> list[str]:
    """pip's options for the lock's local files."""
    text = (HERE / f"requirements-{platform.machine()}.txt").read_text("utf-8")
    return [line.replace(" ", "=", 1) for line in text.splitlines() if line.startswith("--find-l")]


def source(python: Path, build: dict[str, Any]) -> Path:
    """The file with the package's source, which has the locked digest."""
    if build["path"]:
        found = Path(LOCAL, build["path"])
    else:
        folder = WORK / "sdists" / build["name"]
        listed = WORK / f"{build['name']}.sdist.txt"
        listed.write_text(f"{build['requirement']}\n", "utf-8")
        # pip asks the backend for metadata on the way, which changes nothing in the file.
        options = ["--no-deps", "--no-build-isolation", "--use-pep517", "--require-hashes"]
        options += ["--no-binary", ":all:", "--dest", str(folder)]
        run_pip(python, "download", *options, "-r", str(listed))
        [found] = folder.iterdir()
    digest = hashlib.sha256(found.read_bytes()).hexdigest()
    if digest != build["sha256"]:
        fail(f"{found.name}: its SHA-256 is {digest}, the lock says {build['sha256']}")
    return found


def backend(python: Path, build: dict[str, Any], wheels: Path) -> None:
    """Run the package's build backend in its environment; what it says is shown if it fails."""
    place = WORK / "sources" / build["name"]
    place.mkdir(parents=True)
    specification, log = place / "build.json", place / "log"
    specification.write_text(json.dumps(build), "utf-8")
    with log.open("wb") as output:
        said = subprocess.run(
            [
                str(python),
                "-B",
                str(HERE / "build_wheel.py"),
                str(specification),
                str(place / "out"),
            ],
            cwd=place,
            env={
                "LC_ALL": "C.UTF-8",
                "PATH": os.environ["PATH"],
                "PYTHONHASHSEED": "0",
                "TZ": "UTC",
            },
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    made = list((place / "out").glob("*.whl"))
    if said.returncode == 0 and len(made) == 1:
        made[0].rename(wheels / made[0].name)
        return
    lines = log.read_text("utf-8", "replace").splitlines()
    sys.stderr.write("".join(f"{line}\n" for line in lines[-SHOWN:]))
    programs = " ".join(build["programs"])
    fail(
        f"{build['name']} {build['version']} was not built by {build['backend']}, see above"
        + (
            f"; it is known to need {programs}: add to build-packages in [tool.envlock.os]"
            * bool(programs)
        )
    )


def fail(text: str) -> NoReturn:
    """End the build of the image."""
    sys.stderr.write(f"error: {text}\n")
    sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
