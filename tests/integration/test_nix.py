"""Generated flakes, built by real Nix over a stand-in for nixpkgs; files come from loopback.

Nix itself is the judge: it evaluates, fetches by digest, builds, and tells digests of its own.
"""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.index import LoopbackIndex
from support.install import HERE, contents, locked, new_venv
from support.nix import Nix, running, write_flake
from support.packages import make_wheel
from support.project import Project
from support.samples import small_lock
from support.tools import UV, run

from envlock.export.nix.exporter import NixExporter
from envlock.lock import codec
from envlock.lock.builds import Build, BuildPin
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.os import OsLayer, OsPackage
from envlock.lock.package import PythonPackage
from envlock.lock.target import Target

pytestmark = pytest.mark.xdist_group("nix")

OLD = "2024-01-01"


@pytest.fixture(scope="module")
def nix() -> Iterator[Nix]:
    """One store for all tests here."""
    with running() as found:
        yield found


def locked_for(nix: Nix, *packages: PythonPackage, wishes: tuple[str, ...] = ()) -> Lock:
    """A lock for this machine whose nixpkgs is the stand-in."""
    lock = small_lock(*packages, wishes=wishes)
    request = dataclasses.replace(lock.request, targets=(HERE,))
    return dataclasses.replace(lock, targets=(HERE,), request=request, nixpkgs=nix.nixpkgs)


def exported(lock: Lock, folder: Path) -> Path:
    return write_flake(folder / "flake", NixExporter().export(lock))


def sample(index: LoopbackIndex) -> tuple[PythonPackage, ...]:
    """A program, an epoch and local version, files of every scheme, a library, bad Python."""
    tool = index.add(
        "tool",
        "1.2",
        OLD,
        files={
            "tool/__init__.py": "def main():\n    print('tool', {'b', 'a'} == {'a', 'b'})\n",
            "tool/old.py": "print 'Python 2'\n",
            "tool/lib.so": b"\x7fELF no library",
            "tool-1.2.dist-info/entry_points.txt": "[console_scripts]\ntool = tool:main\n",
            "tool-1.2.data/scripts/plain": "#!python\nimport tool; tool.main()\n",
            "tool-1.2.data/data/etc/tool.conf": "x = 1\n",
            "tool-1.2.data/headers/tool.h": "/* */\n",
            "tool-1.2.data/purelib/tool_extra.py": "x = 2\n",
        },
    )
    strange = index.add("strange", "1!2.0+local.1", OLD)
    return locked(index, tool), locked(index, strange)


@pytest.fixture(scope="module")
def built(nix: Nix, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Lock, Path, Path]]:
    """A lock, its flake, and the environment that Nix built of it."""
    with LoopbackIndex("json") as index:
        lock = locked_for(nix, *sample(index), wishes=("tool", "strange"))
        flake = exported(lock, tmp_path_factory.mktemp("sample"))
        yield lock, flake, nix.build(flake)


def test_the_environment_works(built: tuple[Lock, Path, Path]) -> None:
    _lock, _flake, path = built
    assert run([path / "bin" / "tool"]).stdout == "tool True\n"
    assert run([path / "bin" / "plain"]).stdout == "tool True\n"
    code = "import strange, tool_extra, sys; print(strange.__version__, tool_extra.x, sys.prefix)"
    said = run([path / "bin" / "python", "-c", code]).stdout.split()
    assert said == ["1!2.0+local.1", "2", str(path)]
    assert (path / "etc" / "tool.conf").read_text() == "x = 1\n"
    assert list((path / "include" / "site").rglob("tool.h"))


def test_the_lock_is_in_it(built: tuple[Lock, Path, Path]) -> None:
    lock, flake, path = built
    text = (path / "share" / "envlock" / "lock").read_text()
    assert text == codec.dump(lock)
    assert environment_hash(codec.load(text, where="lock")) == environment_hash(lock)
    assert environment_hash(lock).root in (flake / "flake.nix").read_text()


def test_it_holds_what_uv_installs(built: tuple[Lock, Path, Path], tmp_path: Path) -> None:
    """The same files and content; RECORD is right, but for what Nix may change or move."""
    lock, _flake, path = built
    pylock = tmp_path / "pylock.toml"
    pylock.write_text(codec.dump(lock))
    prefix = tmp_path / "venv"
    python = new_venv(prefix)
    run([UV, "pip", "sync", "--python", python, pylock])
    assert _without_scripts(contents(path)) == _without_scripts(contents(prefix))
    [site] = path.glob("lib/python*/site-packages")
    [record] = site.glob("tool-*.dist-info/RECORD")
    lines = record.read_text().splitlines()
    blank = {Path(line[:-2]).name for line in lines if line.endswith(",,")}
    assert blank == {"RECORD", "tool", "plain", "lib.so"}
    assert (site / "tool-1.2.dist-info" / "INSTALLER").read_text() == "envlock\n"


def _without_scripts(found: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """Names of scripts stay; their content has the environment's name in it."""
    return {
        name: {path: "" if "/bin/" in path else digest for path, digest in files.items()}
        for name, files in found.items()
    }


def test_every_pyc_is_trusted_by_its_content(built: tuple[Lock, Path, Path]) -> None:
    """PEP 552: flags 1 mean a hash that is not checked, since every file's time is the same."""
    compiled = list(built[2].rglob("*.pyc"))
    assert len(compiled) >= 3
    for file in compiled:
        assert int.from_bytes(file.read_bytes()[4:8], "little") == 1


def test_nix_accepts_flake_and_lock_as_they_are(nix: Nix, built: tuple[Lock, Path, Path]) -> None:
    lock, flake, _path = built
    before = {path.name: path.read_bytes() for path in flake.iterdir()}
    nix.run("flake", "check", f"path:{flake}")
    nix.run("flake", "lock", f"path:{flake}")
    told = json.loads(nix.run("flake", "metadata", "--json", f"path:{flake}"))
    assert environment_hash(lock).root in told["description"]
    assert told["locks"] == json.loads(before["flake.lock"])
    assert {path.name: path.read_bytes() for path in flake.iterdir()} == before


def test_the_check_imports_what_was_asked_for(
    nix: Nix, built: tuple[Lock, Path, Path], index: LoopbackIndex, tmp_path: Path
) -> None:
    _lock, flake, _path = built
    out = nix.build(flake, f"checks.{_system(flake)}.imports").read_text()
    assert out.splitlines() == [
        "strange 1!2.0+local.1: strange",
        "tool 1.2: tool",
        "tool 1.2: tool_extra",
    ]
    broken = index.add("broken", "1", OLD, files={"broken/__init__.py": "import not_there\n"})
    bad = exported(locked_for(nix, locked(index, broken), wishes=("broken",)), tmp_path)
    done = nix.attempt("flake", "check", f"path:{bad}")
    assert done.returncode != 0
    assert (
        "not_there"
        in nix.attempt("build", "-L", f"path:{bad}#checks.{_system(bad)}.imports").stderr
    )


def _system(flake: Path) -> str:
    [system] = json.loads((flake / "env.json").read_text())["systems"]
    assert isinstance(system, str)
    return system


def test_built_again_elsewhere_it_is_the_same(nix: Nix, built: tuple[Lock, Path, Path]) -> None:
    _lock, flake, path = built
    digest = nix.nar_hash(path)
    nix.build(flake, "default", "--rebuild")
    other = nix.root / "other temporary files"
    other.mkdir(exist_ok=True)
    nix.run("store", "delete", path)
    assert not path.exists()
    elsewhere = {"TMPDIR": str(other), "TZ": "Pacific/Kiritimati", "LC_ALL": "C", "LANG": "C"}
    assert nix.build(flake, **elsewhere) == path
    assert nix.nar_hash(path) == digest


def test_shell_and_image_bear_the_hash(nix: Nix, built: tuple[Lock, Path, Path]) -> None:
    lock, flake, path = built
    root = environment_hash(lock).root
    said = nix.run("develop", f"path:{flake}", "-c", "sh", "-c", "echo $ENVLOCK_ENVIRONMENT; tool")
    assert said.split() == [root, "tool", "True"]
    image = json.loads(nix.build(flake, "image").read_text())
    assert image["tag"] == environment_hash(lock).short
    assert image["config"]["Labels"] == {"org.envlock.environment": root}
    assert f"ENVLOCK_ENVIRONMENT={root}" in image["config"]["Env"]
    assert image["config"]["Cmd"] == [f"{path}/bin/python"]


def test_many_wheels_do_not_fit_an_environment_variable(
    nix: Nix, built: tuple[Lock, Path, Path], tmp_path: Path
) -> None:
    _lock, flake, _path = built
    many = tmp_path / "many"
    shutil.copytree(flake, many)
    env = json.loads((many / "env.json").read_text())
    strange, tool = env["targets"][0]["wheels"]
    # Linux: one variable has at most 128 KiB.
    strange["wheel"]["name"] = "x" * 196 + ".whl"
    env["targets"][0]["wheels"] = [strange] * 600 + [tool]
    (many / "env.json").write_text(json.dumps(env))
    assert 600 * (len(str(nix.root / "store")) + 32 + 200) > 128 * 1024
    assert (nix.build(many) / "bin" / "tool").exists()


# --- from source ---------------------------------------------------------------------------------


def _build(package: PythonPackage, *pins: str, programs: tuple[str, ...] = ()) -> Build:
    assert package.sdist is not None
    return Build(
        package=package.name,
        version=package.version or "",
        sdist=package.sdist.sha256,
        backend="tiny_backend",
        backend_path=("_backend",),
        pins=tuple(BuildPin(name=pin, version="1") for pin in pins),
        programs=programs,
    )


def _sources(nix: Nix, index: LoopbackIndex) -> Lock:
    """alpha: wheel and sdist; sole: an sdist whose backend needs helper; plain: a wheel alone."""
    code = {"_backend/helped.py": "import helper\n"}
    wheel = index.add("alpha", "1", OLD)
    alpha = locked(index, wheel, index.add("alpha", "1", OLD, sdist=True))
    uses = {"sole/__init__.py": "made = 'from source'\n", **code}
    sole = locked(index, index.add("sole", "1", OLD, sdist=True, files=uses))
    helper = locked(index, index.add("helper", "1", OLD))
    plain = locked(index, index.add("plain", "1", OLD))
    lock = locked_for(nix, alpha, plain, sole, wishes=("alpha", "sole"))
    return dataclasses.replace(
        lock, builds=(_build(alpha), _build(sole, "helper")), build_packages=(helper,)
    )


def test_from_source(nix: Nix, index: LoopbackIndex, tmp_path: Path) -> None:
    flake = exported(_sources(nix, index), tmp_path)
    path = nix.build(flake, "from-source")
    told = json.loads((path / "share" / "envlock" / "from-source.json").read_text())
    assert [(p["name"], p["origin"], p["reason"]) for p in told] == [
        ("alpha", "source", None),
        ("plain", "wheel", "there is no sdist"),
        ("sole", "source", None),
    ]
    [made] = path.glob("lib/python*/site-packages/alpha-1.dist-info/WHEEL")
    assert "Generator: tiny\n" in made.read_text()
    [site] = path.glob("lib/python*/site-packages")
    assert not list(site.glob("helper*")), "what building needs is not in the environment"
    digest = nix.nar_hash(path)
    nix.run("store", "delete", path)
    assert nix.build(flake, "from-source") == path
    assert nix.nar_hash(path) == digest


def test_what_has_no_wheel_is_built_in_any_case(
    nix: Nix, index: LoopbackIndex, tmp_path: Path
) -> None:
    path = nix.build(exported(_sources(nix, index), tmp_path))
    code = "import sole; print(sole.made)"
    assert run([path / "bin" / "python", "-c", code]).stdout == "from source\n"
    [kept] = path.glob("lib/python*/site-packages/alpha-1.dist-info/WHEEL")
    assert "Generator: envlock-tests\n" in kept.read_text()


# --- what nixpkgs has not ------------------------------------------------------------------------


def _with_os(lock: Lock, *names: str, called: tuple[str, ...] = ()) -> Lock:
    assert lock.nixpkgs is not None
    packages = tuple(
        OsPackage(
            architecture=HERE.platform.partition("/")[2],
            name=name,
            version="1",
            sha256="0" * 64,
            size=1,
            file_name=f"pool/{name}.deb",
            suite="bookworm",
            source=name,
            source_version="1",
            requested=True,
        )
        for name in names
    )
    layer = OsLayer(base="debian:bookworm", archives=(), packages=packages)
    return dataclasses.replace(
        lock, os=layer, nixpkgs=dataclasses.replace(lock.nixpkgs, names=called)
    )


def test_os_packages_are_in_shell_and_image(nix: Nix, index: LoopbackIndex, tmp_path: Path) -> None:
    lock = locked_for(nix, locked(index, index.add("alpha", "1", OLD)), wishes=("alpha",))
    called = ("graphviz=graphviz", "libgl1=libGL")
    flake = exported(_with_os(lock, "graphviz", "libgl1", called=called), tmp_path)
    assert nix.run("develop", f"path:{flake}", "-c", "dot") == "dot here\n"
    searched = nix.run("develop", f"path:{flake}", "-c", "sh", "-c", "echo $LD_LIBRARY_PATH")
    assert "-graphviz/lib:" in searched
    image = json.loads(nix.build(flake, "image").read_text())
    assert [Path(p).name[33:] for p in image["contents"]] == ["graphviz", "libGL"]
    [path] = [v for v in image["config"]["Env"] if v.startswith("PATH=")]
    assert "-graphviz/bin" in path


def _attempt(project: Project, nix: Nix, lock: Lock, *options: str) -> tuple[int, str]:
    project.lock_path.write_text(codec.dump(lock))
    done = project.run("build", "nix", *options, **nix.variables)
    return done.returncode, done.stderr


def test_missing_in_nixpkgs_is_said_clearly(
    nix: Nix, index: LoopbackIndex, project: Project
) -> None:
    project.write("alpha")
    lock = locked_for(nix, locked(index, index.add("alpha", "1", OLD)), wishes=("alpha",))
    code, said = _attempt(project, nix, _with_os(lock, "gone", called=("gone=not-there.lib",)))
    assert code == 2
    assert "has no not-there.lib (gone, an OS package of the lock)" in said
    assert 'names = { "gone" = "…" } in [tool.envlock.nix]' in said

    def for_python(version: str) -> Lock:
        target = Target(platform=HERE.platform, python=version)
        request = dataclasses.replace(lock.request, targets=(target,))
        return dataclasses.replace(lock, targets=(target,), request=request)

    code, said = _attempt(project, nix, for_python("3.9"))
    assert (code, "has no python39" in said) == (2, True)
    code, said = _attempt(project, nix, for_python(f"{HERE.python}.99"))
    assert code == 2
    assert f"has no CPython {HERE.python}.99, but {HERE.python}." in said
    assert not (project.root / "pylock.realised.json").exists()


def test_a_wheel_for_a_newer_c_library(nix: Nix, index: LoopbackIndex, project: Project) -> None:
    project.write("alpha")
    tag = f"py3-none-manylinux_2_59_{os.uname().machine}"
    wheel = index.add("alpha", "1", OLD, tag=tag)
    code, said = _attempt(project, nix, locked_for(nix, locked(index, wheel)))
    assert code == 2
    assert "needs glibc 2.59, and nixpkgs" in said


# --- envlock build nix ---------------------------------------------------------------------------


def test_build_records_and_check_compares(nix: Nix, index: LoopbackIndex, project: Project) -> None:
    project.write("alpha")
    lock = locked_for(nix, locked(index, index.add("alpha", "1", OLD)), wishes=("alpha",))
    project.lock_path.write_text(codec.dump(lock))
    done = project.run("build", "nix", "--json", **nix.variables)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    path = Path(told["store-path"])
    assert (project.root / "result").resolve() == path
    assert told["nar-hash"] == nix.nar_hash(path)
    assert told["environment-hash"] == environment_hash(lock).root
    record = project.root / "pylock.realised.json"
    first = record.read_bytes()
    odd = nix.root / "a folder #1?"
    odd.mkdir()
    again = project.run("build", "nix", **nix.variables | {"TMPDIR": str(odd)})
    assert again.stdout.strip() == str(path), again.stderr
    assert record.read_bytes() == first
    assert project.run("check", "--nix-only", **nix.variables).returncode == 0

    # From another lock.
    other = locked_for(nix, locked(index, index.add("alpha", "2", OLD)), wishes=("alpha",))
    project.lock_path.write_text(codec.dump(other))
    drifted = project.run("check", "--nix-only", "--json", **nix.variables)
    assert drifted.returncode == 1
    [drift] = json.loads(drifted.stdout)["drift"]
    assert (drift["code"], drift["layer"]) == ("NX001", "nix")
    assert drift["subject"] == f"environment {HERE.key}"
    project.lock_path.write_text(codec.dump(lock))

    # Changed in the store.
    [module] = path.glob("lib/python*/site-packages/alpha/__init__.py")
    module.chmod(0o644)
    kept = module.read_bytes()
    module.write_bytes(b"x = 1\n")
    drifted = project.run("check", "--nix-only", "--json", **nix.variables)
    [drift] = json.loads(drifted.stdout)["drift"]
    assert (drift["code"], drift["expected"]) == ("NX002", told["nar-hash"])
    module.write_bytes(kept)
    module.chmod(0o444)
    assert stat.S_IMODE(module.stat().st_mode) == 0o444

    # Built to other bytes before.
    record.write_bytes(first.replace(told["nar-hash"].encode(), b"sha256-" + b"A" * 43 + b"="))
    done = project.run("build", "nix", **nix.variables)
    assert done.returncode == 4
    assert "not bit for bit the same" in done.stderr


def test_faults_of_the_source(nix: Nix, index: LoopbackIndex, project: Project) -> None:
    project.write("alpha")
    package = locked(index, index.add("alpha", "7", OLD))
    [wheel] = package.wheels

    def lock(**changes: str) -> Lock:
        file = dataclasses.replace(wheel, **changes)
        return locked_for(nix, dataclasses.replace(package, wheels=(file,)), wishes=("alpha",))

    code, said = _attempt(project, nix, lock(url=f"{index.base}/nothing.whl"))
    assert code == 3
    assert "unable to download" in said
    assert "warning:" not in said
    assert "nothing.whl" in said
    code, said = _attempt(project, nix, lock(sha256="0" * 64))
    assert (code, "hash mismatch" in said) == (4, True)


def test_without_nix(index: LoopbackIndex, nix: Nix, project: Project, tmp_path: Path) -> None:
    project.write("alpha")
    lock = locked_for(nix, locked(index, index.add("alpha", "1", OLD)), wishes=("alpha",))
    project.lock_path.write_text(codec.dump(lock))
    done = project.run("build", "nix", PATH=str(tmp_path))
    assert done.returncode == 3
    assert "apt-get install nix-bin" in done.stderr
    assert project.run("export", "nix", PATH=str(tmp_path)).returncode == 0
    assert (project.root / "nix" / "flake.nix").exists()


def test_a_wheel_that_leads_out_of_itself(nix: Nix, index: LoopbackIndex, tmp_path: Path) -> None:
    name, content = make_wheel("evil", "1", files={"../../../evil.py": "x = 1\n"})
    stored = index.add_file("evil", "1", OLD, name, content)
    flake = exported(locked_for(nix, locked(index, stored), wishes=("evil",)), tmp_path)
    done = nix.attempt("build", "-L", "--no-link", f"path:{flake}")
    assert done.returncode != 0
    assert "leads out of the wheel" in done.stderr


# --- envlock rebuild --backend nix ---------------------------------------------------------------


def test_rebuilt_and_held_to_the_wheels(
    nix: Nix, index: LoopbackIndex, project: Project, tmp_path: Path
) -> None:
    """From a folder of files alone: the addresses in the lock give nothing any more."""
    project.write("tool")
    cache = tmp_path / "cache"
    variables = {**nix.variables, "ENVLOCK_CACHE_DIR": str(cache), "ENVLOCK_HTTP_RETRIES": "0"}
    lock = locked_for(nix, *sample(index), wishes=("tool", "strange"))
    project.lock_path.write_text(codec.dump(lock))
    kept = tmp_path / "kept"
    kept.mkdir()
    for name in ("tool", "strange"):
        [file] = index.files(name)
        (kept / file.name).write_bytes(file.content)
        index.drop(name)

    arguments = ("rebuild", "--backend", "nix", "--into", "made")
    done = project.run(*arguments, **variables)
    assert done.returncode == 3
    assert "2 files are missing" in done.stderr
    assert not (project.root / "made").exists()

    done = project.run(*arguments, "--from", str(kept), "--json", **variables)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert (project.root / "made").resolve() == Path(told["store-path"])
    assert told["digest"] == nix.nar_hash(Path(told["store-path"]))
    assert set(told["fetched"].values()) == {"bundle"}
    assert told["same"] is True
    assert told["drift"] == []
    assert {p["name"]: (p["state"], p["differences"]) for p in told["packages"]} == {
        "strange": ("identical", []),
        "tool": ("identical", []),
    }
    assert run([project.root / "made" / "bin" / "tool"]).stdout == "tool True\n"

    # Nix takes what is in its store for what it built; the wheels know better.
    [module] = Path(told["store-path"]).glob("lib/python*/site-packages/tool/__init__.py")
    module.chmod(0o644)
    content = module.read_bytes()
    module.write_bytes(b"# " + content)
    again = project.run(*arguments, "--offline", "--jobs", "1", **variables)
    module.write_bytes(content)
    module.chmod(0o444)
    assert again.returncode == 4
    assert "different  tool 1.2: ~ tool/__init__.py" in again.stderr
    assert "NOT the same as" in again.stderr


def test_what_is_missing_for_nix_is_said(
    nix: Nix, index: LoopbackIndex, project: Project, tmp_path: Path
) -> None:
    project.write("alpha")
    lock = locked_for(nix, locked(index, index.add("alpha", "1", OLD)), wishes=("alpha",))
    project.lock_path.write_text(codec.dump(lock))
    arguments = ("rebuild", "--backend", "nix", "--into", "made")
    done = project.run(*arguments, **nix.variables | {"PATH": str(tmp_path)})
    assert (done.returncode, "Nix is not installed" in done.stderr) == (3, True)
    (project.root / "made").mkdir()
    done = project.run(*arguments, **nix.variables)
    assert (done.returncode, "left as it is" in done.stderr) == (2, True)
    (project.root / "made").rmdir()
    done = project.run(*arguments, **nix.variables | {"NIX_REMOTE": f"unix://{tmp_path}/none"})
    assert done.returncode == 3
    assert "Nix's daemon does not answer" in done.stderr
    assert "systemctl start nix-daemon" in done.stderr
    assert not (project.root / "made").is_symlink()


def test_rebuilt_from_source_is_compared_with_what_was_published(
    nix: Nix, index: LoopbackIndex, project: Project
) -> None:
    project.write("alpha", "sole")
    lock = _sources(nix, index)
    lock = dataclasses.replace(lock, request=dataclasses.replace(lock.request, sources=True))
    project.lock_path.write_text(codec.dump(lock))
    arguments = ("rebuild", "--backend", "nix", "--from-source", "--into", "made", "--json")
    done = project.run(*arguments, **nix.variables)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # sole was never published as a wheel: there is nothing to compare it with.
    assert [(p["name"], p["built"], p["state"]) for p in told["packages"]] == [
        ("alpha", True, "metadata-only"),
        ("plain", False, "identical"),
    ]
    assert all(d.startswith("~ alpha-1.dist-info/") for d in told["packages"][0]["differences"])
    assert (told["same"], told["drift"]) == (True, [])
