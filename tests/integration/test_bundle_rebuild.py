"""A bundle's ``rebuild.sh``: real shells, few programs, no network, an ordinary user."""

from __future__ import annotations

import hashlib
import io
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.apt_root import AptRoot
from support.bundles import PROGRAMS, few_programs, judge, rebuild, serving
from support.image_world import World
from support.index import LoopbackIndex
from support.install import contents, locked, write_lock
from support.packages import toy_backend, toy_sdist
from support.project import AS_OF, Project
from support.registries import skopeo
from support.small_disk import small_disk
from support.tiny_archive import signer
from support.tools import PIP, UV, run

from envlock.io.store import store_file
from envlock.lock import codec
from envlock.lock.interpreter import StandalonePython

OLDER = "2024-01-01"
ENTRY_POINTS = "[console_scripts]\nsay = tool.cli:Main.start\nother-Name = tool.cli:other [x]\n"
CLI = """\
import sys

class Main:
    @staticmethod
    def start():
        print("said", *sys.argv[1:])
        return 3

def other():
    print("other")
"""


@pytest.fixture(scope="module")
def index() -> Iterator[LoopbackIndex]:
    with LoopbackIndex("json") as running:
        yield running


@pytest.fixture
def project(project: Project, index: LoopbackIndex) -> Project:
    """A project with a wheel that has files of every kind, and one that needs a new C library."""
    tool = index.add(
        "tool",
        "1.0",
        OLDER,
        files={
            "tool/cli.py": CLI,
            "tool/ü.txt": "text",
            "tool-1.0.dist-info/entry_points.txt": ENTRY_POINTS,
            "tool-1.0.data/scripts/old.py": "#!python -u\nimport sys; print(sys.prefix)\n",
            "tool-1.0.data/scripts/plain.sh": "#!/bin/sh\necho plain\n",
            "tool-1.0.data/data/share/tool.txt": "data\n",
            "tool-1.0.data/headers/tool.h": "int x;\n",
            "tool-1.0.data/purelib/tool_more.py": "x = 1\n",
        },
    )
    tag = f"py{sys.version_info[0]}-none-manylinux"
    both = [
        index.add("native", "2", OLDER, tag=f"{tag}_{glibc}_x86_64", files={"native/a": glibc})
        for glibc in ("2_17", "2_55")
    ]
    project.write("tool", "native")
    write_lock(project.root, locked(index, tool), locked(index, *both))
    return project


@pytest.fixture
def bundle(project: Project) -> Path:
    done = project.run("bundle")
    assert done.returncode == 0, done.stderr
    return project.root / "bundle"


def here() -> dict[str, str]:
    """This machine's PATH, with this Python first."""
    return {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def test_it_installs_what_envlock_sync_installs(project: Project, bundle: Path) -> None:
    assert project.run("sync").returncode == 0
    into = project.root / "with space" / "env"
    done = rebuild(bundle, here(), "--into", into)
    assert done.stdout == project.run("hash").stdout
    theirs, ours = (contents(prefix) for prefix in (project.root / ".venv", into))
    assert ours.keys() == theirs.keys() == {"tool-1.0", "native-2"}
    for name, table in theirs.items():
        programs = {path for path in table if "/bin/" in path}
        assert ours[name].keys() == table.keys()
        assert {p: d for p, d in ours[name].items() if p not in programs} == {
            p: d for p, d in table.items() if p not in programs
        }
    nothing_to_say(project, into)
    for program, code, said in (
        (("say", "a b"), 3, "said a b\n"),
        (("other-Name",), 0, "other\n"),
        (("old.py",), 0, f"{into}\n"),
        (("plain.sh",), 0, "plain\n"),
        (("python", "-c", "import native, tool_more; print(1)"), 0, "1\n"),
    ):
        ran = subprocess.run([into / "bin" / program[0], *program[1:]], capture_output=True)
        assert (ran.returncode, ran.stdout.decode()) == (code, said), ran.stderr
    assert (into / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}").is_dir()
    assert [p.name for p in into.parent.iterdir()] == ["env"]
    with serving(project, bundle) as told:
        (requirements,) = told["requirements"].values()
        exactly = ["--no-deps", "--require-hashes", "--index-url", told["simple"]]
        python = project.root / "by-pip" / "bin" / "python"
        run([sys.executable, "-m", "venv", "--without-pip", python.parent.parent])
        run([*PIP, "--python", python, "install", *exactly, "-r", requirements])
    assert contents(project.root / "by-pip").keys() == theirs.keys()
    again = rebuild(bundle, here(), "--into", into, code=2)
    assert "something is there already" in again.stderr
    judge(bundle)  # nothing was left in it


def nothing_to_say(project: Project, prefix: Path) -> None:
    """``envlock check`` reads every file: all are of locked files, and as they were."""
    done = project.run("check", "--python-only", "--paranoid", "--prefix", str(prefix))
    assert done.returncode == 0, done.stderr
    assert "not known" not in done.stdout + done.stderr


def test_it_gives_what_envlock_rebuild_gives(project: Project, index: LoopbackIndex) -> None:
    """Also where a wheel is built on the way, of which no digest is locked."""
    index.add("helper", "1", OLDER)
    index.add("toyback", "1", OLDER, files=toy_backend("helper"))
    code = "import os; text = 'when = ' + repr([os.environ['SOURCE_DATE_EPOCH'],"
    code += " os.environ['TZ'], os.stat('toy.txt').st_mtime, os.stat('.').st_mtime])"
    index.add("made", "1.0", OLDER, sdist=True, files=toy_sdist("made", "1.0", code=code))
    index.add("tool", "1.0", OLDER, sdist=True)  # not in the bundle
    project.write("made", "tool", settings={"sources": True})
    project.lock()
    assert project.run("bundle").returncode == 0
    done = project.run("rebuild", "--into", "theirs", "--offline", "--json")
    assert done.returncode == 0, done.stdout
    rebuild(project.root / "bundle", here(), "--into", project.root / "ours")
    assert len(list((project.root / "bundle").glob("files/*/tool-1.0*"))) == 1
    with serving(project, project.root / "bundle") as told:
        [(root, address)] = told["locked-indexes"].items()
        again = project.root / "again"
        again.mkdir()
        shutil.copy(project.root / "pyproject.toml", again)
        cold = {"UV_DEFAULT_INDEX": address, "ENVLOCK_CACHE_DIR": str(again / "cache")}
        done = project.run("lock", "--as-of", AS_OF, cwd=again, **cold)
        assert done.returncode == 0, done.stderr
        assert project.run("hash", cwd=again).stdout == f"{root}\n"
    tables = []
    for prefix in ("theirs", "ours"):
        nothing_to_say(project, project.root / prefix)
        site = next((project.root / prefix).glob("lib/python*/site-packages"))
        tables.append({
            str(path.relative_to(site)): path.read_bytes()
            for path in site.rglob("*")
            if path.is_file() and path.name not in ("INSTALLER", "REQUESTED", "RECORD")
            and "virtualenv" not in path.name and path.suffix != ".pyc"
        })  # fmt: skip
    # The notes have a digest of RECORD, in which installers name themselves.
    for table in tables:
        for path in [path for path in table if path.endswith("/envlock.json")]:
            note = json.loads(table[path])
            table[path] = f"{note['file']} {note['sha256']}".encode()
    theirs, ours = tables
    assert ours == theirs
    assert theirs["made-1.0.dist-info/envlock.json"].startswith(b"made-1.0.tar.gz ")


def test_a_bundle_is_all_that_envlock_rebuild_needs(
    project: Project, index: LoopbackIndex, tmp_path: Path
) -> None:
    """Elsewhere, with nothing but the bundle: its own lock counts."""
    (project.root / "other").mkdir()
    write_lock(project.root / "other", locked(index, index.add("new", "1.0", OLDER)))
    for arguments in (("-o", "one.tar"), ("pylock.toml", "other", "-o", "two")):
        assert project.run("bundle", *arguments).returncode == 0
    one, two, empty = project.root / "one.tar", project.root / "two", tmp_path / "empty"
    empty.mkdir()
    project.variables["ENVLOCK_CACHE_DIR"] = str(tmp_path / "cold")

    def rebuilt(*arguments: str | Path, code: int = 0) -> str:
        done = project.run("rebuild", "--offline", *map(str, arguments), cwd=empty)
        assert done.returncode == code, done.stderr
        return done.stderr

    assert "the same as pylock.toml in one.tar" in rebuilt("--from", one)
    assert contents(empty / ".venv-rebuilt").keys() == {"tool-1.0", "native-2"}
    said = rebuilt("--from", two, code=2)
    assert "there are 2 locks in it" in said
    root = project.run("hash").stdout.strip()
    assert root[:17] in said
    rebuilt(root[:17], "--from", two, "--into", "chosen")
    assert contents(empty / "chosen").keys() == {"tool-1.0", "native-2"}
    assert "no lock env1-f00" in rebuilt("env1-f00", "--from", two, code=2)
    assert "none in what --from names" in rebuilt("--from", project.root / "other", code=2)
    # Nothing is made inside the bundle, whose lockfile that is.
    shutil.rmtree(empty / ".venv-rebuilt")
    rebuilt(next(two.glob(f"locks/{root}/*.toml")), "--from", two)
    assert (empty / ".venv-rebuilt").is_dir()
    judge(two)


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_bundle_that_is_not_whole_is_refused_by_name(bundle: Path, shell: str) -> None:
    environment = few_programs(bundle.parent / "programs")
    rebuild(bundle, environment, "--verify", shell=shell)
    wheel = next(bundle.glob("files/*/tool*"))
    name, content = str(wheel.relative_to(bundle)), wheel.read_bytes()

    def refused(said: str, *arguments: str) -> None:
        done = rebuild(bundle, environment, "--into", "env", *arguments, code=4, shell=shell)
        assert said in done.stderr
        assert not (bundle / "env").exists()

    wheel.write_bytes(bytes([content[0] ^ 1]) + content[1:])
    refused(name)
    wheel.unlink()
    refused(name)
    wheel.write_bytes(content)
    (bundle / "files" / ".more").write_text("x")
    refused("not of the bundle: files/.more")
    (bundle / "files" / ".more").unlink()
    wheel.unlink()
    wheel.symlink_to("/etc/passwd")
    refused(name)
    wheel.unlink()
    wheel.write_bytes(content)
    refused("another one", "--manifest", "0" * 64)
    manifest = bundle / "SHA256SUMS"
    whole = manifest.read_text()
    for path in ("../outside", "/etc/passwd", "a\\nb", "x/./y"):
        manifest.write_text(whole + f"{'0' * 64}  {path}\n")
        refused(path)
    manifest.write_text(whole + "no manifest at all\n")
    refused("no manifest at all")
    manifest.unlink()
    refused("not complete")
    manifest.write_text(whole)
    rebuild(bundle, environment, "--verify", shell=shell)


def test_what_cannot_be_done_is_said(project: Project, bundle: Path, index: LoopbackIndex) -> None:
    environment = few_programs(project.root / "programs")
    for arguments, code, said in (
        (("--what",), 2, "usage"),
        (("--into",), 2, "usage"),
        (("--lock", "env1-f00"), 2, "no lock in the bundle"),
        ((), 3, "no Python here fits"),
        (("--into", "a'b"), 2, "cannot be used"),
        (("--into", ".."), 2, "something is there already"),
        (("--into", "env"), 2, "cannot be in the bundle"),
        (("--into", "files/../new/env"), 2, "cannot be in the bundle"),
        (("--python", "/bin/sh"), 3, "/bin/sh: "),
    ):
        assert said in rebuild(bundle, environment, *arguments, code=code).stderr
    judge(bundle)
    listed = rebuild(bundle, environment, "--list").stdout
    assert listed.count("\n") == 2

    # An sdist would have to be built; two locks ask for a choice.
    (project.root / "other").mkdir()
    source = locked(index, index.add("old", "1.0", OLDER, sdist=True))
    write_lock(project.root / "other", source, locked(index, index.add("new", "1.0", OLDER)))
    assert project.run("bundle", "pylock.toml", "other").returncode == 0
    assert "choose one" in rebuild(bundle, here(), code=2).stderr
    told = json.loads(project.run("bundle", "other", "-o", "third", "--json").stdout)
    name = told["locks"][0]["environment-hash"]
    done = rebuild(bundle, here(), "--lock", name[:14], code=3)
    assert "no wheel for this machine: old" in done.stderr
    rebuild(bundle, here(), "--lock", name[5:14], "--allow-missing")
    assert contents(project.root / "environment").keys() == {"new-1.0"}


def test_package_managers_take_all_from_a_bundle(built_world: World, tmp_path: Path) -> None:
    project = built_world.project
    done = project.run("bundle", "--sources", "--output", str(tmp_path / "bundle.tar"))
    assert done.returncode == 0, done.stderr
    debs = {deb.name: deb.version for deb in project.read().os.packages}  # type: ignore[union-attr]
    cold = str(tmp_path / "cold")
    with serving(project, tmp_path / "bundle.tar", ENVLOCK_CACHE_DIR=cold) as told:
        (root,) = told["requirements"]
        assert f"{root}\n" == project.run("hash").stdout
        # The lock's Python is 3.11, whatever runs the tests.
        asked = ["--target", tmp_path / "pip", "--python-version", "3.11", "--only-binary=:all:"]
        chosen = ["--platform", "manylinux_2_17_x86_64", "--index-url", told["simple"]]
        run([*PIP, "install", "-q", *asked, *chosen, "hello"])
        assert {p.name for p in (tmp_path / "pip").glob("*.dist-info")} == {
            "hello-1.dist-info",
            "native-2.dist-info",
        }
        platform = ["--python-platform", "x86_64-unknown-linux-gnu", "--python-version", "3.11"]
        index = ["--default-index", told["simple"].removesuffix("/"), "--no-cache"]
        run([UV, "pip", "install", "-q", "--target", tmp_path / "uv", *platform, *index, "Hello"])
        assert (tmp_path / "uv" / "native").is_dir()

        apt = AptRoot(tmp_path / "apt")
        (apt.root / "etc/sources.list").write_text(f"deb [trusted=yes] {told['apt']} ./\n")
        apt.update()
        found = apt.simulate(["libgomp1", "python3.11"])
        assert found
        assert dict(found).items() <= debs.items()
        fetched = apt.run("apt-get", "download", "-q", "libgomp1", cwd=tmp_path)
        assert fetched.returncode == 0, fetched.stderr

        # The distribution's own signatures: real apt believes them by its keyring, or not.
        sources = [line.partition("] ")[2] for line in told["snapshots"]]
        assert [line.split()[1] for line in sources] == [
            *("bookworm", "bookworm-updates", "bookworm-security"),
        ]
        for key, code in ((signer(), 0), (signer("somebody else"), 100)):
            apt = AptRoot(tmp_path / f"signed{code}")
            apt.use_signed(key.public, *sources)
            updated = apt.run("apt-get", "update", "-q", "--error-on=any")
            assert updated.returncode == code, updated.stderr
            assert ("NO_PUBKEY" in updated.stderr) == bool(code)
            if code == 0:
                assert apt.simulate(["libgomp1", "python3.11"]) == found
                options = ("-q", "-y", "--download-only", "--no-install-recommends")
                brought = apt.run("apt-get", "install", *options, "libgomp1", "python3.11")
                assert brought.returncode == 0, brought.stderr
        state = f"{told['url']}/archive/debian/20240602T000000Z/dists/bookworm/InRelease"
        with urllib.request.urlopen(state) as answer:
            assert "/20240601T120000Z/" in answer.url

        # The image of the lock, as envlock makes it elsewhere, too.
        host = told["url"].removeprefix("http://")
        assert told["lock-images"] == {root: f"{host}/envlock:{root}"}
        plain = ("--src-tls-verify=false", "--preserve-digests")
        copy, tags = tmp_path / "copy", sorted([root, root[:17], "latest"])
        skopeo("copy", "-q", *plain, f"docker://{told['lock-images'][root]}", f"dir:{copy}")
        manifest = (copy / "manifest.json").read_bytes()
        made = f"sha256:{hashlib.sha256(manifest).hexdigest()}"
        for tag in (*tags, made):
            asked = urllib.request.urlopen(f"{told['url']}/v2/envlock/manifests/{tag}")
            assert asked.headers["Docker-Content-Digest"] == made
            assert asked.read() == manifest
        layers = [layer["digest"] for layer in json.loads(manifest)["layers"]]
        [built] = built_world.told["images"]  # with the project on top
        assert layers == [layer["digest"] for layer in built["layers"]][:-1]
        listed = json.loads(urllib.request.urlopen(f"{told['url']}/v2/envlock/tags/list").read())
        assert listed == {"name": "envlock", "tags": tags}
        for path in ("manifests/other", f"blobs/sha256:{'0' * 64}", "blobs/../x"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(f"{told['url']}/v2/envlock/{path}")

        # envlock itself, on a machine whose store is empty.
        settings = (project.root / "pyproject.toml").read_text()
        (tmp_path / "fresh").mkdir()
        for name in ("pylock.toml", "archive.pgp", "local.txt", "libs"):
            (tmp_path / "fresh" / name).symlink_to(project.root / name)
        mirrors = re.sub(r"mirrors = \[.*?\]", f"mirrors = [\"{told['envlock-mirror']}\"]",
                         settings, flags=re.S)  # fmt: skip
        (tmp_path / "fresh" / "pyproject.toml").write_text(mirrors)
        own = project.run(
            *("fetch", "--os-only", "--json"),
            cwd=tmp_path / "fresh",
            ENVLOCK_CACHE_DIR=str(tmp_path / "cache"),
        )
        assert own.returncode == 0, own.stderr
        assert json.loads(own.stdout)["fetched"]["files"] == len(debs)
        (tmp_path / "fresh" / "pylock.toml").unlink()
        for date, code in (("2024-06-02", 0), ("2024-06-03", 2), ("2024-03-02", 2)):
            relocked = project.run(
                *("lock", "--as-of", date),
                cwd=tmp_path / "fresh",
                ENVLOCK_CACHE_DIR=str(tmp_path / "relock"),
                UV_DEFAULT_INDEX=told["locked-indexes"][root],
            )
            assert relocked.returncode == code, relocked.stderr
        again = (tmp_path / "fresh" / "pylock.toml").read_text()
        address = re.compile(r'^(index|url) = ".*"$', re.M)
        assert address.sub("", again) == address.sub("", project.lock_path.read_text())

        for path in ("/simple/nothing/", "/files/../../etc/passwd", "/sha256/" + "0" * 64, "/x"):
            with pytest.raises(urllib.error.HTTPError, match="404"):
                urllib.request.urlopen(told["url"] + path)
        pages = {kind: urllib.request.urlopen(
            urllib.request.Request(told["simple"], headers={"Accept": kind})
        ).read() for kind in ("application/vnd.pypi.simple.v1+json", "text/html")}  # fmt: skip
        listed = json.loads(pages["application/vnd.pypi.simple.v1+json"])["projects"]
        assert [one["name"] for one in listed] == ["gamma", "hello", "helper", "native", "toyback"]
        assert b'<a href="hello/">' in pages["text/html"]
        requirements = urllib.request.urlopen(told["requirements"][root]).read().decode()
        assert requirements.startswith("# Not in the bundle: near\n")
        assert "\ngamma==1.0 \\\n    --hash=sha256:" in requirements
        digest = next(file.sha256 for p in project.read().packages for file in p.files)
        body = urllib.request.urlopen(f"{told['by-digest']}/{digest}").read()
        assert hashlib.sha256(body).hexdigest() == digest
        (tmp_path / "file.nix").write_text(
            'derivation { name = "file"; builder = "builtin:fetchurl"; system = "builtin";'
            ' url = "http://127.0.0.1:1/gone"; unpack = false; executable = false;'
            f' outputHashMode = "flat"; outputHashAlgo = "sha256"; outputHash = "{digest}"; }}'
        )
        options = {"sandbox": "false", "build-users-group": "", "substituters": ""}
        options |= {"hashed-mirrors": told["url"]}
        flags = [word for name, value in options.items() for word in ("--option", name, value)]
        places = ("STATE", "STORE", "LOG", "CONF")
        nix = {f"NIX_{name}_DIR": str(tmp_path / "nix" / name) for name in places}
        built = run(["nix-build", "--no-out-link", *flags, tmp_path / "file.nix"], env=nix)
        assert Path(built.stdout.strip()).read_bytes() == body
        taken = project.run("mirror", "serve", str(tmp_path / "bundle.tar"),
                            "--port", told["url"].rpartition(":")[2])  # fmt: skip
        assert taken.returncode == 2
        assert "is taken" in taken.stderr
    assert project.run("mirror", "serve", str(project.root)).returncode == 2


def test_a_locked_archive_of_python_is_unpacked(project: Project, index: LoopbackIndex) -> None:
    """Of exactly the locked patch release; one that only starts this Python stands in for it."""
    archive = project.root / "python.tar.gz"
    with tarfile.open(archive, "w:gz") as packed:
        member = tarfile.TarInfo("python/bin/python3")
        text = f"#!/bin/sh\nexec '{sys.executable}' \"$@\"\n".encode()
        member.size, member.mode = len(text), 0o755
        packed.addfile(member, io.BytesIO(text))
        for number in range(20):
            more = tarfile.TarInfo(f"python/lib/{number}")
            more.size = 8192
            packed.addfile(more, io.BytesIO(bytes(8192)))
    sha256 = hashlib.sha256(archive.read_bytes()).hexdigest()
    store_file(archive, sha256)
    lock = project.read()
    build = StandalonePython(
        target=lock.targets[0],
        version=platform.python_version(),
        build="20240107",
        url="https://example.org/cpython.tar.gz",
        sha256=sha256,
        size=archive.stat().st_size,
    )
    request = replace(lock.request, interpreter="standalone")
    project.lock_path.write_text(codec.dump(replace(lock, standalone=(build,), request=request)))
    assert project.run("bundle").returncode == 0
    bundle = project.root / "bundle"
    few = few_programs(project.root / "programs", "gzip")
    into = project.root / "first"
    done = rebuild(bundle, few, "--into", into)
    assert "cpython.tar.gz, unpacked" in done.stderr
    assert (into / "base/python/bin/python3").is_file()
    assert run([into / "bin" / "python", "-c", "import native; print(1)"]).stdout == "1\n"
    # A full disk is one line, however many files do not fit.
    with small_disk(project.root, 32768) as disk:
        program = ["sh", bundle / "rebuild.sh", "--bundled-python", "--into", disk.folder / "env"]
        full = subprocess.run([*disk.prefix, *program], capture_output=True, text=True, check=False)
    assert full.returncode == 3
    [line] = [line for line in full.stderr.splitlines() if "tar" in line]
    assert line.startswith("error: tar cannot unpack files/")
    assert disk.message in line
    assert disk.left() == []
    # Another patch release of the machine's does not do.
    other = replace(build, version=f"{build.version}0")
    project.lock_path.write_text(codec.dump(replace(lock, standalone=(other,), request=request)))
    assert project.run("bundle").returncode == 0
    done = rebuild(bundle, here(), code=3)
    assert f"it is Python {build.version}, not {other.version}" in done.stderr


def test_two_at_once_do_not_disturb_one_another(bundle: Path) -> None:
    """One makes it, the other one says that it is there; what a killed one left goes."""
    folder = bundle.parent / "both"
    folder.mkdir()
    gone = subprocess.Popen(["true"])
    gone.wait()
    (folder / f".env.envlock-partial-{gone.pid}" / "base").mkdir(parents=True)
    command = ["sh", bundle / "rebuild.sh", "--into", folder / "env"]
    both = [
        subprocess.Popen(command, env=here(), stderr=subprocess.PIPE, text=True) for _ in range(2)
    ]
    said = [one.communicate(timeout=60)[1] for one in both]
    assert sorted(one.returncode for one in both) == [0, 2], said
    assert [text for text in said if "something is there" in text]
    assert [path.name for path in folder.iterdir()] == ["env"]
    assert run([folder / "env/bin/python", "-c", "import tool; print(1)"]).stdout == "1\n"


def test_without_python_and_network_as_an_ordinary_user(built_world: World) -> None:
    """The interpreter comes out of the bundled .debs, with its own C library."""
    done = built_world.project.run("bundle", "--output", "bundle.tar")
    assert done.returncode == 0, done.stderr
    folder = Path(tempfile.mkdtemp())  # pytest's own folders are not open to other users
    try:
        folder.chmod(0o755)
        run(["tar", "-xf", built_world.project.root / "bundle.tar", "-C", folder])
        bundle = folder / "envlock-bundle"
        judge(bundle)
        for tree in bundle.glob("trees/*/*.tar"):
            deb = bundle / "files" / tree.parent.name / f"{tree.stem}.deb"
            plain = subprocess.run(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
            assert plain.stdout == tree.read_bytes()
        environment = few_programs(folder / "programs")
        (folder / "mine").mkdir()
        shutil.chown(folder / "mine", 65534, 65534)
        user = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
        alone = ("/usr/bin/env", "PATH=/usr/sbin:/usr/bin", "unshare", "--net", *user)
        through = (*alone, "/usr/bin/env", f"PATH={environment['PATH']}")
        into = folder / "mine" / "env"
        done = rebuild(bundle, environment, "--into", into, through=through, code=3)
        assert "no wheel for this machine: near (" in done.stderr
        assert not into.exists()
        done = rebuild(bundle, environment, "--into", into, "--allow-missing", through=through)
        assert done.stdout == built_world.project.run("hash").stdout
        code = "import sys, ssl, sqlite3, ctypes, native; print(sys.prefix, sys.version_info[:2])"
        start = [*through, into / "bin" / "python", "-c", code]
        said = run(start, env=environment).stdout
        assert said == f"{into} (3, 11)\n"
        # It has no wheel: it was built, by what is locked for that.
        made = [*through, into / "bin" / "python", "-c", "import gamma; print(gamma.made)"]
        assert run(made, env=environment).stdout == "True\n"
        assert not (into / ".build").exists()
        # Nothing to say but what the bundle cannot have.
        told = built_world.project.run(
            "check", "--python-only", "--paranoid", "--prefix", str(into)
        )
        assert "not known" not in told.stdout + told.stderr
        assert "PY111" not in told.stdout
        assert "drift from" in told.stderr
        assert ": 1 missing" in told.stderr
        spawned = "import subprocess, sys; subprocess.run([sys.executable, '-m', 'hello.cli'])"
        run([*through, into / "bin" / "python", "-c", spawned], env=environment)
        said = run([*through, into / "bin" / "hello"], env=environment).stdout
        assert said == f"hello from {into} on {into}/base/usr\n"
        # Of the two wheels, the one for the C library of the bundle, not of this machine.
        assert [p.name for p in into.glob("lib/python3.11/site-packages/native/*.so")] == [
            "cp311-cp311-manylinux_2_17_x86_64.so"
        ]
        assert set(PROGRAMS) == {p.name for p in (folder / "programs").iterdir()}
    finally:
        shutil.rmtree(folder)
