"""What the command line of papermill says."""

from __future__ import annotations

from pathlib import Path

import pytest

from envlock.runs.papermill import papermill


@pytest.mark.parametrize(
    "argv",
    [
        ["papermill"],
        ["/x/bin/papermill"],
        ["python", "-m", "papermill"],
        ["uv", "run", "papermill"],
        ["python3", "/x/bin/papermill"],
    ],
)
def test_notebooks_and_parameters(argv: list[str], tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text("depth: 3\nnet: {a: 1}\n")
    more = ["-f", str(tmp_path / "more.yaml"), "-k", "python3", "--log-output", "out.ipynb"]
    told = papermill(
        [*argv, "in.ipynb", *more, "-p", "lr", "0.1", "-r", "id", "007", "-p", "b", "true"]
    )
    assert told is not None
    assert (told.input, told.output) == ("in.ipynb", "out.ipynb")
    assert told.params == {"depth": 3, "net.a": 1, "lr": 0.1, "id": "007", "b": True}


def test_what_is_elsewhere_or_not_papermill() -> None:
    told = papermill(["papermill", "s3://bucket/in.ipynb", "-", "-p", "lr"])
    assert told is not None
    assert (told.input, told.output, told.params) == (None, None, {})
    for argv in (["cat", "papermill"], ["python", "x.py", "papermill"], ["sh"]):
        assert papermill(argv) is None
