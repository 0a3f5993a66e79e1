"""A machine without the locked Python: that of the distribution's release, from real .debs."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.apt_root import AptRoot
from support.bundles import few_programs, rebuild, serving
from support.index import LoopbackIndex
from support.project import Project
from support.tools import run

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ASK = "import os, ssl, sqlite3, lzma, sys; print(os.confstr('CS_GNU_LIBC_VERSION'), sys.prefix)"


@pytest.mark.network
def test_the_python_of_bullseye(index: LoopbackIndex, project: Project, tmp_path: Path) -> None:
    """Its loader (glibc 2.31) cannot give a program another name: the machine's has to."""
    hello = "[console_scripts]\nhello = hello:main\n"
    code = "import sys\ndef main(): print('hello from', sys.version_info[:2])\n"
    files = {"hello/__init__.py": code, "hello-1.dist-info/entry_points.txt": hello}
    index.add("hello", "1", "2024-01-01", files=files)
    os_layer = {"base": "debian:bullseye", "packages": []}
    settings = {"python": "3.9", "targets": ["linux/amd64"], "os": os_layer}
    lock = project.write("hello", settings=settings).lock(as_of=None)
    assert lock.os is not None
    versions = {package.name: package.version for package in lock.os.packages}
    assert "python3-distutils" in versions

    (tmp_path / "bin").mkdir()
    none = {"PATH": str(tmp_path / "bin"), "PYENV_ROOT": str(tmp_path / "bin")}
    done = project.run("rebuild", "--json", **none)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["same"] is True
    assert versions["python3.9"].partition("-")[0] == told["python"]
    assert "is started by this machine's C library" in done.stderr

    environment = project.root / ".venv-rebuilt"
    program = environment / "bin" / "python"
    assert run([environment / "bin" / "hello"]).stdout == "hello from (3, 9)\n"
    # What it starts is started in the same way.
    start = f"import subprocess, sys; subprocess.check_call([sys.executable, '-c', {ASK!r}])"
    for code in (ASK, start):
        *_, library, prefix = run([program, "-c", code]).stdout.split()
        assert prefix == str(environment)
        assert library == (os.confstr("CS_GNU_LIBC_VERSION") or "").split()[1]
    done = project.run("check", "--prefix", str(environment), "--python-only")
    assert done.returncode == 0, done.stderr + done.stdout

    # From a bundle it needs no other C library than its own.
    done = project.run("bundle")
    assert done.returncode == 0, done.stderr
    into, few = tmp_path / "unpacked", few_programs(tmp_path / "programs")
    rebuild(project.root / "bundle", few, "--into", into)
    for code in (ASK, start):
        said = run([into / "bin" / "python", "-c", code], env=few).stdout
        assert said.split() == ["glibc", "2.31", str(into)]
    assert run([into / "bin" / "hello"], env=few).stdout == "hello from (3, 9)\n"
    done = project.run("check", "--prefix", str(into), "--python-only", "--paranoid")
    assert done.returncode == 0, done.stderr + done.stdout
    # And the archive's own keys hold for what apt takes from it.
    with serving(project, project.root / "bundle") as told:
        apt = AptRoot(tmp_path / "apt")
        signed = f"deb [signed-by={KEYRING} "
        lines = [line.replace("deb [", signed) + "\n" for line in told["snapshots"]]
        (apt.root / "etc/sources.list").write_text("".join(lines))
        apt.update()
        for name in ("python3.9", "libc6"):
            done = apt.run("apt-get", "download", "-q", f"{name}={versions[name]}", cwd=tmp_path)
            assert done.returncode == 0, done.stderr
