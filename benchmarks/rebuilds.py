"""``envlock rebuild``: with everything at hand against uv, and from source against ``build``.

Every environment is a folder that was not there before, and none is removed before the end: ext4
looks for a free inode among all that were just freed, which takes longer than the whole
installation. The work is that of uv with ``--link-mode copy``: envlock copies, since an edit of a
linked file would come into the next environment. uv's own default, links, is told beside it.
"""

from __future__ import annotations

import shutil
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from benchmarks.measure import BIN, Contender, caches, envlock, peak_of, run_once, with_peak
from benchmarks.report import Row
from benchmarks.sets import AS_OF, PURE

if TYPE_CHECKING:
    from benchmarks.bench import Bench

EXAMPLE = Path(__file__).parents[1] / "examples" / "data-science"
_LIMIT = 1.2
_UV = "uv venv, uv pip sync"


def rebuilds(bench: Bench) -> Iterator[Row]:
    """A rebuild with warm caches, and its memory."""
    folder = Path(tempfile.mkdtemp(dir=bench.scratch, prefix="rebuild-"))
    environment = caches(folder.with_name(folder.name + "-caches"))
    shutil.copy(EXAMPLE / "pyproject.toml", folder)
    bench.say("rebuild: locking, and filling caches")
    run_once(envlock(folder, "lock"), environment)
    told = f"{(folder / 'pylock.toml').read_text().count('[[packages]]')} packages"
    times: dict[str, list[float]] = {}
    for turn in range(bench.repeat + 1):
        bench.say(f"rebuild against uv, turn {turn}")
        for one in (
            envlock(folder, "rebuild", "--into", f"ours-{turn}"),
            _uv(folder, f"copies-{turn}", f"{_UV}, copies", "--link-mode", "copy"),
            _uv(folder, f"links-{turn}", f"{_UV}, links"),
        ):
            seconds = run_once(one, environment)
            if turn:  # the first one fills the caches
                times.setdefault(one.name, []).append(seconds)
    ours = median(times.pop("envlock"))
    for peer, theirs in times.items():
        yield Row(
            work=f"rebuild, {told}, warm",
            ours=ours,
            peer=peer,
            theirs=median(theirs),
            limit=_LIMIT,
        )
    measured = with_peak(envlock(folder, "rebuild", "--into", "for-memory"))
    run_once(measured, environment)
    peak = peak_of(measured)
    yield Row(work=f"peak memory of rebuild, {told}", ours=peak, limit=150, unit="MB")


def from_source(bench: Bench) -> Iterator[Row]:
    """Wheels of pure sdists, on all cores, against one after another; once, since it is long."""
    folder = Path(tempfile.mkdtemp(dir=bench.scratch, prefix="source-"))
    environment = caches(folder.with_name(folder.name + "-caches"))
    wishes = ", ".join(f'"{name}"' for name in PURE)
    (folder / "pyproject.toml").write_text(
        '[project]\nname = "bench"\nversion = "1"\nrequires-python = "==3.11.*"\n'
        f'dependencies = [{wishes}]\n\n[tool.envlock]\npython = "3.11"\nsources = true\n'
    )
    bench.say("from source: locking, fetching, filling caches")
    run_once(envlock(folder, "lock", "--as-of", AS_OF), environment)
    run_once(envlock(folder, "bundle", "--sources", "--output", "files"), environment)
    trees = _unpacked(folder)
    for tree in _one_of_each(trees):
        run_once(_build(folder, (tree,)), environment)
    bench.say(f"from source: {len(trees)} sdists, envlock")
    # Both build with published backends.
    options = ("--from-source", "--build-with", "wheels", "--into", "env")
    ours = run_once(envlock(folder, "rebuild", *options), environment)
    bench.say(f"from source: {len(trees)} sdists, python -m build")
    theirs = run_once(_build(folder, trees), environment)
    yield Row(
        work=f"from source: {len(trees)} pure sdists, once",
        ours=ours,
        peer="python -m build",
        theirs=theirs,
        limit=0.6,
    )


def _unpacked(folder: Path) -> tuple[Path, ...]:
    """The source tree of each locked package."""
    found = []
    with (folder / "pylock.toml").open("rb") as file:
        packages = tomllib.load(file)["packages"]
    for package in packages:
        sdist = package["sdist"]
        name = sdist.get("name") or sdist["url"].rpartition("/")[2]
        archive = folder / "files" / "files" / sdist["hashes"]["sha256"] / name
        with tarfile.open(archive) as content:
            content.extractall(folder / "trees", filter="data")
        found.append(folder / "trees" / name.removesuffix(".tar.gz"))
    return tuple(found)


def _one_of_each(trees: tuple[Path, ...]) -> Iterator[Path]:
    """A tree for each set of build requirements, so that pip's cache has them."""
    seen = set()
    for tree in trees:
        table = tomllib.loads((tree / "pyproject.toml").read_text()) if _has(tree) else {}
        needs = str(table.get("build-system", {}).get("requires"))
        if needs not in seen:
            seen.add(needs)
            yield tree


def _has(tree: Path) -> bool:
    return (tree / "pyproject.toml").is_file()


def _build(folder: Path, trees: tuple[Path, ...]) -> Contender:
    script = 'for tree; do "$PYTHON" -m build --wheel --outdir wheels "$tree" || exit 1; done'
    argv = ("env", f"PYTHON={sys.executable}", "sh", "-c", script, "build", *map(str, trees))
    return Contender(name="python -m build", argv=argv, folder=folder)


def _uv(folder: Path, prefix: str, name: str, *options: str) -> Contender:
    uv = BIN / "uv"
    script = (
        f'"{uv}" venv --quiet --python 3.11 {prefix} && "{uv}" pip sync --quiet'
        f" --preview-features pylock pylock.toml --python {prefix}/bin/python {' '.join(options)}"
    )
    return Contender(name=name, argv=("sh", "-c", script), folder=folder)
