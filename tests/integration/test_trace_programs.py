"""Programs of many kinds are seen: what they read, wrote, ran and reached."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from support.traced import Seen, argv, compile_c, run

from envlock.io.trace.kinds import Method


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    work.mkdir()
    return work


def inputs(folder: Path, count: int) -> set[bytes]:
    for number in range(count):
        (folder / f"in{number}").write_text(str(number))
    return {b"in%d" % number for number in range(count)}


def python(folder: Path, *arguments: str, source: str) -> list[str]:
    script = folder.parent / "script.py"
    script.write_text(textwrap.dedent(source))
    return [sys.executable, str(script), *arguments]


def test_a_shell_pipeline(folder: Path) -> None:
    expected = inputs(folder, 3)
    seen = run(
        folder,
        "sh",
        "-c",
        "cat in0 in1 | sort -r | tee copy | wc -l > count; "
        "while read x; do echo $x; done < in2 >> log; mv count counted; rm in1; ln copy hard; "
        "ln -s copy soft; : > made; truncate -s 3 made",
    )
    assert seen.trace["method"] == Method.SECCOMP
    assert (seen.trace["complete"], seen.trace["gaps"]) == (True, [])
    assert seen.paths("read", folder) == expected
    assert seen.paths("write", folder) == {b"copy", b"count", b"log", b"made"}
    assert seen.paths("update", folder) == {b"made"}
    assert seen.paths("remove", folder) == {b"in1"}
    assert seen.moves("rename", folder) == [("count", "counted")]
    assert seen.moves("link", folder) == [("copy", "hard")]
    assert seen.paths("symlink", folder) == {b"soft"}
    programs = {os.path.basename(path) for path in seen.paths("execute")}
    assert {b"sh", b"cat", b"sort", b"tee", b"wc", b"mv", b"rm", b"ln", b"truncate"} <= programs


@pytest.mark.parametrize("how", ["fork", "spawn"])
def test_python_with_processes_and_threads(folder: Path, how: str) -> None:
    expected = inputs(folder, 12)
    command = python(
        folder,
        how,
        source="""
        import multiprocessing, sys, threading
        def copy(n):
            with open(f"in{n}") as i, open(f"out{n}", "w") as o:
                o.write(i.read())
        if __name__ == "__main__":
            context = multiprocessing.get_context(sys.argv[1])
            workers = [context.Process(target=copy, args=(n,)) for n in range(4)]
            [w.start() for w in workers]
            [w.join() for w in workers]
            threads = [threading.Thread(target=copy, args=(n,)) for n in range(4, 12)]
            [t.start() for t in threads]
            [t.join() for t in threads]
        """,
    )
    seen = run(folder, *command)
    assert seen.trace["complete"]
    assert seen.paths("read", folder) == expected
    assert seen.paths("write", folder) == {b"out%d" % n for n in range(12)}
    assert seen.trace["processes"] >= 5


C_PROGRAM = """
    #define _GNU_SOURCE
    #include <fcntl.h>
    #include <linux/openat2.h>
    #include <spawn.h>
    #include <stdio.h>
    #include <sys/syscall.h>
    #include <sys/wait.h>
    #include <unistd.h>
    extern char **environ;
    static void copy(int in, int out) {
        char data[64];
        long n = read(in, data, sizeof data);
        if (in < 0 || out < 0 || write(out, data, n) != n) _exit(9);
    }
    int main(void) {
        copy(open("in0", O_RDONLY), creat("out0", 0644));
        int here = open(".", O_PATH | O_DIRECTORY);
        struct open_how how = {.flags = O_RDONLY};
        int second = syscall(SYS_openat2, here, "in1", &how, sizeof how);
        copy(second, openat(here, "out1", O_RDWR | O_CREAT | O_TRUNC, 0644));
        /* A file without a name, which then gets one. */
        int unnamed = open(".", O_TMPFILE | O_WRONLY, 0644);
        char link[64];
        sprintf(link, "/proc/self/fd/%d", unnamed);
        copy(openat(here, "in2", O_RDONLY), unnamed);
        if (linkat(AT_FDCWD, link, here, "out2", AT_SYMLINK_FOLLOW)) return 8;
        /* Again through the descriptor of what is only held. */
        sprintf(link, "/dev/fd/%d", openat(here, "in3", O_PATH));
        copy(open(link, O_RDONLY), openat(here, "out3", O_CREAT | O_WRONLY | O_EXCL, 0644));
        pid_t child = vfork();
        if (child == 0) {
            execl("/bin/cp", "cp", "in4", "out4", (char *)0);
            _exit(7);
        }
        int status;
        waitpid(child, &status, 0);
        char *args[] = {"cp", "in5", "out5", 0};
        if (status || posix_spawnp(&child, "cp", 0, 0, args, environ)) return 6;
        waitpid(child, &status, 0);
        if (status) return 5;
        for (int fd = 0; fd < 1024; fd++) close(fd);
        copy(open("in6", O_RDONLY), creat("out6", 0644));
        fexecve(open("/bin/true", O_RDONLY | O_CLOEXEC), args, environ);
        return 4;
    }
"""


@pytest.mark.parametrize("options", [(), ("-static",)], ids=["dynamic", "static"])
def test_a_program_in_c(folder: Path, options: tuple[str, ...]) -> None:
    expected = inputs(folder, 7)
    program = compile_c(C_PROGRAM, folder.parent / "program", *options)
    seen = run(folder, program)
    assert seen.trace["complete"], seen.trace["gaps"]
    assert seen.paths("read", folder) == expected
    written = seen.paths("write", folder) | {os.fsencode(t) for _, t in seen.moves("link", folder)}
    assert written == {b"out%d" % n for n in range(7)}
    names = {os.path.basename(path) for path in seen.paths("execute")}
    assert names == {b"program", b"cp", b"true"}


def test_a_program_of_another_word_size(folder: Path) -> None:
    """i386 code: other numbers for the same calls."""
    inputs(folder, 1)
    source = folder.parent / "small.s"
    source.write_text(
        textwrap.dedent("""
        .globl _start
        _start:
            mov $5, %eax; mov $name, %ebx; xor %ecx, %ecx; int $0x80    # open
            mov $8, %eax; mov $made, %ebx; mov $0644, %ecx; int $0x80   # creat
            mov $38, %eax; mov $made, %ebx; mov $moved, %ecx; int $0x80 # rename
            mov $252, %eax; xor %ebx, %ebx; int $0x80                   # exit_group
        .data
        name: .asciz "in0"
        made: .asciz "made"
        moved: .asciz "moved"
        """)
    )
    code, program = folder.parent / "small.o", folder.parent / "small"
    subprocess.run(["as", "--32", "-o", code, source], check=True)
    subprocess.run(["ld", "-m", "elf_i386", "-o", program, code], check=True)
    seen = run(folder, program)
    assert seen.trace["complete"]
    assert seen.paths("read", folder) == {b"in0"}
    assert seen.paths("write", folder) == {b"made"}
    assert seen.moves("rename", folder) == [("made", "moved")]


def test_a_script_names_its_interpreter_even_when_killed(folder: Path) -> None:
    script = folder / "script"
    script.write_text("#!/bin/sh\nread x < /etc/hostname\nkill -KILL $$\n")
    script.chmod(0o755)
    seen = run(folder, script, code=128 + signal.SIGKILL)
    assert seen.paths("execute", folder) == {b"script"}
    assert os.fsencode(os.path.realpath("/bin/sh")) in seen.paths("execute", "") | {
        b"/" + path for path in seen.paths("execute")
    }
    assert seen.paths("read", "/etc") >= {b"hostname"}


def test_shared_libraries_really_used(folder: Path) -> None:
    seen = run(folder, *python(folder, source="import sqlite3, ctypes, hashlib; hashlib.md5()"))
    # An independent answer: what such a process says of itself.
    own = "import sqlite3, ctypes, hashlib; hashlib.md5(); print(open('/proc/self/maps').read())"
    maps = subprocess.run([sys.executable, "-c", own], capture_output=True, text=True, check=True)
    expected = {
        line.split(maxsplit=5)[5]
        for line in maps.stdout.splitlines()
        if " r-xp " in line and "/" in line
    }
    assert set(seen.trace["libraries"]) == expected


def test_the_network(folder: Path) -> None:
    with socket.socket() as server, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        server.bind(("127.0.0.1", 0))
        server.listen()
        other.bind(("127.0.0.1", 0))
        ports = (server.getsockname()[1], other.getsockname()[1])
        command = python(
            folder,
            *map(str, ports),
            source="""
            import socket, sys
            socket.create_connection(("127.0.0.1", int(sys.argv[1]))).send(b"x")
            socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", int(sys.argv[2])))
            here = socket.socket(socket.AF_UNIX)
            here.bind("\\0abstract-of-test")
            socket.socket(socket.AF_INET6).connect_ex(("::1", 9))
            """,
        )
        seen = run(folder, *command)
    found = {
        (c["contact"], c["family"], c["address"], c["port"]) for c in seen.trace["connections"]
    }
    assert found == {
        ("connect", "inet", "127.0.0.1", ports[0]),
        ("send", "inet", "127.0.0.1", ports[1]),
        ("bind", "unix", "@abstract-of-test", 0),
        ("connect", "inet6", "::1", 9),
    }


def test_ten_thousand_hostile_names(folder: Path) -> None:
    command = python(
        folder,
        source="""
        import os
        for n in range(10_000):
            odd = bytes([n % 255 + 1, n // 255 % 255 + 1]).replace(b"/", b"\\n")
            name = b"%d " % n + odd + b"\\xff\\xfe \\n'\\"$(x)`" + b"\\\\012"
            os.close(os.open(name, os.O_CREAT | os.O_WRONLY))
            os.rename(name, b"-" + name)
        """,
    )
    seen = run(folder, *command)
    there = set(os.listdir(os.fsencode(folder)))
    assert len(there) == 10_000
    moved = {os.fsencode(e["target"]) for e in seen.trace["events"] if e["action"] == "rename"}
    assert moved == {os.fsencode(folder) + b"/" + name for name in there}
    assert seen.paths("write", folder) == {name[1:] for name in there}


def test_deep_folders_and_links(folder: Path) -> None:
    inputs(folder, 1)
    command = python(
        folder,
        source="""
        import os
        os.makedirs("real/sub"); os.symlink("real", "link"); os.symlink("../in0", "real/in")
        open("link/sub/../made", "w").close()
        open("link/in").close()
        name = "d" * 200
        for n in range(15):
            os.mkdir(name); os.chdir(name)
        open("deep", "w").close()
        """,
    )
    seen = run(folder, *command)
    assert seen.trace["complete"]
    assert seen.paths("read", folder) == {b"in0"}
    assert seen.paths("write", folder) == {b"real/made", b"/".join([b"d" * 200] * 15) + b"/deep"}


def test_a_folder_too_deep_to_name_is_said(folder: Path) -> None:
    command = python(
        folder,
        source="""
        import os
        for n in range(30):
            os.mkdir("d" * 200); os.chdir("d" * 200)
        open("deep", "w").close()
        """,
    )
    seen = run(folder, *command)
    assert not seen.trace["complete"]
    assert "cannot be named" in seen.trace["gaps"][0]


def test_what_cannot_be_seen_is_said(folder: Path) -> None:
    source = """
        import ctypes, os, sys
        libc = ctypes.CDLL(None)
        params = ctypes.create_string_buffer(120)
        libc.syscall(425, 1, params)
        os.mkdir("root")
        if os.geteuid() == 0:
            os.chroot("root")
            open("/inside", "w").close()
        """
    seen = run(folder, *python(folder, source=source))
    assert not seen.trace["complete"]
    assert any("io_uring" in gap for gap in seen.trace["gaps"])
    if os.geteuid() == 0:
        assert any("root folder" in gap for gap in seen.trace["gaps"])
        assert seen.paths("write", folder) == {b"root/inside"}


def test_thirty_two_at_once(tmp_path: Path) -> None:
    processes = []
    for number in range(32):
        work = tmp_path / f"run{number}"
        work.mkdir()
        script = f"cat /etc/hostname > {number}.a & cp {number}.in {number}.b; wait"
        (work / f"{number}.in").write_text("x")
        report = tmp_path / f"{number}.report"
        command = argv(report, "sh", "-c", script)
        processes.append((number, work, report, subprocess.Popen(command, cwd=work)))
    for number, work, report, process in processes:
        assert process.wait(60) == 0
        seen = Seen(report)
        assert seen.trace["complete"], seen.trace["gaps"]
        assert seen.paths("write", tmp_path) == {
            f"{work.name}/{number}.{letter}".encode() for letter in "ab"
        }
        assert seen.paths("read", tmp_path) == {f"{work.name}/{number}.in".encode()}
