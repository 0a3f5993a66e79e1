"""A locked environment with Jupyter from the real index: its kernel, cells as runs, MLflow's
tags, papermill. One journey, as the environment takes seconds."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from support.runs import Folder
from support.tools import UV, run

DRIVE = Path(__file__).parents[1] / "support" / "kernel_drive.py"
NOTEBOOK: dict[str, Any] = {
    "cells": [
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "a",
            "metadata": {"tags": ["parameters"]},
            "outputs": [],
            "source": "lr = 1",
        },
        {
            "cell_type": "code",
            "execution_count": None,
            "id": "b",
            "metadata": {},
            "outputs": [],
            "source": "import envlock\nenvlock.run().metric(twice=2 * lr)",
        },
    ],
    "metadata": {"kernelspec": {"name": "my-project", "display_name": "x", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.mark.network
def test_jupyter(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    monkeypatch.setenv("JUPYTER_PLATFORM_DIRS", "1")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    folder = Folder(tmp_path / "My Project")
    folder.root.mkdir()

    def ask_for(*packages: str) -> None:
        table = {"name": "x", "version": "1", "dependencies": list(packages)}
        text = "".join(f"{key} = {json.dumps(value)}\n" for key, value in table.items())
        text += f'[tool.envlock]\npython = "{sys.version_info[0]}.{sys.version_info[1]}"\n'
        (folder.root / "pyproject.toml").write_text(f"[project]\n{text}")
        assert folder.envlock("lock").returncode == 0

    def refused(*arguments: str) -> str:
        done = folder.envlock("kernel", "install", *arguments)
        assert done.returncode == 2
        return done.stderr.decode()

    ask_for("six")
    assert "ipykernel is not in the lock" in refused()
    ask_for("ipykernel", "mlflow-skinny", "papermill")
    assert "the environment is not there" in refused()
    synced = folder.envlock("sync")
    assert synced.returncode == 0, synced.stderr
    tags = "from mlflow.tracking.context.registry import resolve_tags; print(resolve_tags())"
    context = {"MLFLOW_RUN_CONTEXT": '{"mine": "1"}'}
    told = folder.run(".venv/bin/python", "-c", tags, variables=context).stdout.decode()
    recorded = folder.last()
    assert f"'envlock.run': '{recorded['id']}'" in told, "without envlock in the environment"
    assert f"'envlock.hash': '{recorded['environment-hash']}'" in told
    assert "'mine': '1'" in told
    made = folder.json("kernel", "install")
    python = made["python"]
    assert made["kernel"] == "my-project"
    run([UV, "pip", "install", "--quiet", "--no-deps", "--offline", "--python", python, wheel])
    checked = folder.envlock("check")
    assert checked.returncode == 0, "an unlocked envlock is no drift"

    listed = json.loads(run([python, "-m", "jupyter", "kernelspec", "list", "--json"]).stdout)
    spec = listed["kernelspecs"]["my-project"]["spec"]
    assert spec["env"] == {"ENVLOCK_HASH": made["environment-hash"]}
    assert folder.envlock("kernel", "install").returncode == 0, "once more"
    (tmp_path / "jupyter/kernels/other").mkdir()
    (tmp_path / "jupyter/kernels/other/kernel.json").write_text("{}")
    assert "of something else" in refused("--kernel", "other")
    assert "letters, digits" in refused("--kernel", "../x")

    said = cells(
        folder,
        python,
        [
            "%load_ext envlock",
            "%envlock start -m session --tag nb --param lr=0.1",
            "x = 1\nenvlock.run().metric(acc=0.5)",
            "from mlflow.tracking.context.registry import resolve_tags\nprint(resolve_tags())",
            "%envlock start",
            "%envlock stop",
            "%%envlock -m one\n1/0",
            "%envlock cells --tag each",
            "token = 'ghp_0123456789012345678901234567890123456789'",
            "import sys; sys.exit(3)",
            "%envlock stop",
            "%%envlock --wrong\n1",
            "%unload_ext envlock",
        ],
    )
    assert made["environment-hash"] in said[0]["said"]
    session, one, first, second = folder.records()[1:]
    assert f"'envlock.hash': '{made['environment-hash']}'" in said[3]["said"]
    assert f"'envlock.run': '{session['id']}'" in said[3]["said"]
    wrong = [n for n, cell in enumerate(said) if cell["status"] != "ok"]
    assert wrong == [4, 6, 9, 11], "what failed, and what was used wrongly"
    assert (session["why"], session["tags"], session["metrics"]) == (
        "session",
        ["nb"],
        {"acc": 0.5},
    )
    assert session["environment-hash"] == made["environment-hash"]
    assert session["parameters"]["lr"]["value"] == 0.1
    sources = [folder.blob(cell["sha256"]).decode() for cell in session["cells"]]
    assert sources[0] == "x = 1\nenvlock.run().metric(acc=0.5)"
    assert (one["why"], one["exit"]) == ("one", {"code": 1})
    assert one["log"][0]["text"] == "ZeroDivisionError: division by zero"
    assert "sha256" not in first["cells"][0]
    assert (first["tags"], second["exit"]) == (["each"], {"code": 3})

    differ = folder.json("runs", "diff", session["id"], one["id"])["differences"]
    assert {"cell 1", "cell 2"} <= {d["subject"] for d in differ if d["layer"] == "code"}
    repeated = folder.envlock("runs", "repeat", session["id"])
    assert (repeated.returncode, b"a notebook's session" in repeated.stderr) == (2, True)

    (folder.root / "in.ipynb").write_text(json.dumps(NOTEBOOK))
    program = str(Path(python).with_name("papermill"))
    line = (program, "in.ipynb", "out.ipynb", "-p", "lr", "3")
    done = folder.run(*line, options=["--trace", "never"])
    assert done.returncode == 0, done.stderr
    milled = folder.last()
    assert milled["metrics"] == {"twice": 6}
    assert milled["parameters"]["lr"] == {"from": "argv", "value": 3}
    assert [fact["path"] for fact in milled["inputs"]] == ["in.ipynb"]
    [output] = milled["outputs"]
    assert (output["path"], output["written"]) == ("out.ipynb", True)


def cells(folder: Folder, python: str, sources: Sequence[str]) -> list[dict[str, str]]:
    """What each cell said in the kernel, started as Jupyter does."""
    done = run(
        [python, DRIVE, "my-project", json.dumps(sources)],
        cwd=folder.root,
        env={"PATH": os.defpath},
    )
    return [json.loads(line) for line in done.stdout.splitlines()]
