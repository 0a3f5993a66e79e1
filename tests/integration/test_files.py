"""Writes on a full disk, and writes killed at many points: the old file or the new one, whole."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

SIZE = 200_000

WRITER = """
import sys
from pathlib import Path
from envlock.io.files import write_atomic
path, size = Path(sys.argv[1]), int(sys.argv[2])
print("ready", flush=True)
number = 0
while True:
    number += 1
    write_atomic(path, bytes([number % 251]) * size)
"""


def whole(content: bytes) -> bool:
    return len(content) == SIZE and len(set(content)) == 1


def test_a_writer_killed_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_bytes(b"\0" * SIZE)
    chance = random.Random(7)
    seen = set()
    for _ in range(25):
        writer = subprocess.Popen(
            [sys.executable, "-c", WRITER, path, str(SIZE)], stdout=subprocess.PIPE
        )
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
        time.sleep(chance.random() * 0.03)
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        content = path.read_bytes()
        assert whole(content)
        seen.add(content[0])
    assert len(seen) > 3, "the writer was never killed at work"


def test_readers_never_see_half_a_file(tmp_path: Path) -> None:
    path = tmp_path / "pylock.toml"
    path.write_bytes(b"\0" * SIZE)
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, path, str(SIZE)], stdout=subprocess.DEVNULL
    )
    try:
        end = time.monotonic() + 2
        seen = set()
        while time.monotonic() < end:
            content = path.read_bytes()
            assert whole(content)
            seen.add(content[0])
    finally:
        writer.kill()
        writer.wait()
    assert len(seen) > 3


FULL_DISK = """
import os, resource, sys
from pathlib import Path
from envlock.errors import SourceError
from envlock.io.files import append_lines, write_atomic

disk, limited = Path(sys.argv[1]), sys.argv[2] == "limited"
if limited:
    resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
path, cache = disk / "pylock.toml", disk / "cache"
write_atomic(path, b"old" * 5000)
try:
    write_atomic(path, b"new" * 22_000)
except SourceError as error:
    print(error)
assert path.read_bytes() == b"old" * 5000
assert os.listdir(disk) == ["pylock.toml"], os.listdir(disk)

append_lines(cache, ["first"])
append_lines(cache, ["x" * 100_000])  # does not fit, which is no error
cache.write_bytes(cache.read_bytes()[:1000])
append_lines(cache, ["last"])
lines = cache.read_text().splitlines()
assert "first" in lines and "last" in lines, lines

write_atomic(path, b"new" * 5000)
assert path.read_bytes() == b"new" * 5000
"""

MOUNTED = 'mount -t tmpfs -o size=64k tmpfs "$1" && echo mounted && exec "$2" -c "$3" "$1" mounted'


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    # In a mount namespace of its own; where the system forbids that, a limit on file sizes.
    mine = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    shell = ["sh", "-c", MOUNTED, "sh", tmp_path, sys.executable, FULL_DISK]
    done = subprocess.run(["unshare", *mine, "--mount", *shell], capture_output=True, text=True)
    expected = "No space left on device (free some space"
    if "mounted" not in done.stdout:
        limited = [sys.executable, "-c", FULL_DISK, tmp_path, "limited"]
        done = subprocess.run(limited, capture_output=True, text=True)
        expected = "File too large"
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout
