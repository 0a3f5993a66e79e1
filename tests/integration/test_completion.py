"""The tab key, in a real bash."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = """
PATH="$1:$PATH"
eval "$(envlock completion bash)"
shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_envlock_completion envlock
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["envlock", "loc"], ["lock"]),
        (["envlock", "lock", "--as"], ["--as-of"]),
        (["envlock", "runs", "comp"], ["compare"]),
        (["envlock", "completion", ""], ["bash", "zsh", "fish"]),
    ],
)
def test_bash_completes(words: list[str], expected: list[str]) -> None:
    folder = Path(sys.executable).parent
    done = subprocess.run(
        ["bash", "--norc", "-c", ASK, "bash", str(folder), *words],
        capture_output=True,
        text=True,
        check=False,
        env=dict(os.environ),
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == expected
