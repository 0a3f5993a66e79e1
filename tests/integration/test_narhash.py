"""narHash, commit and date out of a tarball: held against ``nix hash path`` and git themselves."""

from __future__ import annotations

import gzip
import os
import random
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.nixpkgs import nar_hash
from support.repository import Repository, on

from envlock.resolve.nixpkgs.archive import SourceFacts, read_git_archive


def archive(repository: Repository, path: Path) -> SourceFacts:
    done = subprocess.run(
        ["git", "-C", str(repository.folder), "archive", "--prefix=nixpkgs-x/", "HEAD"],
        capture_output=True,
        check=True,
    )
    path.write_bytes(gzip.compress(done.stdout, mtime=0))
    return read_git_archive(path, where="here")


def hashed_by_nix(tarball: Path, folder: Path) -> str:
    subprocess.run(["tar", "-xzf", str(tarball), "-C", str(folder)], check=True)
    return nar_hash(folder / "nixpkgs-x")


def fill(folder: Path, files: dict[bytes, tuple[bytes, str]]) -> None:
    """Files by path: content, and ``x`` (executable), ``l`` (a symbolic link to it) or nothing."""
    for name, (content, kind) in files.items():
        path = os.path.join(os.fsencode(folder), name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        if kind == "l":
            os.symlink(content, path)
            continue
        with open(path, "wb") as file:
            file.write(content)
        os.chmod(path, 0o755 if kind == "x" else 0o644)


def test_everything_that_a_source_tree_may_hold(tmp_path: Path) -> None:
    repository = Repository(tmp_path / "src")
    fill(
        repository.folder,
        {
            b"empty": (b"", ""),
            b"eight": (b"12345678", ""),
            b"nine": (b"123456789", ""),
            b"run": (b"#!/bin/sh\n", "x"),
            b"link": (b"../outside", "l"),
            b"to-folder": (b"pkgs", "l"),
            b"a/deep/er/file": (b"x", ""),
            # git sorts a folder as if its name ended in a slash; Nix does not.
            b"pkgs/z": (b"1", ""),
            b"pkgs-lib/z": (b"2", "x"),
            b"pkgs.nix": (b"3", ""),
            b"pkgs0": (b"4", ""),
            "über/naïve ☃".encode(): (b"5", ""),
            b"with space/quote's\"/new\nline": (b"6", ""),
            b"\xff\xfe-no-utf8": (b"7", ""),
            b"long/" + b"/".join([b"d" * 60] * 5) + b"/f": (b"8", ""),
            b"longer-" + b"n" * 200: (b"9", ""),
            b"long-link": (b"t" * 300, "l"),
            b"big": (random.Random(1).randbytes(3_000_000), ""),
        },
    )
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "-m", "x", date=on(3))
    # A submodule is an empty folder in the archive.
    other = repository.git("rev-parse", "HEAD")
    repository.git("update-index", "--add", "--cacheinfo", f"160000,{other},module")
    repository.git("commit", "--quiet", "-m", "y", date=on(4))
    facts = archive(repository, tmp_path / "x.tar.gz")
    assert facts.rev == repository.git("rev-parse", "HEAD")
    assert facts.last_modified == int(on(4).timestamp())
    assert facts.nar_hash == hashed_by_nix(tmp_path / "x.tar.gz", tmp_path)


@pytest.mark.parametrize("kind", ["x", "", "l"])
def test_of_a_mode_only_executable_counts(tmp_path: Path, kind: str) -> None:
    repository = Repository(tmp_path / "src")
    fill(repository.folder, {b"a": (b"b", kind)})
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "-m", "x")
    facts = archive(repository, tmp_path / "x.tar.gz")
    assert facts.nar_hash == hashed_by_nix(tmp_path / "x.tar.gz", tmp_path)


_PARTS = st.one_of(
    st.sampled_from([b"a", b"a-b", b"a.b", b"a0", b"ab", b"A", b"b", b"a b", b"a+"]),
    st.binary(min_size=1, max_size=4).filter(
        lambda b: not set(b"/\0") & set(b) and b not in (b".", b"..") and b.lower() != b".git"
    ),
)
_TREES = st.dictionaries(
    st.lists(_PARTS, min_size=1, max_size=3).map(b"/".join),
    st.tuples(st.binary(max_size=20), st.sampled_from(["", "x"])),
    min_size=1,
    max_size=8,
).filter(lambda tree: not any(a != b and b.startswith(a + b"/") for a in tree for b in tree))


@given(_TREES)
@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_tree(tree: dict[bytes, tuple[bytes, str]]) -> None:
    with tempfile.TemporaryDirectory() as name:
        repository = Repository(Path(name) / "src")
        fill(repository.folder, tree)
        repository.git("add", "--all", "--force")
        repository.git("commit", "--quiet", "-m", "x")
        facts = archive(repository, Path(name) / "x.tar.gz")
        assert facts.nar_hash == hashed_by_nix(Path(name) / "x.tar.gz", Path(name))
