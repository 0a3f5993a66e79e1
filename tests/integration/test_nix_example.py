"""The example with Nix: numpy of the real index, locked, exported and built by real Nix."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomli_w
from support.install import contents
from support.nix import Nix, running
from support.tools import run, script

from envlock.lock import codec

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("nix")]

EXAMPLES = Path(__file__).parents[2] / "examples"
PROGRAM = """\
import numpy, rich
product = numpy.ones((40, 30)) @ numpy.ones((30, 20))
print(product.shape, product.sum(), numpy.linalg.svd(product)[1].max() > 0)
"""


@pytest.fixture(scope="module")
def nix() -> Iterator[Nix]:
    with running() as found:
        yield found


def copied(name: str, folder: Path, **caches: str) -> Path:
    """An example, locked."""
    shutil.copytree(
        EXAMPLES / name, folder, ignore=shutil.ignore_patterns(".venv", "pylock*", "result", "nix")
    )
    run([script("envlock"), "lock", "--as-of", "2026-03-01"], cwd=folder, env=caches, timeout=300)
    return folder / "pylock.toml"


def with_stand_in(path: Path, nix: Nix) -> None:
    """The stand-in takes nixpkgs' place: everything else is as a user has it."""
    lock = codec.load(path.read_text(), where="pylock.toml")
    path.write_text(codec.dump(dataclasses.replace(lock, nixpkgs=nix.nixpkgs)))


def test_numpy_is_built_and_runs_the_same_each_time(nix: Nix, tmp_path: Path) -> None:
    folder = tmp_path / "nix"
    envlock = script("envlock")
    caches = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    path = copied("nix", folder, **caches)
    lock = codec.load(path.read_text(), where="pylock.toml")
    assert lock.nixpkgs is not None
    assert lock.nixpkgs.branch == "nixos-25.11"
    with_stand_in(path, nix)

    run([envlock, "export", "nix"], cwd=folder, env=caches)
    before = {file.name: file.read_bytes() for file in (folder / "nix").iterdir()}
    done = run([envlock, "build", "nix", "--json"], cwd=folder, env=nix.variables, timeout=300)
    told = json.loads(done.stdout)
    built = Path(told["store-path"])
    assert built == nix.build(folder / "nix"), "exported or built at once, it is the same"
    said = run([folder / "result" / "bin" / "python", "-c", PROGRAM], env={"HOME": str(tmp_path)})
    assert said.stdout == "(40, 20) 24000.0 True\n"

    # numpy's own scripts have the environment's name in them.
    run([envlock, "sync"], cwd=folder, env=caches, timeout=300)
    [name] = [name for name in contents(built) if name.startswith("numpy-")]
    assert set(contents(built)) == set(contents(folder / ".venv"))
    ours, theirs = (contents(prefix)[name] for prefix in (built, folder / ".venv"))
    assert {p for p in ours if ours[p] != theirs[p]} == {p for p in ours if "/bin/" in p}
    assert ours.keys() == theirs.keys()

    nix.run("flake", "check", f"path:{folder / 'nix'}")
    elsewhere = {"TMPDIR": str(tmp_path), "TZ": "Pacific/Kiritimati", "LC_ALL": "C"}
    nix.build(folder / "nix", "default", "--rebuild", **elsewhere)
    again = json.loads(
        run([envlock, "build", "nix", "--json"], cwd=folder, env=nix.variables | elsewhere).stdout
    )
    assert again == told
    assert nix.nar_hash(built) == told["nar-hash"]
    assert {file.name: file.read_bytes() for file in (folder / "nix").iterdir()} == before
    run([envlock, "check", "--nix-only"], cwd=folder, env=nix.variables)


@pytest.mark.parametrize("name", ["quickstart", "data-science"])
def test_the_other_examples(nix: Nix, name: str, tmp_path: Path) -> None:
    """A small one is built; of more than a hundred packages it is enough to see what Nix would."""
    caches = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    folder = tmp_path / name
    path = copied(name, folder, **caches)
    with_stand_in(path, nix)
    run([script("envlock"), "export", "nix"], cwd=folder, env=caches)
    count = len(codec.load(path.read_text(), where="pylock.toml").packages)
    if name == "quickstart":
        nix.run("flake", "check", f"path:{folder / 'nix'}")
        built = nix.build(folder / "nix")
        assert len(list(built.glob("lib/python*/site-packages/*.dist-info"))) == count
        return
    [derivation] = json.loads(nix.run("show-derivation", f"path:{folder / 'nix'}")).values()
    assert count > 100
    assert sum(path.endswith(".whl.drv") for path in derivation["inputDrvs"]) == count


def test_real_sdists_give_what_was_published(nix: Nix, tmp_path: Path) -> None:
    """flit, hatchling and setuptools, each in an environment of its own, as the lock has them."""
    project = {
        "name": "s",
        "version": "1",
        "requires-python": ">=3.11",
        "dependencies": ["markdown-it-py==4.0.0", "pygments==2.19.2", "six==1.17.0"],
    }
    settings = {"sources": True, "build-exceptions": ["mdurl"]}
    folder = tmp_path / "project"
    folder.mkdir()
    tables = {"project": project, "tool": {"envlock": settings}}
    (folder / "pyproject.toml").write_text(tomli_w.dumps(tables))
    caches = {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    run([script("envlock"), "lock", "--as-of", "2026-03-01"], cwd=folder, env=caches, timeout=300)
    with_stand_in(folder / "pylock.toml", nix)
    run([script("envlock"), "export", "nix"], cwd=folder, env=caches)
    flake = folder / "nix"
    published, built = nix.build(flake), nix.build(flake, "from-source")
    told = json.loads((built / "share" / "envlock" / "from-source.json").read_text())
    assert {p["name"]: p["origin"] for p in told} == {
        "markdown-it-py": "source",
        "mdurl": "wheel",
        "pygments": "source",
        "six": "source",
    }
    ours, theirs = contents(built), contents(published)
    for name, files in theirs.items():
        differing = {path for path in files if ours[name].get(path) != files[path]}
        assert differing == {path for path in files if "/bin/" in path}, name
        assert ours[name].keys() == files.keys()
    nix.build(flake, "from-source", "--rebuild")
