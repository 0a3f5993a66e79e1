"""Writes ``docs/environment-hash-vectors.json``: test vectors for the environment hash.

    .venv/bin/python scripts/make_hash_vectors.py

Each vector has the Python branch's content, its canonical JSON, its digest and the whole hash.
The same bytes come out each time; a test compares them with the file and with another
implementation of RFC 8785.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from envlock.lock.hashing import canonical_json, environment_hash, python_content
from envlock.lock.model import Archive, Artifact, Directory, Lock, PythonPackage, Vcs
from envlock.lock.request import Request
from envlock.lock.target import Target

OUTPUT = Path(__file__).parents[1] / "docs" / "environment-hash-vectors.json"

LINUX = Target(platform="linux/amd64", python="3.11")
MACOS = Target(platform="macos/arm64", python="3.12.4")
WINDOWS = Target(platform="windows/amd64", python="3.9")
PATCHED = Target(platform="linux/amd64", python="3.10")


def file(name: str, digit: str) -> Artifact:
    """A file whose digest is one hex digit, 64 times."""
    return Artifact(name=name, url=f"https://files.example.org/{name}", sha256=digit * 64)


def wheel_and_sdist(name: str, version: str, **more: Any) -> PythonPackage:
    """A package with one wheel and an sdist; the sdist's digest sorts first."""
    stem = f"{name.replace('-', '_')}-{version}"
    return PythonPackage(
        name=name,
        version=version,
        wheels=(file(f"{stem}-py3-none-any.whl", "b"),),
        sdist=file(f"{stem}.tar.gz", "a"),
        **more,
    )


CASES: tuple[tuple[str, tuple[Target, ...], tuple[PythonPackage, ...]], ...] = (
    ("no packages", (LINUX,), ()),
    (
        "one wheel",
        (LINUX,),
        (
            PythonPackage(
                name="a", version="1", wheels=(file("a-1-py3-none-any.whl", "0"),), index="x"
            ),
        ),
    ),
    (
        "wheel and sdist, digests sorted, packages sorted by name",
        (LINUX,),
        (wheel_and_sdist("zlib-ng", "2.0"), wheel_and_sdist("attrs", "23.2.0")),
    ),
    ("several targets", (WINDOWS, LINUX, MACOS, PATCHED), (wheel_and_sdist("attrs", "23.2.0"),)),
    (
        "one name, two versions by marker",
        (LINUX, MACOS),
        (
            wheel_and_sdist("numpy", "2.0.0", marker="sys_platform == 'darwin'"),
            wheel_and_sdist("numpy", "1.26.4", marker="sys_platform == 'linux'"),
        ),
    ),
    (
        "one version, two markers, an absent one first",
        (LINUX, MACOS),
        (
            wheel_and_sdist("pkg", "1.0", marker='sys_platform == "linux"'),
            wheel_and_sdist("pkg", "1.0"),
        ),
    ),
    (
        "marker beyond ASCII, quotes and a backslash",
        (LINUX,),
        (
            wheel_and_sdist(
                "pkg", "1.0", marker="platform_version == 'é e\u0301 \U0001f40d \u2028 \\ \"'"
            ),
        ),
    ),
    ("version kept as written", (LINUX,), (wheel_and_sdist("pkg", "1.0+local.1"),)),
    (
        "version control",
        (LINUX,),
        (
            PythonPackage(
                name="from-git",
                version="0.1",
                vcs=Vcs(
                    kind="git",
                    url="https://git.example.org/from-git.git",
                    commit="c0ffee" * 6 + "c0ff",
                    requested="main",
                    subdirectory="python",
                ),
            ),
        ),
    ),
    (
        "archive with a subdirectory",
        (LINUX,),
        (
            PythonPackage(
                name="from-url",
                archive=Archive(
                    url="https://files.example.org/x.zip", sha256="d" * 64, subdirectory="in/ner"
                ),
            ),
        ),
    ),
    (
        "directories, one of them editable",
        (LINUX,),
        (
            PythonPackage(name="app", directory=Directory(path=".", editable=True)),
            PythonPackage(name="lib", version="1.0", directory=Directory(path="libs/über lib")),
        ),
    ),
    (
        "everything at once",
        (LINUX, WINDOWS),
        (
            wheel_and_sdist("attrs", "23.2.0", marker="python_version < '3.10'"),
            PythonPackage(name="app", directory=Directory(path="app", subdirectory="src")),
            PythonPackage(
                name="git-only",
                vcs=Vcs(kind="git", url="ssh://git@git.example.org/x", commit="0" * 40),
            ),
            PythonPackage(name="local", archive=Archive(path="vendor/l.whl", sha256="e" * 64)),
        ),
    ),
)


def vector(
    name: str, targets: tuple[Target, ...], packages: tuple[PythonPackage, ...]
) -> dict[str, Any]:
    """One test vector."""
    lock = Lock(
        as_of=datetime(2024, 1, 1, tzinfo=UTC),
        engine="uv",
        request=Request(targets=targets),
        targets=targets,
        packages=packages,
    )
    content = python_content(lock)
    hashed = environment_hash(lock)
    return {
        "name": name,
        "content": content,
        "canonical": canonical_json(content).decode(),
        "python": hashed.python,
        "root": hashed.root,
    }


def render() -> str:
    """The file's text."""
    vectors = [vector(*case) for case in CASES]
    return json.dumps(vectors, indent=1, ensure_ascii=True) + "\n"


def main() -> None:
    """Write the file."""
    OUTPUT.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
