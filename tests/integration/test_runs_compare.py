"""``envlock runs compare`` on what real runs recorded."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from xml.etree import ElementTree

from support.runs import Folder

JOB = """
import json, sys
lr = float(sys.argv[2])
for step in range(3):
    print("ENVLOCK", json.dumps({"loss": lr * 10 / (step + 1)}))
"""


def test_a_sweep(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\nversion = "1"\n')
    (tmp_path / "job.py").write_text(JOB)
    for lr in ("0.1", "0.01"):
        options = ["--group", "sweep", "--param", "note=<b>|\x1b[1m"]
        folder.run("python3", "job.py", "--lr", lr, options=options, variables={"TZ": f"UTC+{lr}"})
    folder.run("true")
    first, second, other = (one["id"] for one in folder.records())

    found = folder.json("runs", "compare", "--group", "sweep")
    assert found["runs"] == [first, second], "the oldest first"
    told = {(c["part"], c["name"]): c["values"] for c in found["columns"]}
    assert told[("parameters", "lr")] == [0.1, 0.01]
    assert told[("metrics", "loss")] == [0.1 * 10 / 3, 0.01 * 10 / 3]
    assert told[("host", "time-zone")] == ["UTC+0.1", "UTC+0.01"]
    assert not {"command", "environment", "code", "exit"} & {part for part, _ in told}
    assert folder.json("runs", "compare", second, first)["runs"] == [second, first]
    everything = folder.json("runs", "compare", first, other, "--all", "--part", "exit")
    assert everything["columns"] == [{"name": "exit", "part": "exit", "values": ["0", "0"]}]

    text = folder.envlock("runs", "compare", "--group", "sweep", variables={"COLUMNS": "60"})
    lines = text.stdout.decode().splitlines()
    assert max(map(len, lines)) <= 60
    assert any(line.split()[:3] == ["run", "lr", "loss"] for line in lines), lines
    done = folder.envlock("runs", "compare", "--all", "--format", "csv", first, second)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode(), newline="")))
    assert [(row["run"], row["parameters lr"]) for row in rows] == [
        (first, "0.1"),
        (second, "0.01"),
    ]
    assert rows[0]["parameters note"] == "<b>|\\x1b[1m"

    by = ("runs", "compare", "--group", "sweep", "--metric", "loss")
    points = folder.json(*by, "--by", "lr")
    assert [(p["run"], p["x"]) for p in points["lines"][0]] == [(second, 0.01), (first, 0.1)]
    lines = folder.json(*by, "--series")["lines"]
    assert [[p["y"] for p in line] for line in lines] == [[1.0, 0.5, 1 / 3], [0.1, 0.05, 0.1 / 3]]
    drawn = folder.envlock(*by, variables={"COLUMNS": "40", "PYTHONIOENCODING": "ascii"})
    assert drawn.stdout.isascii()
    assert first[-12:] in drawn.stdout.decode()
    assert folder.envlock(*by, "--by", "lr", "--svg", "loss.svg").returncode == 0
    ElementTree.parse(tmp_path / "loss.svg")
    again = folder.envlock(*by, "--by", "lr", "--svg", "-").stdout
    assert again == (tmp_path / "loss.svg").read_bytes()

    for wrong, said in [
        (("--by", "lr"), "need --metric"),
        (("--metric", "nothing"), "known: loss, cpu-system"),
        ((first, "--group", "sweep"), "not both"),
        ((*by[2:], "--by", "note", "--series"), "one of them"),
    ]:
        failed = folder.envlock("runs", "compare", *wrong)
        assert failed.returncode == 2, wrong
        assert said in failed.stderr.decode()
    assert json.loads(folder.envlock("runs", "compare", "--tag", "none", "--json").stdout) == {
        "columns": [],
        "runs": [],
    }


def test_ranks_of_one_job_are_told_apart(tmp_path: Path) -> None:
    """As ``mpirun envlock run -- job`` starts them: at once, each with its own variables."""
    (tmp_path / ".envlock").mkdir()
    started = []
    for rank in range(4):
        names = ("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_PROCID", "RANK")
        variables = dict.fromkeys(names, str(rank)) | {"OMPI_COMM_WORLD_SIZE": "4"}
        folder = Folder(tmp_path, variables)
        started.append(folder.start("true", options=["--group", "job-7", "--trace", "never"]))
    assert [process.wait(60) for process in started] == [0] * 4
    found = Folder(tmp_path).json("runs", "compare", "--group", "job-7", "--part", "host")
    ranks = {column["name"]: sorted(column["values"]) for column in found["columns"]}
    assert set(ranks) == {f"scheduler.{name}" for name in names}
    assert set(map(tuple, ranks.values())) == {("0", "1", "2", "3")}
