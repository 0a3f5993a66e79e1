"""strace sees the same: which files were opened, how, and what was run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from support.traced import run

from envlock.io.trace.abi import INTERFACES

_OPEN = re.compile(rb'openat\([^,]*, "[^"]*", ([A-Z_|]+)[^)]*\) += \d+<([^>]*)>')
_CREAT = re.compile(rb"creat\([^)]*\) += \d+<([^>]*)>")
_RUN = re.compile(rb'execve\("([^"]*)", .* += 0$', re.MULTILINE)

SCRIPTS = {
    "shell": ["sh", "-c", "for f in /etc/*.conf; do sed -n 1p $f; done | sort | gzip > out.gz"],
    "perl": [
        "perl",
        "-MJSON::PP",
        "-MFile::Temp=tempfile",
        "-e",
        "print encode_json([1]); tempfile()",
    ],
    "python": [
        sys.executable,
        "-c",
        "import json, sqlite3, tempfile, email.message\n"
        "d = sqlite3.connect('db'); d.execute('create table t (a)'); d.commit()\n"
        "tempfile.TemporaryFile().write(b'x')",
    ],
    "tar": ["sh", "-c", "tar -czf all.tgz -C /usr/share/perl5 . ; mkdir x; tar -xzf all.tgz -C x"],
    "compiler": ["sh", "-c", "echo 'int main(){return 0;}' > m.c; gcc m.c -o m; ./m"],
}


@pytest.mark.parametrize("name", SCRIPTS)
def test_strace_sees_the_same(tmp_path: Path, name: str) -> None:
    folders = {}
    for who in ("strace", "ours"):
        folders[who] = tmp_path / who
        folders[who].mkdir()
    # Compiled code is there or not; the same for both.
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    log = tmp_path / "log"
    # Names in full, what each descriptor is, and a file for each process.
    strace = ["strace", "-ff", "-y", "-qq", "-s", "4096", "-e", "trace=openat,open,creat,execve"]
    subprocess.run(
        [*strace, "-o", log, *SCRIPTS[name]],
        cwd=folders["strace"],
        env=os.environ | env,
        stdout=subprocess.DEVNULL,
        check=True,
    )
    said = b"".join(path.read_bytes() for path in tmp_path.glob("log.*"))
    seen = run(folders["ours"], *SCRIPTS[name], env=env)
    assert seen.trace["complete"], seen.trace["gaps"]

    read, written = set(), set(_CREAT.findall(said))
    for flags, path in _OPEN.findall(said):
        kinds = set(flags.split(b"|"))
        if kinds & {b"O_DIRECTORY", b"O_PATH"} or path.startswith((b"/dev", b"/proc", b"/sys")):
            continue
        if os.path.isdir(path):
            continue
        (read if b"O_RDONLY" in kinds else written).add(path)
    here, there = os.fsencode(folders["strace"]), os.fsencode(folders["ours"])

    def same(paths: set[bytes]) -> set[bytes]:
        """Without what has another name at each run; the folders made one."""
        found = {p.replace(here, b"WORK").replace(there, b"WORK") for p in paths}
        return {p for p in found if not p.startswith(b"/tmp/") and b"#" not in p}

    ours_read = {b"/" + p for p in seen.paths("read")}
    ours_written = {b"/" + p for p in seen.paths("write") | seen.paths("update")}
    # What was written before is read, too, and an open for both is a read for us alone.
    assert same(read) <= same(ours_read)
    assert same(ours_read) - same(read) <= same(ours_written)
    assert same(ours_written) == same({re.sub(rb" \(deleted\)$", b"", p) for p in written})
    programs = {os.path.realpath(os.path.join(here, p)) for p in _RUN.findall(said)}
    ours = {os.path.realpath(b"/" + p) for p in seen.paths("execute")}
    assert same(programs) == same(ours)


@pytest.mark.skipif(os.uname().machine != "x86_64", reason="these headers are this machine's")
@pytest.mark.parametrize(("name", "which"), [("64", 0), ("x32", 1), ("32", 2)])
def test_the_kernels_headers_have_the_same_numbers(name: str, which: int) -> None:
    interface = INTERFACES["x86_64"][which]
    said = subprocess.run(
        [
            "gcc",
            "-E",
            "-P",
            "-D__X32_SYSCALL_BIT=0x40000000",
            "-include",
            f"asm/unistd_{name}.h",
            "-",
        ],
        input="".join(f"{call} = __NR_{call}\n" for call in interface.numbers),
        capture_output=True,
        text=True,
        check=True,
    )
    pairs = (line.split(" = ") for line in said.stdout.splitlines() if " = " in line)
    bit = interface.bits
    # x32's are written as a sum of its bit and the number.
    found = {call: sum(int(n, 0) for n in re.findall(r"\w+", value)) for call, value in pairs}
    assert found == {call: number | bit for call, number in interface.numbers.items()}
