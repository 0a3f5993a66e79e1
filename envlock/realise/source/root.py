"""A root to build in, made of exactly the locked packages: compilers, headers and libraries.

What runs, what builds, and the essential packages are unpacked into a folder of the cache, without
running anything of them where their maintainer scripts need not run; else ``mmdebstrap`` installs
them. The folder is named by what it is made of, is there whole or not at all, and builds see it
read-only (``io.rooted``).
"""

from __future__ import annotations

import json
import os
import sysconfig
import tarfile
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import SourceError, UsageError
from envlock.io import process
from envlock.io.confined import run_confined, seconds_allowed
from envlock.io.files import disk_error
from envlock.io.interpreters import Interpreter
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.io.rooted import Shown, in_root
from envlock.io.store import stored
from envlock.lock.canonical import digest
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.provider import standalone
from envlock.lock.target import Target

PATH = "/usr/local/bin:/usr/bin:/bin"
SECONDS = 1800
"""How long it may take to install the packages, where their scripts run."""

_FORMAT = "1"
_EPOCH = 1580601600
_FOLDER = "build-roots"
_TREE, _NOTE = "root", "made.json"
_ASK = "import ctypes, hashlib, platform, zlib; print(platform.python_version())"
_STORES = (Path("/nix/store"), Path("/gnu/store"))
_OWN_PREFIXES = ("/", "/usr", "/usr/local")
"""Where a Python shares its folders with programs that are not to be seen in a root."""


class NoRootError(SourceError):
    """There can be no root of these packages here, for want of a program or a right."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRoot:
    """A root that is there.

    ``folder`` is its tree; ``digest`` says what it was made of (64 hex digits), of how many
    ``packages``, and ``scripts`` whether their maintainer scripts ran.
    """

    folder: Path
    digest: str
    packages: int
    scripts: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RootPython:
    """The Python that builds in a root: its path there and version (``3.11.2``).

    ``shown`` is what of this machine it is made of; empty where it is the root's own.
    """

    path: str
    version: str
    shown: tuple[Shown, ...] = ()


def root_packages(lock: Lock, architecture: str) -> tuple[OsPackage, ...]:
    """What a root to build in is made of; empty where the lock has nothing to build with.

    Args:
        lock: the lock.
        architecture: as Debian calls it.
    """
    if lock.os is None:
        return ()
    build = [p for p in lock.os.build_packages if p.architecture == architecture]
    own = [p for p in lock.os.packages if p.architecture == architecture]
    return tuple(sorted((*own, *build), key=lambda p: p.name)) if build else ()


def locked_glibc(packages: Sequence[OsPackage]) -> int:
    """The minor version of the packages' C library: 36 for ``2.36-9+deb12u10``; 0 without one."""
    for package in packages:
        if package.name == "libc6":
            number = package.version.partition("-")[0].partition(".")[2]
            return int(number) if number.isdigit() else 0
    return 0


def root_digest(base: str, packages: Sequence[OsPackage]) -> str:
    """What a root is named by: all that it is made of."""
    return digest([_FORMAT, base, sorted([p.name, p.architecture, p.sha256] for p in packages)])


def kept_root(base: str, packages: Sequence[OsPackage]) -> BuildRoot | None:
    """The root, where it was made before."""
    name = root_digest(base, packages)
    place = cache_dir() / _FOLDER / name
    try:
        note = json.loads((place / _NOTE).read_bytes())
        os.utime(place / _NOTE)  # reading what is read-only is no sign of use
    except (OSError, ValueError):
        return None
    return BuildRoot(
        folder=place / _TREE, digest=name, packages=len(packages), scripts=bool(note["scripts"])
    )


def make_root(base: str, packages: Sequence[OsPackage], reporter: Reporter) -> BuildRoot:
    """The root, made where it is not there.

    Args:
        base: the distribution (``debian:bookworm``).
        packages: all of them; they are in the store.
        reporter: told the bytes of packages that are unpacked, of all.

    Raises:
        SourceError: the disk cannot take it.
        NoRootError: scripts have to run, and mmdebstrap is missing, fails, or takes too long.
        UsageError, VerificationError: a package cannot be read, or has what must not be unpacked.
    """
    found = kept_root(base, packages)
    if found is not None:
        return found
    final = cache_dir() / _FOLDER / root_digest(base, packages)
    reporter.step(f"unpacking {len(packages)} packages to build with")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(
            prefix=".making-", dir=final.parent, ignore_cleanup_errors=True
        ) as folder:
            made = Path(folder, "made")
            tree = made / _TREE
            tree.mkdir(parents=True)
            scripts = _fill(base, packages, tree, reporter)
            if not scripts:
                _compile(tree, Path(folder, "log"))
            (made / _NOTE).write_text(json.dumps({"packages": len(packages), "scripts": scripts}))
            if not final.exists():
                made.rename(final)
    except OSError as error:
        if not (final / _NOTE).exists():  # another process was not faster
            raise disk_error(error, final) from None
    found = kept_root(base, packages)
    if found is None:
        raise SourceError(
            "is in the way of a root to build in, and is none",
            where=str(final),
            remedy="have it removed: `envlock cache prune`",
        )
    return found


def _fill(base: str, packages: Sequence[OsPackage], tree: Path, reporter: Reporter) -> bool:
    """Put the packages into the folder; whether their scripts had to run."""
    from envlock.realise.image.packages import Root, write_folder

    refused = _needs_scripts(base, packages)
    if refused is not None:
        reporter.note(f"{refused}; so mmdebstrap installs all packages to build with")
        _install(packages, tree)
        return True
    sizes = iter([package.size for package in packages])
    total, done = sum(package.size for package in packages), 0

    def advance() -> None:
        nonlocal done
        done += next(sizes)
        reporter.progress(done, total)

    root = Root(base=base, architecture=packages[0].architecture)
    write_folder(root, packages, tree, advance=advance)
    return False


def _needs_scripts(base: str, packages: Sequence[OsPackage]) -> str | None:
    """Why packages cannot be installed by unpacking them; None: they can."""
    from envlock.realise.image.deb import read_control
    from envlock.realise.image.scripts import judge

    for package in packages:
        deb = read_control(stored(package.sha256), package.file_name.rpartition("/")[2])
        try:
            judge(deb, base)
        except UsageError as error:
            return error.what
    return None


def _install(packages: Sequence[OsPackage], tree: Path) -> None:
    """Have mmdebstrap install the packages, and unpack what it made."""
    from envlock.realise.image.bootstrap import TIME_LIMIT, bootstrap
    from envlock.realise.image.folder import FolderWriter
    from envlock.realise.image.tree import Node, Tree

    with tempfile.TemporaryDirectory(prefix="envlock-root-") as folder:
        archive = Path(folder, "root.tar")
        try:
            bootstrap(
                packages,
                packages[0].architecture,
                Path(folder),
                archive,
                _EPOCH,
                seconds=seconds_allowed(TIME_LIMIT, SECONDS),
                remedy="apt-get install mmdebstrap uidmap",
            )
        except SourceError as error:
            first, *said = error.what.splitlines()
            raise NoRootError(
                f"their scripts have to run, and {' '.join([first, *said[-1:]])}",
                remedy=f"{error.remedy or 'see above'}; or --build-root machine",
            ) from None
        claimed, writer = Tree(), FolderWriter(tree)
        with tarfile.open(archive, "r:") as packed:
            for member in packed:
                path = claimed.place(member.name.removeprefix("./"), "mmdebstrap")
                if not path or path.startswith(("dev/", "proc/", "sys/")):
                    continue
                kind = "folder" if member.isdir() else "link" if member.issym() else "file"
                claimed.claim(path, Node(kind=kind, owner="mmdebstrap"))
                if member.isdir():
                    writer.folder(path, mode=member.mode)
                elif member.issym():
                    claimed.check_link(path, member.linkname, "mmdebstrap")
                    writer.symlink(path, member.linkname)
                elif member.islnk():
                    target = claimed.place(member.linkname.removeprefix("./"), "mmdebstrap")
                    writer.hard_link(path, target, like=member)
                elif (stream := packed.extractfile(member)) is not None:
                    mtime = int(member.mtime)
                    writer.file(path, stream, size=member.size, mode=member.mode, mtime=mtime)


def _compile(tree: Path, log: Path) -> None:
    """Compile Python's own library, by the root's Python, as its scripts would: each build starts
    it. It is not needed, and not done where there is none or it cannot run here."""
    for library in sorted((tree / "usr" / "lib").glob("python3.*")):
        place = f"/usr/lib/{library.name}"
        argv = [f"/usr/bin/{library.name}", "-I", "-m", "compileall", "-q", "-j", "0"]
        argv += ["--invalidation-mode", "unchecked-hash", place]
        if (tree / argv[0][1:]).exists():
            shown = (Shown(source=library, target=place, writable=True),)
            command = in_root(tree, argv, shown=shown, env={"PATH": PATH, "LC_ALL": "C.UTF-8"})
            run_confined(command, cwd=tree, env={}, log=log, seconds=SECONDS)


def root_python(
    lock: Lock,
    target: Target,
    root: BuildRoot,
    packages: Sequence[OsPackage],
    interpreter: Interpreter,
) -> RootPython:
    """The Python that builds in a root: the root's own, where the lock takes that of the
    distribution, else ``interpreter``, which is shown there at its own path.

    Raises:
        NoRootError: it does not start there.
    """
    own = f"python{target.series}"
    if standalone(lock, target) is None and any(p.name == own for p in packages):
        path = f"/usr/bin/{own}"
        shown: tuple[Shown, ...] = ()
    else:
        real, shown = shown_of(interpreter)
        path = str(real)
    argv = in_root(
        root.folder,
        [path, "-I", "-B", "-c", _ASK],
        shown=shown,
        env={"PATH": PATH, "LC_ALL": "C.UTF-8"},
    )
    done = process.run(argv, env={})
    if done.code != 0:
        said = [f": {line.strip()}" for line in done.stderr.splitlines() if line.strip()][-1:]
        raise NoRootError(
            f"{path} does not start in the root of the locked packages{''.join(said)}",
            where=str(root.folder),
            remedy=f'{own} of {lock.os and lock.os.base}, or interpreter = "standalone", brings one'
            " that does; --build-root machine builds as this machine is",
        )
    return RootPython(path=path, version=done.stdout.strip(), shown=shown)


def shown_of(interpreter: Interpreter) -> tuple[Path, tuple[Shown, ...]]:
    """An interpreter's program, and what of this machine it is made of."""
    # What ``PATH`` has may be a script that chooses one.
    own = interpreter.base_prefix / "bin" / f"python{interpreter.series}"
    real = (own if own.is_file() else interpreter.executable).resolve()
    return real, tuple(_shown(real, interpreter))


def _shown(real: Path, interpreter: Interpreter) -> Iterator[Shown]:
    prefix = interpreter.base_prefix.resolve()
    for store in _STORES:
        if store in prefix.parents:  # its C library is there, too
            yield Shown(source=store, target=str(store))
            return
    if str(prefix) not in _OWN_PREFIXES:
        yield Shown(source=prefix, target=str(prefix))
        if prefix not in real.parents:
            yield Shown(source=real, target=str(real))
        return
    yield Shown(source=real, target=str(real))
    name = f"python{interpreter.series}"
    triplet = str(sysconfig.get_config_var("MULTIARCH") or "")
    headers = prefix / "include"
    for place in dict.fromkeys((prefix / "lib" / name, headers / name, headers / triplet / name)):
        if place.is_dir():
            yield Shown(source=place, target=str(place))
    for folder in (prefix / "lib", prefix / "lib" / triplet):
        library = folder / f"lib{name}.so.1.0"
        if library.is_file():
            yield Shown(source=library, target=str(library))
            return
