"""Real buildah builds the exported Dockerfile from a loopback archive and registry.

The base image is made of the archive's older state by mmdebstrap, and pushed to Debian's registry.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support.buildah import Buildah
from support.index import LoopbackIndex
from support.mutations import told
from support.packages import NEAR_PROJECT, make_wheel, toy_backend, toy_sdist
from support.project import Project
from support.real_debs import OLD as DAY
from support.real_debs import OLD_STATE, real_debs
from support.registries import registry
from support.snapshot import SnapshotServer, flip
from support.tiny_archive import signer
from support.tools import PIP, run

from envlock.export.docker.exporter import DockerExporter
from envlock.lock import codec
from envlock.lock.model import Lock

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("docker")]

OLD, NEW = "2024-02-01", "2024-06-02"
WANTED = ("openssl", "python3.11-venv", "xz-utils")
TO_BUILD = "bzip2"
HOOK_BYTECODE = "__pycache__/beta_hook.cpython-311.pyc"
NEEDLESS = (
    "/usr/lib/x86_64-linux-gnu/gconv/*",
    "/usr/share/doc/*",
    "/usr/share/i18n/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/share/zoneinfo/*",
)
EXAMPLE = Path(__file__).parents[2] / "examples" / "docker"
RICH = ("rich==13.7.1", "markdown-it-py==3.0.0", "mdurl==0.1.2", "pygments==2.18.0")
DELTA = make_wheel("delta", "1.0")
OWN = """\
[project]
name = "own"
version = "3"
scripts = {own-tool = "own:main"}
"""
VERIFY = "/usr/share/envlock/verify.py"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a build reaches, and the two locks."""

    archive: SnapshotServer
    index: LoopbackIndex
    old: Lock
    new: Lock


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("docker")
    debs = real_debs(folder, ("apt", *WANTED, TO_BUILD))
    with (
        SnapshotServer(debs.states(signer())) as archive,
        LoopbackIndex() as index,
        registry(folder / "registry") as address,
    ):
        index.add("alpha", "1.0", upload_time="2024-01-01", requires=["beta"])
        index.add("beta", "1.5", upload_time="2024-01-01")
        # What runs whenever Python starts, and bytecode that a wheel brings itself.
        files = {"beta.pth": "import beta_hook\n", "beta_hook.py": "", HOOK_BYTECODE: b"some"}
        index.add("beta", "2.0", upload_time="2024-05-01", files=files)
        # Without a wheel: built with what is locked for that.
        index.add("helper", "1.0", "2024-01-01")
        index.add("toyback", "1.0", "2024-01-01", files=toy_backend("helper"))
        index.add("toyback", "2.0", "2024-08-01", files={"toyback/__init__.py": "1 // 0"})
        told = f"import os, shutil; place, tool = os.getcwd(), shutil.which('{TO_BUILD}')\n"
        told += "text = f'place, tool = {place!r}, {tool!r}'"
        built = toy_sdist("gamma", "1.0", code=told)
        index.add("gamma", "1.0", "2024-01-01", sdist=True, files=built)
        base = base_image(folder, archive, address)
        old, new = locks(folder / "project", index, archive, base)
        yield World(archive=archive, index=index, old=old, new=new)
    shutil.rmtree(folder, ignore_errors=True)


def base_image(folder: Path, archive: SnapshotServer, address: str) -> str:
    """An image of the older state, pushed: its name. Its user is not root, as that of some is."""
    (folder / "key.asc").write_bytes(signer().public)
    context = folder / "base"
    context.mkdir()
    source = f"{archive.base}/archive/debian/{OLD_STATE} bookworm main"
    run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=apt",
            "--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr",  # as usr-is-merged expects
            '--aptopt=Acquire::Check-Valid-Until "false"',
            '--aptopt=APT::Sandbox::User "root"',
            *(f'--dpkgopt=path-exclude="{path}"' for path in NEEDLESS),
            "bookworm",
            str(context / "base.tar"),
            f"deb [signed-by={folder / 'key.asc'}] {source}",
        ],
    )
    (context / "Containerfile").write_text("FROM scratch\nADD base.tar /\nUSER 1000:1000\n")
    buildah = Buildah(folder=folder / "making")
    made = str(int(DAY.timestamp()))
    buildah.run("build", "--quiet", "--timestamp", made, "--tag", "base", context)
    name = f"{address}/debian:12"
    buildah.run("push", "--quiet", "--tls-verify=false", "base", f"docker://{name}")
    buildah.remove()
    return name


def locks(
    root: Path, index: LoopbackIndex, archive: SnapshotServer, base: str
) -> tuple[Lock, Lock]:
    """One project, locked at both instants."""
    root.mkdir()
    (root / "archive.pgp").write_bytes(signer().public)
    os = {
        "base": "debian:bookworm",
        "packages": list(WANTED),
        "build-packages": [TO_BUILD],
        "keyring": "archive.pgp",
        "mirrors": [archive.template],
        "libraries": False,
    }
    settings = {"targets": ["linux/amd64"], "python": "3.11", "os": os, "image": {"base": base}}
    settings |= {"sources": True, "requirements": ["local.txt"]}
    settings["allow-undated"] = [f"wheels/{DELTA[0]}", "libs/near"]
    local_files(root)
    (root / "local.txt").write_text(f"./wheels/{DELTA[0]}\n-e ./libs/near\n")
    project = Project(root, index).write("alpha", "gamma", settings=settings)
    return project.lock(as_of=OLD), project.lock(as_of=NEW)


def local_files(root: Path) -> None:
    """What the lock has of the project's own folder: a wheel, and a package of its own."""
    (root / "wheels").mkdir()
    (root / "wheels" / DELTA[0]).write_bytes(DELTA[1])
    near = root / "libs" / "near" / "src" / "near"
    near.mkdir(parents=True)
    (near / "__init__.py").write_text("def main(): print('near')\n")
    (root / "libs" / "near" / "pyproject.toml").write_text(NEAR_PROJECT)


def project_files(root: Path, lock: Lock) -> None:
    """The project's own files and the exported ones, as the process's umask has them."""
    (root / "src").mkdir(parents=True)
    local_files(root)
    (root / "pyproject.toml").write_text(OWN)
    (root / "src" / "own.py").write_text(
        "import alpha, beta\n\ndef main():\n    print('own', beta.__version__)\n\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    (root / ".env").write_text("SECRET=1\n")
    (root / "data.csv").write_text("1\n")
    for path, content in DockerExporter().export(lock).items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content)


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An image in buildah's store."""

    buildah: Buildah
    root: Path

    @property
    def digest(self) -> str:
        """The manifest's, which covers the configuration and every layer."""
        found: str = self.buildah.inspect("app")["FromImageDigest"]
        return found

    def run(self, *command: str) -> str:
        """What a command in it prints: into a file, since buildah's pipes may end early."""
        [container] = self.buildah.run("from", "app").stdout.split()
        script = '"$@" >/tmp/printed'
        self.buildah.run("run", container, "--", "sh", "-c", script, "sh", *command)
        mounted = Path(self.buildah.run("mount", container).stdout.strip())
        printed = (mounted / "tmp" / "printed").read_text()
        self.buildah.run("rm", container)
        return printed


def build(
    folder: Path,
    world: World,
    lock: Lock,
    *,
    target: str = "runtime",
    umask: int = 0o022,
    hostname: str = "one",
) -> Built:
    """The image, as the documentation says to build it."""
    root = folder / "project"
    project_files(root, lock)
    return build_in(root, world, target=target, umask=umask, hostname=hostname)


def build_in(
    root: Path,
    world: World,
    *arguments: str,
    target: str = "runtime",
    umask: int = 0o022,
    hostname: str = "one",
) -> Built:
    """The same, of files that are there."""
    buildah = Buildah(folder=root.parent / "buildah")
    run(["chmod", "-R", f"u=rwX,go={'rX' if umask == 0o022 else ''}", root])
    buildah.run(
        "build",
        "--quiet",
        "--timestamp",
        "1717200000",
        "--tls-verify=false",
        "--build-arg",
        f"SNAPSHOT={world.archive.base}/archive",
        *arguments,
        "--target",
        target,
        "--tag",
        "app",
        root,
        umask=umask,
        through=("unshare", "--uts", "sh", "-c", f'hostname {hostname}; exec "$@"', "sh"),
    )
    return Built(buildah=buildah, root=root)


@pytest.fixture(scope="module")
def new(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    """The newer lock's image."""
    image = build(tmp_path_factory.mktemp("a"), world, world.new)
    yield image
    image.buildah.remove()


def installed(image: Built) -> dict[str, str]:
    """The OS packages, by dpkg."""
    text = image.run("dpkg-query", "--show", "--showformat", "${Package} ${Version}\n")
    return dict(line.split(" ") for line in text.splitlines())


def locked(lock: Lock) -> dict[str, str]:
    assert lock.os is not None
    return {package.name: package.version for package in lock.os.packages}


def test_it_runs_and_holds_what_is_locked(new: Built, world: World) -> None:
    assert new.run("python", "-m", "own") == "own 2.0\n"
    assert new.run("own-tool") == "own 2.0\n"
    assert new.run("near-tool") == "near\n"
    code = "import delta, gamma, importlib.metadata as m;"
    code += "print(gamma.place, gamma.tool, m.version('own'))"
    place = "/tmp/envlock-build/sources/gamma/envlock-build/gamma-1.0"
    # It was built with a program that the image itself does not have.
    assert new.run("python", "-c", code) == f"{place} /usr/bin/{TO_BUILD} 3\n"
    assert new.run("id", "-u") == "65532\n"
    there = installed(new)
    assert {name: there[name] for name in locked(world.new)} == locked(world.new)
    assert TO_BUILD not in there
    assert new.run("python", VERIFY) == "everything is as locked\n"
    assert sorted(new.run("find", "/app", "-printf", "%P %m %u\n").splitlines()) == [
        " 755 app",
        "libs 755 app",
        "libs/near 755 app",
        "libs/near/pyproject.toml 644 app",
        "libs/near/src 755 app",
        "libs/near/src/near 755 app",
        "libs/near/src/near/__init__.py 644 app",
        "pyproject.toml 644 app",
        "src 755 app",
        "src/own.py 644 app",
    ]


def test_check_finds_it_to_be_of_the_lock(
    new: Built, world: World, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    new.buildah.run("push", "app", f"oci:{tmp_path / 'layout'}:latest")
    (tmp_path / "pyproject.toml").write_text(OWN)
    (tmp_path / "pylock.toml").write_text(codec.dump(world.new))
    found = told(tmp_path, capfd, "--image", str(tmp_path / "layout"))
    assert not found
    (tmp_path / "pylock.toml").write_text(codec.dump(world.old))
    found = told(tmp_path, capfd, "--image", str(tmp_path / "layout"))
    assert {("IM001", "environment hash"), ("PY003", "beta")} <= set(found)


def test_the_same_bytes_again(new: Built, world: World, tmp_path: Path) -> None:
    again = build(tmp_path / "else" / "where", world, world.new, umask=0o077, hostname="two")
    try:
        assert again.digest == new.digest
    finally:
        again.buildah.remove()


def test_the_older_instant_has_the_older_versions(world: World, tmp_path: Path) -> None:
    old = build(tmp_path, world, world.old, target="system")
    try:
        there = installed(old)
        assert {name: there[name] for name in locked(world.old)} == locked(world.old)
        assert locked(world.old) != locked(world.new)
    finally:
        old.buildah.remove()


def test_the_last_step_fails_where_a_version_differs(
    new: Built, world: World, tmp_path: Path
) -> None:
    status = "/^Package: xz-utils$/,/^$/s/^Version: .*/Version: 0/"
    (tmp_path / "Containerfile").write_text(
        "FROM app\nUSER 0:0\n"
        f"RUN sed -i '{status}' /var/lib/dpkg/status\n"
        "RUN sed -i 's/^Version: .*/Version: 9/' /opt/venv/lib/python3*/*/beta-*/METADATA\n"
        f"RUN python {VERIFY}\n"
    )
    done = new.buildah.run("build", tmp_path, check=False)
    assert done.returncode != 0
    said = [line for line in done.stderr.splitlines() if line.startswith("not as locked: ")]
    assert [line.split(": ", 1)[1] for line in said] == [
        f"OS package xz-utils {locked(world.new)['xz-utils']}: 0",
        "beta 2.0: 9",
        "beta: beta-2.0.dist-info/METADATA has other content",
    ]


def test_other_bytes_under_a_locked_name_are_not_installed(world: World, tmp_path: Path) -> None:
    world.archive.tamper("*/xz-utils_*.deb", flip(-1))
    try:
        with pytest.raises(AssertionError, match="not all packages could be fetched"):
            build(tmp_path, world, world.new)
    finally:
        world.archive.heal()


# --- the example ---


def test_the_example_is_built_of_its_lock_alone(world: World, tmp_path: Path) -> None:
    """No base image; rich of the real index. Twice the same."""
    wheels = tmp_path / "wheels"
    run([*PIP, "download", "--quiet", "--no-deps", "--dest", wheels, *RICH])
    for wheel in wheels.iterdir():
        name, version, *_ = wheel.name.split("-")
        world.index.add_file(
            name, version, "2024-01-01", wheel.name, wheel.read_bytes(), metadata="honest"
        )
    root = tmp_path / "one" / "docker"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns("docker", "pylock*"))
    with (root / "pyproject.toml").open("a") as file:
        file.write(f'keyring = "key.pgp"\nmirrors = ["{world.archive.template}"]\n')
    (root / "key.pgp").write_bytes(signer().public)
    project = Project(root, world.index, {"ENVLOCK_CACHE_DIR": str(tmp_path / "cache")})
    project.lock(as_of=NEW)
    for command in (
        ("export", "docker"),
        ("build", "image", "--only", "os", "--rootfs", "docker/root"),
    ):
        done = project.run(*command)
        assert done.returncode == 0, done.stderr
    again = tmp_path / "two" / "docker"
    shutil.copytree(root, again)

    image = build_in(root, world)
    digest = image.digest
    said = image.run("inventory")
    assert re.search(r"OpenSSL +│ 3\.0\.", said), said
    assert re.search(r"Python packages +│ 5 ", said), said
    assert image.run("python", VERIFY) == "everything is as locked\n"
    image.buildah.remove()
    image = build_in(again, world, umask=0o077, hostname="two")
    assert image.digest == digest
    image.buildah.remove()
