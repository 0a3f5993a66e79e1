"""Images: ``envlock build image`` against mmdebstrap and buildah on the same packages.

One project, locked now from this machine's own archive and index, all its files in the store. The
peer installs the same .debs with mmdebstrap from a folder, unpacks the same wheels with uv, and has
buildah make an OCI layout of both. Layers are made anew in each run, but for the unchanged one.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from benchmarks.measure import BIN, Contender, caches, envlock, peak_of, run_once, with_peak
from benchmarks.report import Row

if TYPE_CHECKING:
    from benchmarks.bench import Bench

_PROJECT = """
[project]
name = "bench"
version = "1"
requires-python = "==3.11.*"
dependencies = ["pandas<3"]  # and numpy, python-dateutil, pytz, six, tzdata

[tool.envlock]
python = "3.11"
targets = ["linux/amd64"]

[tool.envlock.os]
base = "debian:bookworm"
packages = ["usr-is-merged", "libstdc++6"]
"""
_PEER = """
set -e
rm -rf root.tar site peer storage
mmdebstrap --quiet --mode=root --variant=essential --include="$1" "" root.tar \
    "deb [trusted=yes] copy:$PWD/archive ./" 2>mmdebstrap.log
"$2" pip install --quiet --offline --no-deps --target site --python-version 3.11 \
    --python-platform x86_64-unknown-linux-gnu wheels/*.whl
export STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot
buildah="buildah --root $PWD/storage --runroot $PWD/storage/run"
container=$($buildah from scratch)
$buildah add --quiet "$container" root.tar / >/dev/null
$buildah copy --quiet "$container" site /opt/site >/dev/null
$buildah commit --quiet --disable-compression "$container" oci:peer:latest >/dev/null
$buildah rm "$container" >/dev/null
"""


def images(bench: Bench) -> Iterator[Row]:
    """Time of the first and of an unchanged build, against the peer, and memory."""
    folder = Path(tempfile.mkdtemp(dir=bench.scratch, prefix="image-"))
    environment = caches(folder / "caches")
    (folder / "pyproject.toml").write_text(_PROJECT)
    bench.say("images: locking and fetching")
    for command in ("lock", "fetch"):
        run_once(envlock(folder, command), environment)
    names = _lay_out(folder, environment)
    cache = Path(environment["ENVLOCK_CACHE_DIR"])

    def forget() -> None:
        for layers in cache.glob("layers-*"):
            shutil.rmtree(layers)
        shutil.rmtree(folder / "image", ignore_errors=True)

    build = ("build", "image", "--no-project", "--output", "image")
    first = envlock(folder, *build)
    peer = Contender(
        name="mmdebstrap + buildah",
        argv=("sh", "-c", _PEER, "sh", ",".join(names), str(BIN / "uv")),
        folder=folder,
    )
    bench.say("images: against mmdebstrap and buildah")
    ours, theirs = [], []
    for _ in range(bench.repeat):
        ours.append(run_once(replace(first, before=forget), environment))
        theirs.append(run_once(peer, environment))
    work = f"build image, {len(names)} .debs and 6 wheels"
    yield Row(work=work, ours=median(ours), peer=peer.name, theirs=median(theirs), limit=0.5)
    # 2 s for 50 packages; these are more.
    yield Row(work=work, ours=median(ours), limit=2.0 * max(1.0, len(names) / 50))
    packed = envlock(folder, *build, "--compression", "zstd")
    packed = replace(packed, before=forget)
    times = [run_once(packed, environment) for _ in range(bench.repeat)]
    yield Row(work=f"{work}, zstd", ours=median(times), limit=2.0 * max(1.0, len(names) / 50))
    again = replace(packed, before=lambda: None)
    times = [run_once(again, environment) for _ in range(2 * bench.repeat)]
    yield Row(work="build image, nothing changed", ours=median(times), limit=0.5)
    forget()
    measured = with_peak(envlock(folder, *build))
    run_once(measured, environment)
    yield Row(work="build image: peak memory", ours=peak_of(measured), limit=300, unit="MB")


def _lay_out(folder: Path, environment: dict[str, str]) -> list[str]:
    """The peer's archive and wheels: the same files; gives the names of the packages."""
    said = subprocess.run(
        [str(BIN / "envlock"), "--quiet", "fetch", "--json"],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    files: list[dict[str, Any]] = json.loads(said)["files"]
    for name in ("archive", "wheels"):
        (folder / name).mkdir()
    for file in files:
        kind = "archive" if file["layer"] == "os" else "wheels"
        shutil.copyfile(file["path"], folder / kind / file["file"].replace("%3a", "_"))
    command = "dpkg-scanpackages --multiversion . >Packages 2>/dev/null"
    subprocess.run(["sh", "-c", command], cwd=folder / "archive", check=True)
    return sorted(file["name"] for file in files if file["layer"] == "os")
