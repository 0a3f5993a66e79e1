"""The script of ``envlock check --portable``: real shells, sha256sum as the only program."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.install import HERE, artifact, locked, write_lock
from support.project import Project
from support.samples import LINUX, os_layer, os_package, package, small_lock
from support.tools import PIP, run

from envlock.check.portable.script import portable
from envlock.errors import UsageError
from envlock.lock.model import Lock

OLDER = "2024-01-01"


@pytest.fixture(params=["dash", "bash"])
def shell(request: pytest.FixtureRequest) -> str:
    found = shutil.which(request.param)
    assert found, f"{request.param} is missing"
    return found


@pytest.fixture
def only_sha256sum(tmp_path: Path) -> dict[str, str]:
    """An environment in which sha256sum is the only program."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sha256sum").symlink_to(str(shutil.which("sha256sum")))
    return {"PATH": str(programs)}


def script_of(lock: Lock, folder: Path) -> Path:
    path = folder / "check.sh"
    text = portable(lock, lock.targets[0], lock_name="pylock.toml", lock_sha256="0" * 64)
    path.write_text(text)
    return path


def call(
    shell: str, script: Path, env: dict[str, str], *arguments: str | Path, code: int
) -> list[str]:
    argv = [shell, script, *arguments]
    done = subprocess.run(argv, env=env, cwd=script.parent, capture_output=True, text=True)
    assert done.returncode == code, done.stdout + done.stderr
    assert ("drift in " in done.stderr) == (code in (0, 1)), done.stderr
    return done.stdout.splitlines()


def test_it_says_of_an_environment_what_envlock_says(
    shell: str, only_sha256sum: dict[str, str], project: Project, index: LoopbackIndex
) -> None:
    files = [index.add(name, "1.2", OLDER) for name in ("alpha", "beta", "dotted-name")]
    for name in ("alpha", "zeta"):
        index.add(name, "1.3", OLDER)
    project.write("alpha", "beta", "dotted.name")
    write_lock(
        project.root,
        *(locked(index, file) for file in files),
        wishes=("alpha", "beta", "dotted-name"),
    )
    assert project.run("sync").returncode == 0
    assert project.run("check", "--portable", "-o", "check.sh").returncode == 0
    script = project.root / "check.sh"
    assert call(shell, script, only_sha256sum, code=0) == []
    python = project.root / ".venv" / "bin" / "python"
    run([*PIP, "--python", python, "install", "-i", index.url, "alpha==1.3", "zeta"])
    run([*PIP, "--python", python, "uninstall", "-y", "dotted-name"])
    told = call(shell, script, only_sha256sum, code=1)
    assert [line.split()[:3] for line in told] == [
        ["PY003", "other-version", "alpha"],
        ["PY001", "missing", "dotted-name"],
        ["PY002", "extra", "zeta-1.3"],
    ]
    theirs = json.loads(project.run("check", "--python-only", "--json").stdout)["drift"]
    assert {d["code"] for d in theirs} >= {line.split()[0] for line in told}
    assert call(shell, script, only_sha256sum, "--prefix", "nowhere", code=1)[0].startswith("PY000")
    project.lock_path.write_text(project.lock_path.read_text() + "#\n")
    assert "pylock.toml is not the lockfile" in call(shell, script, only_sha256sum, code=1)[0]


def test_installed_files_are_held_to_the_locked_wheels(
    shell: str, only_sha256sum: dict[str, str], project: Project, index: LoopbackIndex
) -> None:
    files = {
        "alpha/__init__.py": "ONE = 1\n",
        "alpha/a file @HERE@ $x `y`.txt": "text\n",
        "alpha-1.2.data/purelib/pure.py": "PURE = 1\n",
        "alpha-1.2.data/scripts/tool": "#!python\nprint()\n",
        "alpha-1.2.data/data/share/notes.txt": "notes\n",
    }
    native = "py3-none-linux_x86_64", "py3-none-any"
    wheels = [
        index.add("alpha", "1.2", OLDER, files=files),
        *(index.add("beta", "2", OLDER, tag=tag, files={"beta.py": tag}) for tag in native),
    ]
    source = index.add("gamma", "1", OLDER, sdist=True)
    project.write("alpha", "beta", "gamma")
    packages = [locked(index, wheels[0]), locked(index, *wheels[1:]), locked(index, source)]
    write_lock(project.root, *packages, wishes=("alpha", "beta", "gamma"))
    assert project.run("sync").returncode == 0
    make = ("check", "--portable", "--content", "-o", "check.sh")
    assert "is not in the store" in project.run(*make).stderr
    assert project.run("fetch").returncode == 0
    done = project.run(*make)
    assert done.returncode == 0, done.stderr
    assert "no file is known: gamma" in done.stderr
    script = project.root / "check.sh"
    first = script.read_bytes()
    assert project.run(*make).returncode == 0
    assert script.read_bytes() == first
    assert call(shell, script, only_sha256sum, code=0) == []
    [site] = project.root.glob(".venv/lib/python*/site-packages")
    (site / "alpha/__init__.py").write_text("ONE = 2\n")
    (site / "pure.py").unlink()
    (site / "alpha/a file @HERE@ $x `y`.txt").write_text("")
    (site / "beta.py").write_text("other")
    told = call(shell, script, only_sha256sum, code=1)
    assert sorted(told) == [
        "PY101  file-missing  pure.py",
        "PY102  file-modified  alpha/__init__.py",
        "PY102  file-modified  alpha/a file @HERE@ $x `y`.txt",
        "PY102  file-modified  beta.py",
    ]
    (site / "beta-2.dist-info/WHEEL").write_text("Wheel-Version: 1.0\n")
    assert "PY110  other-file  beta  of no locked wheel" in call(
        shell, script, only_sha256sum, code=1
    )


def test_files_are_held_to_their_digests(
    shell: str,
    only_sha256sum: dict[str, str],
    tmp_path: Path,
    index: LoopbackIndex,
) -> None:
    stored = index.add("alpha", "1.2", OLDER)
    lock = write_lock(tmp_path, locked(index, stored))
    assert artifact(index, stored).sha256 == hashlib.sha256(stored.content).hexdigest()
    script = script_of(lock, tmp_path)
    folder = tmp_path / "wheel house"
    folder.mkdir()
    call(shell, script, only_sha256sum, "--files", folder, code=2)
    (folder / stored.name).write_bytes(stored.content)
    (folder / "other.whl").write_bytes(b"")
    assert call(shell, script, only_sha256sum, "--files", folder, code=0) == []
    (folder / stored.name).write_bytes(stored.content[:-1] + b"!")
    [line] = call(shell, script, only_sha256sum, "--files", folder, code=1)
    assert "is not the locked file" in line


def test_dpkgs_status(shell: str, only_sha256sum: dict[str, str], tmp_path: Path) -> None:
    debs = tuple(os_package(name) for name in ("aa", "bb", "cc", "dd", "libstdc++6"))
    layer = dataclasses.replace(os_layer(), packages=debs)
    lock = dataclasses.replace(small_lock(package("x")), os=layer, targets=(LINUX,))
    script = script_of(lock, tmp_path)
    status = tmp_path / "root" / "var" / "lib" / "dpkg" / "status"
    status.parent.mkdir(parents=True)
    call(shell, script, only_sha256sum, "--root", tmp_path, code=2)

    def paragraph(name: str, version: str, state: str, architecture: str = "amd64") -> str:
        return (
            f"Package: {name}\nStatus: install ok {state}\nArchitecture: {architecture}\n"
            f"Version: {version}\nDescription: text\n  Version: 9 $(id)\n"
        )

    whole = [paragraph(deb.name, deb.version, "installed") for deb in debs]
    status.write_text("\n".join([*whole, paragraph("more", "1", "installed")]))
    assert call(shell, script, only_sha256sum, "--root", tmp_path / "root", code=0) == []
    status.write_text(
        "\n".join(
            [
                paragraph("aa", "2.0-1", "installed"),
                paragraph("bb", "1.0-1", "unpacked"),
                paragraph("cc", "1.0-1", "config-files"),
                paragraph("dd", "1.0-1", "installed", "i386"),
                paragraph("libstdc++6", "1.0-1", "installed", "all"),
            ]
        )
    )
    assert call(shell, script, only_sha256sum, "--root", tmp_path / "root", code=1) == [
        "OS002  os-other-version  aa  expected 1.0-1, found 2.0-1",
        "OS003  os-unfinished  bb  expected installed, found unpacked",
        "OS001  os-missing  cc  expected 1.0-1",
        "OS001  os-missing  dd  expected 1.0-1",
    ]


@pytest.mark.parametrize("arguments", [("--what",), ("--prefix",), ("--files", "")])
def test_bad_usage(
    shell: str, only_sha256sum: dict[str, str], tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    script = script_of(small_lock(package("aa")), tmp_path)
    call(shell, script, only_sha256sum, *arguments, code=2)


def test_what_was_compared_is_said(
    shell: str, only_sha256sum: dict[str, str], tmp_path: Path
) -> None:
    script = script_of(small_lock(package("aa")), tmp_path)
    (tmp_path / "pylock.toml").write_text("")
    done = subprocess.run(
        [shell, script], env=only_sha256sum, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert done.stderr.startswith("drift in pylock.toml from env1-")


def test_without_sha256sum(shell: str, tmp_path: Path) -> None:
    script = script_of(small_lock(package("aa")), tmp_path)
    (tmp_path / "pylock.toml").write_text("")
    call(shell, script, {"PATH": str(tmp_path)}, code=3)


def test_no_text_of_a_lock_becomes_a_command(
    shell: str, only_sha256sum: dict[str, str], tmp_path: Path
) -> None:
    hostile = "1'; echo pwned; $(echo pwned) `echo pwned` \" ;; esac"
    deb = os_package("aa", version=hostile, file_name=f"pool/{hostile}.deb")
    lock = dataclasses.replace(
        small_lock(dataclasses.replace(package("aa"), version=hostile)),
        os=dataclasses.replace(os_layer(), packages=(deb,)),
        targets=(LINUX,),
    )
    site = tmp_path / ".venv" / "lib" / f"python{LINUX.series}" / "site-packages"
    site.mkdir(parents=True)
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("")
    told = call(shell, script_of(lock, tmp_path), only_sha256sum, code=1)
    assert told == [f"PY001  missing  aa  expected {hostile}"]
    with pytest.raises(UsageError):
        script_of(small_lock(dataclasses.replace(package("aa"), version="1\n")), tmp_path)


def test_the_same_bytes_and_the_options_that_do_not_fit(project: Project) -> None:
    project.write("aa")
    write_lock(project.root, package("aa"))
    first = project.run("check", "--portable").stdout
    assert first == project.run("check", "--portable", "--target", HERE.key).stdout
    assert project.run("check", "--portable", "--json").returncode == 2
    assert project.run("check", "--target", HERE.key).returncode == 2
