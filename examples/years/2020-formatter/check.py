"""The team's one formatter, pinned; what it needs is not."""

import subprocess
import sys

done = subprocess.run(
    [sys.executable, "-m", "black", "-q", "-"],
    input=b"x = { 'a':1 }\n",
    stdout=subprocess.PIPE,
    check=True,
)
assert done.stdout == b'x = {"a": 1}\n', done.stdout
