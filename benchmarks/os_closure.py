"""The closure of OS packages against apt's: ``python -m benchmarks.os_closure``.

apt fetches the machine's own index once. Then everybody works from local files: apt in private
roots whose sources are ``file:`` archives (unsigned ones, so that apt spends no time on
signatures), envlock from the same texts. Both begin with the essential packages installed. A run
of envlock is a whole process: the interpreter starts, opens its cache and prints names.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import Contender, Timing, race_cold, race_warm
from benchmarks.report import Row, markdown

_FOLDERS = ("etc/apt.conf.d", "etc/preferences.d", "lists/partial", "cache/archives/partial")
_CONFIGURATION = """\
Dir::State "{root}";
Dir::State::lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc "{root}/etc";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
"""
_STATUS_FIELDS = re.compile(
    # apt takes a version for another one when these differ.
    r"^(?:Essential|Important|Protected|Priority|Section|Installed-Size|Maintainer|Architecture"
    r"|Multi-Arch|Source|Version|Provides|Replaces|Depends|Pre-Depends|Recommends|Conflicts"
    r"|Breaks): .*$",
    re.M,
)
# What a command does, in a process of its own. (Not getrusage: that starts from the parent's size.)
_CLOSE = """
import json, sys
from pathlib import Path
from envlock.resolve.os.closure import close
from envlock.resolve.os.index import IndexPart, PackageIndex

parts = [
    IndexPart(suite=suite, component="main", architecture="amd64", sha256=digest, priority=500,
              packages=Path(file).read_bytes)
    for suite, digest, file in json.loads(Path(sys.argv[1]).read_text())
]
with PackageIndex(parts, architecture="amd64") as index:
    solution = close(index, sys.argv[2:])
print(" ".join(chosen.package.name for chosen in solution.packages if not chosen.base))
peak = [line for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line]
print(peak[0].split()[1], file=sys.stderr)
"""
# Some 200 packages on top of the base, and a thousand.
USUAL = ("ffmpeg",)
MANY = ("gdal-bin", "libopencv-dev", "octave", "openjdk-17-jdk", "postgresql", "r-base", "texlive")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where both work: apt's configuration, and the manifest that names the texts to envlock."""

    apt: Path
    manifest: Path


def main() -> int:
    """Measure and print the table. Exit code 1 when a target is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.os_closure", description=__doc__)
    parser.add_argument("--repeat", type=int, default=5, metavar="N", help="runs of each contender")
    options = parser.parse_args()
    scratch = Path(tempfile.mkdtemp(prefix="envlock-bench-os-"))
    try:
        ground = _prepare(scratch)
        rows = _measure(ground, scratch, options.repeat)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(markdown(rows, repeat=options.repeat))
    return 0 if all(row.passed for row in rows) else 1


def _prepare(scratch: Path) -> Ground:
    fetched = _apt_root(scratch / "fetched")
    for path in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
        if path.suffix in (".list", ".sources") and path.exists():
            shutil.copy(path, fetched.parent / "etc/sources.list.d" / path.name)
    _apt(fetched, "apt-get", "update", "-q")
    form = "$(CODENAME)|$(COMPONENT)|$(FILENAME)"
    listed = _apt(fetched, "apt-get", "indextargets", "--format", form, "Created-By: Packages")
    local = _apt_root(scratch / "local")
    manifest, sources = [], []
    for number, line in enumerate(listed.splitlines()):
        suite, component, name = line.split("|")
        if component == "main":
            folder = scratch / "local" / f"archive{number}"
            folder.mkdir()
            text = Path(name).read_bytes()
            (folder / "Packages").write_bytes(text)
            digest = hashlib.sha256(text).hexdigest()
            manifest.append((suite, digest, str(folder / "Packages")))
            sources.append(f"deb [trusted=yes] file:{folder} ./\n")
    (local.parent / "etc/sources.list").write_text("".join(sources))
    (scratch / "manifest.json").write_text(json.dumps(manifest))
    _apt(local, "apt-get", "update", "-q")
    _install_essential(local, [Path(file) for _, _, file in manifest])
    _apt(local, "apt-cache", "gencaches")
    return Ground(apt=local, manifest=scratch / "manifest.json")


def _apt_root(root: Path) -> Path:
    for folder in (*_FOLDERS, "etc/sources.list.d", "etc/trusted.gpg.d"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "apt.conf").write_text(_CONFIGURATION.format(root=root))
    return root / "apt.conf"


def _apt(configuration: Path, *argv: str) -> str:
    done = subprocess.run(
        ["env", f"APT_CONFIG={configuration}", "LC_ALL=C.UTF-8", *argv],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{argv[0]} failed:\n{done.stderr}")
    return done.stdout


def _install_essential(configuration: Path, texts: list[Path]) -> None:
    paragraphs: dict[tuple[str, str], str] = {}
    essential = set()
    for path in texts:
        for text in path.read_text().split("\n\n"):
            name = re.search(r"^Package: (.*)$", text, re.M)
            version = re.search(r"^Version: (.*)$", text, re.M)
            if name and version:
                paragraphs.setdefault((name[1], version[1]), text)
                if "\nEssential: yes" in text:
                    essential.add(name[1])
    there = _apt(configuration, *_simulation(tuple(sorted(essential))))
    status = []
    for name_, version_ in re.findall(r"^Inst (\S+) \((\S+) ", there, re.M):
        fields = "\n".join(_STATUS_FIELDS.findall(paragraphs[name_, version_]))
        status.append(f"Package: {name_}\nStatus: install ok installed\n{fields}\nDescription: -\n")
    (configuration.parent / "status").write_text("\n".join(status))


def _measure(ground: Ground, scratch: Path, repeat: int) -> list[Row]:
    rows = []
    for packages in (USUAL, MANY):
        added = len(_answer(ground, packages))
        cached = race_warm(
            [_envlock(ground, packages), _simulate(ground, packages)],
            repeat=repeat,
            scratch=scratch,
        )
        rows.append(_row(f"{added} packages, index cached", cached, "apt-get -s install", 0.2))
        if packages == USUAL:
            rows.append(_absolute(f"{added} packages, index cached", cached["envlock"].median, 0.1))
            rows.append(_memory(ground, packages, added))
    first = race_cold(
        [_envlock(ground, USUAL), _update_and_simulate(ground, USUAL)],
        repeat=max(3, repeat // 2),
        scratch=scratch,
    )
    rows.append(_row("first time, index in hand", first, "apt-get update + -s install", 0.5))
    rows.append(_absolute("first time, index in hand", first["envlock"].median, 1.0))
    return rows


def _answer(ground: Ground, packages: tuple[str, ...]) -> list[str]:
    done = _run_envlock(ground, packages)
    ours = sorted(done.stdout.split())
    simulated = _apt(ground.apt, *_simulation(packages))
    theirs = sorted(re.findall(r"^Inst (\S+)", simulated, re.M))
    if ours != theirs:
        raise SystemExit(f"the answers differ: {sorted(set(ours) ^ set(theirs))}")
    return ours


def _run_envlock(ground: Ground, packages: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"ENVLOCK_CACHE_DIR": str(ground.manifest.parent / "cache")}
    argv = _envlock(ground, packages).argv
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=True)


def _memory(ground: Ground, packages: tuple[str, ...], added: int) -> Row:
    done = _run_envlock(ground, packages)
    peak = int(done.stderr.split()[0]) / 1024
    return Row(work=f"{added} packages, index cached: peak", ours=peak, limit=60, unit="MB")


def _row(work: str, timing: dict[str, Timing], peer: str, limit: float) -> Row:
    ours, theirs = timing["envlock"].median, timing["apt"].median
    return Row(work=work, ours=ours, peer=peer, theirs=theirs, limit=limit)


def _absolute(work: str, seconds: float, limit: float) -> Row:
    return Row(work=f"{work}: whole process", ours=seconds, limit=limit)


def _envlock(ground: Ground, packages: tuple[str, ...]) -> Contender:
    argv = (sys.executable, "-c", _CLOSE, str(ground.manifest))
    return Contender(name="envlock", argv=(*argv, *packages), folder=Path.cwd())


def _simulation(packages: tuple[str, ...]) -> tuple[str, ...]:
    return ("apt-get", "-s", "-q", "--no-install-recommends", "install", *packages)


def _simulate(ground: Ground, packages: tuple[str, ...]) -> Contender:
    argv = ("env", f"APT_CONFIG={ground.apt}", *_simulation(packages))
    return Contender(name="apt", argv=argv, folder=ground.apt.parent)


def _update_and_simulate(ground: Ground, packages: tuple[str, ...]) -> Contender:
    def forget() -> None:
        for folder in ("lists", "cache"):
            shutil.rmtree(ground.apt.parent / folder)
        for folder in _FOLDERS[2:]:
            (ground.apt.parent / folder).mkdir(parents=True)

    script = f"apt-get update -q && {shlex.join(_simulation(packages))}"
    argv = ("env", f"APT_CONFIG={ground.apt}", "sh", "-c", script)
    return Contender(name="apt", argv=argv, folder=ground.apt.parent, before=forget)


if __name__ == "__main__":
    sys.exit(main())
