"""A distribution's own Python from its packages, unpacked under a prefix: no root, no chroot.

Nothing of the packages is run to install them. The interpreter is started by their own loader with
their own libraries, so that the machine's C library may be older, newer or none. A loader before
glibc 2.33 cannot give a program another name, which Python needs to find its environment: then the
machine's loader and C library, which have to be newer, start it with all other libraries its own.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from pathlib import Path

from envlock.errors import SourceError, UsageError
from envlock.io import process
from envlock.io.files import disk_error
from envlock.io.interpreters import Interpreter, query
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.io.store import stored
from envlock.io.unpack import OddArchiveError, unpack_root
from envlock.lock.graph.os import os_needs
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.target import Target

_KEPT = ("lib/", "lib64/", "usr/lib/", "usr/lib64/", "usr/bin/python", "usr/share/zoneinfo/")
_OTHERS = ("zlib1g", "tzdata", "media-types", "python3-distutils", "python3-lib2to3")
_WHOLE_SINCE = 10
_REAL = "usr/lib/envlock-python"
_C_LIBRARY = "libc6"
_INSTALL = "install that Python, or make an image: --backend image"
_START = """\
#!/bin/sh
exec '{loader}' --library-path '{libraries}' --argv0 "$0" '{real}' "$@"
"""


def python_packages(lock: Lock, target: Target) -> tuple[OsPackage, ...]:
    """The packages that the target's Python, and libraries for what runs in it, come from.

    Empty where the lock has no such Python.
    """
    if lock.os is None:
        return ()
    architecture = target.platform.partition("/")[2]
    own = {p.name: p for p in lock.os.packages if p.architecture == architecture}
    first = own.get(f"python{target.series}")
    if first is None or not target.platform.startswith("linux/"):
        return ()
    needs = os_needs(lock.os, architecture)
    found = {first.name}
    queue = [first.name]
    while queue:
        for package in needs.get(queue.pop(), ()):
            if package.name not in found:
                found.add(package.name)
                queue.append(package.name)
    found |= {name for name in own if name.startswith("lib") or name in _OTHERS}
    return tuple(own[name] for name in sorted(found & own.keys()))


def unpacked_os_python(
    packages: tuple[OsPackage, ...], target: Target, reporter: Reporter
) -> Interpreter:
    """The interpreter of packages that are in the store, unpacked once into the cache.

    ``reporter`` is told when the machine's C library has to serve.

    Raises:
        SourceError: the cache cannot be written, or the Python does not start here.
        UsageError: a package cannot be unpacked.
    """
    key = hashlib.sha256("\n".join(p.sha256 for p in packages).encode()).hexdigest()[:32]
    final = cache_dir() / "pythons" / key
    program = final / "usr" / "bin" / f"python{target.series}"
    if not final.is_dir():
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=final.parent) as folder:
                root = Path(folder, "root")
                root.mkdir()
                loader = _unpack_all(packages, root, final)
                _make_startable(root, final, target, loader)
                root.rename(final)
        except OSError as error:
            if not final.is_dir():  # another process was not faster
                raise disk_error(error, final) from None
    if not own_c_library(final):
        reporter.note(
            f"Python {target.series} of the locked packages is started by this machine's C library:"
            " the locked one (glibc before 2.33) cannot start a program under another name"
        )
    try:
        return query(program)
    except UsageError as error:
        raise SourceError(
            f"Python {target.series} of the locked packages does not start here: {error.what}",
            where=str(program),
            remedy=f"install CPython {target.series}, or make an image: --backend image",
        ) from None


def own_c_library(final: Path) -> bool:
    """Whether a Python that was unpacked there has its own C library."""
    return any(final.glob("lib/*/libc.so.6")) or any(final.glob("usr/lib/*/libc.so.6"))


def _unpack_all(packages: tuple[OsPackage, ...], root: Path, final: Path) -> str:
    """Unpack the packages, the C library first; the loader that is to start what is in them.

    Raises:
        SourceError: neither theirs nor the machine's can.
    """
    ordered = sorted(packages, key=lambda package: package.name != _C_LIBRARY)
    for package in ordered[:1]:
        _unpack(package, root)
    loaders = [path for folder in _folders(root) for path in folder.glob("ld-linux*.so.*")]
    if not loaders:
        raise SourceError("the locked packages have no loader", remedy=_INSTALL)
    loader = str(final / loaders[0].relative_to(root))
    if not _names_programs(loaders[0]):
        loader = _loader_of_machine(loaders[0])
        shutil.rmtree(root)
        root.mkdir()
    for package in ordered[1:]:
        _unpack(package, root)
    return loader


def _loader_of_machine(own: Path) -> str:
    for folder in ("/lib64", "/lib", f"/lib/{own.parent.name}", f"/usr/lib/{own.parent.name}"):
        path = Path(folder, own.name)
        if path.exists() and _names_programs(path):
            return str(path)
    raise SourceError(
        "neither the loader of the locked packages nor this machine's can start a program under"
        " another name (glibc before 2.33)",
        remedy=_INSTALL,
    )


def _names_programs(loader: Path) -> bool:
    said = process.run([str(loader), "--help"])
    return "--argv0" in said.stdout + said.stderr


def _folders(root: Path) -> list[Path]:
    places = ("lib", "usr/lib")
    return sorted(path for place in places for path in root.glob(f"{place}/*-linux-gnu*"))


def _unpack(package: OsPackage, root: Path) -> None:
    from envlock.realise.image.deb import unpacked_data

    name = package.file_name.rpartition("/")[2]
    with unpacked_data(stored(package.sha256), name) as content:
        try:
            unpack_root(content, root, lambda path: path.startswith(_KEPT))
        except OddArchiveError as error:
            raise UsageError(str(error), where=name) from None


def _make_startable(root: Path, final: Path, target: Target, loader: str) -> None:
    """A script in the interpreter's place; Python finds its library from where that lies."""
    program = root / "usr" / "bin" / f"python{target.series}"
    if not program.is_file():
        raise SourceError(
            f"the locked packages have no Python {target.series}",
            remedy=f"install CPython {target.series}",
        )
    library = root / "usr" / "lib" / f"python{target.series}"
    if (
        int(target.series.partition(".")[2]) < _WHOLE_SINCE
        and not (library / "distutils" / "dist.py").is_file()
    ):
        raise SourceError(
            f"the locked packages have Python {target.series} without distutils, which installers"
            " need there",
            remedy="`envlock lock --upgrade` locks it, too (python3-distutils)",
        )
    real = root / _REAL
    program.rename(real)

    def there(path: Path) -> str:
        return str(final / path.relative_to(root))

    program.write_text(
        _START.format(
            loader=loader,
            libraries=":".join(map(there, _folders(root))),
            real=there(real),
        )
    )
    program.chmod(0o755)
