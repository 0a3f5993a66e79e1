"""Real Guix takes what `envlock export guix` writes; the journey begins with `envlock lock`.

Its version of Guix is what sid has, not the commit that the lock names, so what is looked at here
holds at any time: that everything loads, which derivations there are, and what is fetched.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from support import real_index
from support.guix import build, guile_strings, guix_lock, native, pure, with_guix
from support.guix_root import GuixRoot, write
from support.index import LoopbackIndex
from support.packages import make_wheel, tar_gz
from support.project import Project
from support.samples import package
from support.tools import run

from envlock.export.guix.exporter import CHANNELS, MANIFEST, MODULE, GuixExporter
from envlock.export.store import base32
from envlock.lock.hashing import environment_hash
from envlock.lock.package import Archive, Artifact, Dependency, PythonPackage

USE = ("-L", "modules", "-m", MANIFEST)
AS_OF = {"GIT_COMMITTER_DATE": "2024-01-01T00:00:00Z", "GIT_AUTHOR_DATE": "2024-01-01T00:00:00Z"}


def channel(folder: Path) -> str:
    """A repository that stands for Guix's; the commit that it had at the date."""
    name = ("-c", "user.name=Test", "-c", "user.email=test@example.org")
    run(["git", "init", "--quiet", "-b", "master", folder])
    commit = ["git", "-C", folder, *name, "commit", "--quiet", "--allow-empty", "-m"]
    run([*commit, "before"], env=AS_OF)
    found = run(["git", "-C", folder, "rev-parse", "HEAD"]).stdout.strip()
    run([*commit, "later"])
    return found


@pytest.fixture
def exported(project: Project, index: LoopbackIndex, tmp_path: Path) -> tuple[Project, Path, str]:
    """A project that was locked and exported, the folder, and the channel's commit."""
    commit = channel(tmp_path / "channel")
    for name, needs in {"alpha": ["beta", "gamma"], "beta": ["gamma"], "gamma": []}.items():
        for sdist in (False, True):
            index.add(name, "1.0", "2024-01-01", requires=needs, sdist=sdist)
    settings = {"python": "3.11", "targets": ["linux/amd64"]}
    table = {"url": (tmp_path / "channel").as_uri()}
    project.write("alpha", settings={**settings, "guix": table}).lock()
    done = project.run("export", "guix")
    assert done.returncode == 0, done.stderr
    return project, project.root / "guix", commit


def test_the_journey(guix: GuixRoot, exported: tuple[Project, Path, str]) -> None:
    project, folder, commit = exported
    lock = project.read()

    loaded = guix.run(
        folder,
        "guile",
        "-c",
        f"(use-modules (guix channels)) (for-each (lambda (one) (format #t "
        f'"~a ~a ~a ~a~%" (channel-name one) (channel-url one) (channel-branch one)'
        f' (channel-commit one))) (load "/mnt/{CHANNELS}"))',
    )
    url = (project.root.parent / "channel").as_uri()
    assert loaded.out == f"guix {url} master {commit}\n"

    derivations = guix.run(folder, "guix", "build", "-d", *USE).out.split()
    names = {re.sub(r"^/gnu/store/[a-z0-9]{32}-", "", path) for path in derivations}
    hashed = environment_hash(lock).root
    assert f"envlock-lock-{hashed}.drv" in names
    assert {f"python-{name}-1.0.drv" for name in ("alpha", "beta", "gamma")} <= names
    assert len(names) == 5
    assert guix.run(folder, "guix", "build", "-d", *USE).out.split() == derivations

    assert "python-alpha-1.0" in guix.run(folder, "guix", "shell", "-n", *USE).err
    packed = guix.run(folder, "guix", "pack", "-d", "-f", "docker", "-S", "/bin=bin", *USE)
    assert re.search(r"^/gnu/store/\S+docker-pack\S*\.drv$", packed.out, re.M)

    # What Guix fetches is the locked sdist, byte for byte.
    for name in ("alpha", "beta", "gamma"):
        expression = f"(@@ (envlock environment) python-{name})"
        path = guix.run(folder, "guix", "build", "-S", "-L", "modules", "-e", expression).out
        content = guix.path(path.strip()).read_bytes()
        [found] = lock.package(name)
        assert found.sdist is not None
        assert hashlib.sha256(content).hexdigest() == found.sdist.sha256
        printed = guix.run(folder, "guix", "hash", path.strip()).out.strip()
        assert printed == base32(found.sdist.sha256)


def test_another_file_under_the_same_url_is_refused(
    guix: GuixRoot, exported: tuple[Project, Path, str], index: LoopbackIndex
) -> None:
    project, folder, _commit = exported
    module = folder / MODULE
    [found] = project.read().package("alpha")
    assert found.sdist is not None
    other = "0" * 64
    module.write_text(module.read_text().replace(base32(found.sdist.sha256), base32(other)))
    expression = "(@@ (envlock environment) python-alpha)"
    said = guix.run(folder, "guix", "build", "-S", "-L", "modules", "-e", expression, check=False)
    assert said.code == 1
    assert "hash mismatch" in said.err
    assert base32(found.sdist.sha256) in said.err


def test_a_guix_with_another_python_is_refused(guix: GuixRoot, tmp_path: Path) -> None:
    lock = guix_lock()
    target = replace(lock.targets[0], python="3.8")
    lock = replace(lock, targets=(target,), packages=lock.packages[:1], os=None)
    folder = write(GuixExporter().export(lock), tmp_path)
    for command in (["build", "-d"], ["shell", "-n"]):
        said = guix.run(folder, "guix", *command, *USE, check=False)
        assert said.code == 1
        assert "the lock is for Python 3.8, but this Guix has Python 3." in said.err
        assert "or as of a date at which Guix had Python 3.8" in said.err
    # Who only has the folder in his load path is not disturbed.
    assert guix.run(folder, "guix", "build", "-d", "-L", "modules", "hello").code == 0


def test_every_kind_of_definition_has_a_derivation(guix: GuixRoot, tmp_path: Path) -> None:
    lock = guix_lock()
    more = replace(native("odd", "1!2.0+local"), dependencies=())
    # Through these lead more ways than could ever be walked.
    ways = [
        pure(f"p{n:02}", needs=[f"p{m:02}" for m in (n + 1, n + 2, n + 3) if m < 60])
        for n in range(60)
    ]
    lock = replace(
        lock,
        packages=(*lock.packages, more, *ways),
        builds=(*lock.builds, build("odd", "tool==1.0", version="1!2.0+local")),
        build_packages=(*lock.build_packages, package("tool")),
    )
    folder = write(GuixExporter().export(lock), tmp_path)
    found = guix.run(folder, "guix", "build", "-d", *USE).out
    for name in ("arch-2.0", "left-1.0", "nat-1.0", "right-1.0", "odd-1_2.0+local"):
        assert f"-python-{name}.drv" in found
    assert "-mesa-" in found
    assert "-python-p00-1.0.drv" in found
    packed = guix.run(folder, "guix", "pack", "-d", "-f", "docker", "-S", "/bin=bin", *USE)
    assert packed.out.endswith(".drv\n")
    # The build tool goes into the build of what needs it, and nowhere else.
    [derivation] = re.findall(r"^\S+-python-nat-1\.0\.drv$", found, re.M)
    recipe = guix.path(derivation).read_text()
    assert "-python-setuptools-68.0.drv" in recipe
    assert "-ninja-" in recipe
    assert "-python-tool-1.0.drv" not in recipe


def test_texts_of_the_lock_are_what_guix_sees(guix: GuixRoot, tmp_path: Path) -> None:
    hostile = 'https://files.example.org/a"b;c\\(d)#|e|#é\U0001f40d.tar.gz'
    lock = with_guix(native("aa"))
    found = lock.packages[0]
    assert found.sdist is not None
    lock = replace(
        lock,
        packages=(replace(found, sdist=replace(found.sdist, url=hostile)),),
        builds=(build("aa"),),
    )
    files = GuixExporter().export(lock)
    folder = write(files, tmp_path / "export")
    code = (
        '(use-modules (guix packages)) (set-port-encoding! (current-output-port) "UTF-8")'
        "(display (origin-uri (package-source (@@ (envlock environment) python-aa))))"
    )
    assert guix.run(folder, "guile", "-L", "modules", "-c", code).out == hostile
    assert hostile in guile_strings(tmp_path, [files[MODULE]])[0]


BACKEND = """\
import zipfile


def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{folder}/aa-1.0-py3-none-any.whl", "w") as wheel:
        wheel.write("aa.py")
        wheel.writestr("aa-1.0.dist-info/METADATA", "Name: aa\\nVersion: 1.0\\n")
        wheel.writestr("aa-1.0.dist-info/entry_points.txt", "[console_scripts]\\naa = aa:main\\n")
    return "aa-1.0-py3-none-any.whl"
"""


OUT = f"/gnu/store/{'0' * 32}-"
# As Guix's own Python, it looks where GUIX_PYTHONPATH says.
PYTHON = b'#!/bin/sh\nPYTHONPATH=$GUIX_PYTHONPATH exec /usr/bin/python3 "$@"\n'


def build_all(guix: GuixRoot, folder: Path, identifiers: list[str]) -> str:
    """Build these definitions in their order, each into ``OUT``; where in it Python looks."""
    version = guix.run(folder, "python3", "-c", "import platform as p; print(p.python_version())")
    python = f"python-{version.out.strip()}"
    site = f"lib/python{version.out.rpartition('.')[0]}/site-packages"
    stand_in = (Path(__file__).parent / "stand_in.scm").read_bytes()
    tree = {f"{python}/bin/python": PYTHON, f"{python}/{site}/README": b"", "python": PYTHON}
    write({**tree, "stand_in.scm": stand_in}, folder)
    for name in (f"{python}/bin/python", "python"):
        (folder / name).chmod(0o755)
    fetch = ["guix", "build", "-S", "-L", "modules"]
    for name in identifiers:
        fetch += ["-e", f"(@@ (envlock environment) {name})"]
    sources = guix.run(folder, *fetch).out.split()
    # Guix answers in its own order.
    pairs = [f"{name}={_source(folder, name, sources)}" for name in identifiers]
    guix.run(folder, "guile", "-L", "modules", "stand_in.scm", f"/mnt/{python}", OUT, *pairs)
    return site


def _source(folder: Path, identifier: str, sources: list[str]) -> str:
    text = (folder / MODULE).read_text().partition(f"(define {identifier}\n")[2]
    [file] = re.findall(r'\(file-name "([^"]+)"\)', text.partition("\n\n")[0])
    [found] = [path for path in sources if path[len(OUT) :] == file]
    return found


def test_the_recipes_build(guix: GuixRoot, index: LoopbackIndex, tmp_path: Path) -> None:
    """A build tool is installed from its wheel, and its backend builds a package with it."""
    name, tool = make_wheel("tool", "1.0", files={"tool_backend.py": BACKEND})
    tree = {
        "top/in/pyproject.toml": b"[build-system]\nbuild-backend = 'tool_backend'\nrequires = []",
        "top/in/aa.py": b"import bb\n\ndef main():\n    print('aa with', bb.__version__)\n",
    }
    sdist = tar_gz(tree)
    bb = index.add("bb", "1.0", "2024-01-01", sdist=True)

    def sha256(content: bytes) -> str:
        return hashlib.sha256(content).hexdigest()

    bb_sdist = Artifact(name=bb.name, url=index.file_url(bb), sha256=sha256(bb.content))
    packages = (
        PythonPackage(
            name="aa",
            version="1.0",
            dependencies=(Dependency(name="bb"),),
            archive=Archive(
                url=index.put("/aa.tar.gz", sdist), sha256=sha256(sdist), subdirectory="in"
            ),
        ),
        PythonPackage(name="bb", version="1.0", sdist=bb_sdist),
    )
    wheel = Artifact(name=name, url=index.put(f"/{name}", tool), sha256=sha256(tool))
    lock = replace(
        with_guix(*packages),
        builds=(build("aa", "tool==1.0"), build("bb")),
        build_packages=(PythonPackage(name="tool", version="1.0", wheels=(wheel,)),),
    )
    folder = write(GuixExporter().export(lock), tmp_path)
    site = build_all(guix, folder, ["build:tool@1.0", "python-bb", "python-aa"])

    assert guix.run(folder, f"{OUT}python-aa-1.0/bin/aa").out == "aa with 1.0\n"
    tool_site = guix.path(f"{OUT}python-tool-1.0") / site
    assert (tool_site / "tool_backend.py").read_text() == BACKEND


@pytest.mark.network
def test_real_packages_build_with_their_locked_requirements(
    guix: GuixRoot, project: Project, tmp_path: Path
) -> None:
    """Three backends: flit, hatchling with plugins, setuptools with setuptools-scm."""
    channel(tmp_path / "channel")
    project.variables["UV_DEFAULT_INDEX"] = real_index.default_index()
    wanted = {"click": "8.2.1", "attrs": "25.3.0", "python-dateutil": "2.9.0.post0"}
    table = {"url": (tmp_path / "channel").as_uri()}
    settings = {"python": "3.11", "targets": ["linux/amd64"], "sources": True, "guix": table}
    project.write(*wanted, settings=settings).lock(as_of="2025-06-01")
    assert project.run("export", "guix").returncode == 0
    folder = project.root / "guix"

    defined = re.findall(r"^\(define ((?:build:|python-)\S+)$", (folder / MODULE).read_text(), re.M)
    site = build_all(guix, folder, defined)
    for name, version in wanted.items():
        found = guix.path(f"{OUT}python-{name.removeprefix('python-')}-{version}") / site
        [metadata] = found.glob("*.dist-info/METADATA")
        assert f"\nVersion: {version}\n" in metadata.read_text()
    path = f"GUIX_PYTHONPATH={OUT}python-click-8.2.1/{site}"
    code = "import click; print(click.style('x', fg='red'))"
    assert guix.run(folder, "env", path, "./python", "-c", code).out == "\x1b[31mx\x1b[0m\n"
