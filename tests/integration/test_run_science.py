"""Libraries that read and write tables, arrays and images: traced, and their files judged."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from support import real_index
from support.index import LoopbackIndex
from support.project import Project
from support.runs import Folder
from support.tools import UV, run

from envlock.runs.judge.files import judge_files
from envlock.runs.judge.findings import Tolerance, Verdict

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("science")]
PACKAGES = ("numpy", "pyarrow", "polars", "duckdb", "h5py", "pillow")


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Python with all of them."""
    folder = tmp_path_factory.mktemp("science") / "environment"
    run([UV, "venv", "--quiet", "--python", "3.11", folder])
    found = str(folder / "bin" / "python")
    index = {"UV_DEFAULT_INDEX": real_index.default_index()}
    run([UV, "pip", "install", "--quiet", "--python", found, *PACKAGES], env=index, timeout=300)
    return found


TABLES = """
import duckdb, polars, pyarrow.parquet
table = polars.read_csv("in.csv")
table.with_columns(y=polars.col("x") * 2).write_parquet("polars.parquet")
again = pyarrow.parquet.read_table("polars.parquet")
pyarrow.parquet.write_table(again, "made/arrow.parquet")
duckdb.sql("select sum(y) as s from 'made/*.parquet'").write_csv("sum.csv")
duckdb.connect("made/data.duckdb").execute("create table t as select * from read_csv('other.csv')")
"""


def test_what_tables_are_made_of(python: str, tmp_path: Path) -> None:
    """Libraries with threads and readers of their own (Rust, C++), memory-mapped files."""
    folder = Folder(tmp_path / "work")
    (folder.root / ".envlock").mkdir(parents=True)
    (folder.root / "made").mkdir()
    for name in ("in.csv", "other.csv", "unused.csv"):
        (folder.root / name).write_text("x\n1\n2\n")
    (folder.root / "job.py").write_text(TABLES)
    done = folder.run(python, "job.py")
    assert done.returncode == 0, done.stderr
    record = folder.last()
    assert record["trace"]["complete"], record["trace"]["gaps"]
    assert {fact["path"] for fact in record["inputs"]} == {"in.csv", "other.csv", "job.py"}
    outputs = {fact["path"]: fact["sha256"] for fact in record["outputs"]}
    names = {"polars.parquet", "made/arrow.parquet", "sum.csv", "made/data.duckdb"}
    assert set(outputs) == names
    for name, sha256 in outputs.items():
        assert run(["sha256sum", folder.root / name]).stdout.split()[0] == sha256
    used = {line.split()[0] for line in record["trace"]["distributions"]}
    assert {"polars", "pyarrow", "duckdb"} <= used
    assert used.isdisjoint({"h5py", "pillow"})
    again = folder.envlock("runs", "repeat", "last")
    assert again.returncode == 1, "a database has its own identity"
    said = again.stdout.decode()
    assert "identical  made/arrow.parquet" in said
    assert "different  made/data.duckdb" in said


MAKE = """
import sys, h5py, numpy, pyarrow, pyarrow.parquet
from PIL import Image, PngImagePlugin
def make(folder, x, level, **how):
    names = {"x": x, "n": numpy.arange(len(x)), "s": [str(n) for n in range(len(x))]}
    numpy.save(f"{folder}/a.npy", x)
    numpy.savez_compressed(f"{folder}/a.npz", first=numpy.arange(3), x=x.astype("f4"))
    pyarrow.parquet.write_table(pyarrow.table(names), f"{folder}/a.parquet", **how)
    with h5py.File(f"{folder}/a.h5", "w") as file:
        file.create_dataset("g/x", data=x, compression=4 if how else None)
        file["g"].attrs["level"] = level
    pixels = numpy.zeros((4, 5, 3), "u1")
    pixels[2, 1] = level
    info = PngImagePlugin.PngInfo()
    info.add_text("Software", str(sorted(how)))
    Image.fromarray(pixels).save(f"{folder}/a.png", pnginfo=info)
base = numpy.array([1.0, numpy.nan, numpy.inf, -3.5, 1e-300])
far = base.copy()
far[3] = -3.6
make(sys.argv[1], base, 7)
make(sys.argv[2], base * (1 + 1e-12), 7, compression="gzip")
make(sys.argv[3], far, 9)
"""


def test_arrays_tables_and_images_are_judged_by_what_they_say(python: str, tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("base", "close", "far")]
    for folder in folders:
        folder.mkdir()
    subprocess.run([python, "-c", MAKE, *folders], check=True)
    base, close, far = folders
    tolerance = Tolerance(relative=1e-7, absolute=0.0)
    places = {
        "a.npy": "array[3]: -3.5 → -3.6",
        "a.npz": "x[3]: -3.5 → -3.6",
        "a.parquet": "column x, row [3]: -3.5 → -3.6",
        "a.h5": "g: attribute level: 7 → 9",
        "a.png": "pixel (1, 2): (7, 7, 7) → (9, 9, 9), 1 in all",
    }
    for name, place in places.items():
        same = judge_files(base / name, base / name, tolerance, name=name, pythons=(python,))
        assert same.verdict is Verdict.IDENTICAL
        near = judge_files(base / name, close / name, tolerance, name=name, pythons=(python,))
        assert (near.verdict, near.where) == (
            Verdict.IDENTICAL if near.how == "bytes" else Verdict.CLOSE,
            None,
        ), name
        assert (near.relative or 0) < 1e-11
        other = judge_files(base / name, far / name, tolerance, name=name, pythons=(python,))
        assert (other.verdict, other.where) == (Verdict.DIFFERENT, place)
        strict = Tolerance(relative=0.0, absolute=0.0)
        if near.absolute:
            found = judge_files(base / name, close / name, strict, name=name, pythons=(python,))
            assert found.verdict is Verdict.DIFFERENT
    pair = base / "a.npy", far / "a.npy"
    found = judge_files(*pair, tolerance, name="a.npy", pythons=("/usr/bin/python3", python))
    assert found.how == "npy", "the first one that has the library answers"
    (tmp_path / "bad.npy").write_bytes(b"\x93NUMPY\x01\x00v\x00{'descr': '|O', ")
    bad = tmp_path / "bad.npy"
    found = judge_files(base / "a.npy", bad, tolerance, name="a.npy", pythons=(python,))
    assert "not to be read as npy" in (found.where or "")


MODEL = """
import numpy
n = 3_000_017
x = numpy.sin(numpy.arange(n))
y = numpy.cos(numpy.arange(n) * 0.7)
numpy.save("model.npy", numpy.array([x @ y, x @ x, numpy.linalg.norm(x)]))
"""


def test_a_model_is_made_again_bit_for_bit_but_for_the_threads(tmp_path: Path) -> None:
    """Sums of real OpenBLAS hang on the number of threads: that is told, and can be pinned."""
    with LoopbackIndex("json") as unused:
        project = Project(tmp_path / "project", unused)
    project.root.mkdir()
    index = {"UV_DEFAULT_INDEX": real_index.default_index()}
    project.write("numpy==2.2.6", settings={"python": "3.11"})
    for command in (("lock", "--as-of", "2025-06-01"), ("sync",)):
        done = project.run(*command, **index)
        assert done.returncode == 0, done.stderr
    (project.root / "train.py").write_text(MODEL)
    two, one = ({"OPENBLAS_NUM_THREADS": n, **index} for n in "21")
    folder = Folder(project.root)
    assert folder.run(".venv/bin/python", "train.py", variables=two).returncode == 0
    first = folder.last()["id"]
    shutil.rmtree(project.root / ".venv")

    def repeat(*options: str, variables: dict[str, str]) -> dict[str, Any]:
        argv = ("runs", "repeat", first, *options, "--json")
        found = json.loads(folder.envlock(*argv, variables=variables).stdout)
        assert isinstance(found, dict)
        return found

    same = repeat("--rtol", "0", variables=two)
    assert (same["verdict"], same["host"]) == ("identical", [])
    assert len(os.sched_getaffinity(0)) > 1, "threads need a second processor"
    threads = {"subject": "BLAS threads", "before": "2", "after": "1"}
    close = repeat(variables=one)
    assert close["verdict"] == "close"
    [model] = [entry for entry in close["judged"] if entry["name"] == "model.npy"]
    assert (model["how"], 0 < model["relative"] < 1e-9) == ("npy", True)
    assert close["host"][0] == threads
    other = repeat("--rtol", "0", variables=one)
    assert (other["verdict"], other["host"][0], other["causes"]) == ("different", threads, [])
    [model] = [entry for entry in other["judged"] if entry["name"] == "model.npy"]
    assert model["where"].startswith("array[")
    pinned = repeat("--rtol", "0", "--pin-host", variables=one)
    assert (pinned["verdict"], pinned["host"]) == ("identical", [])
