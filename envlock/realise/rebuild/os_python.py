"""A distribution's own Python from its packages, unpacked under a prefix: no root, no chroot.

Nothing of the packages is run to install them. The interpreter is started by their own loader with
their own libraries, so that the machine's C library may be older, newer or none.
"""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

from envlock.errors import SourceError, UsageError
from envlock.io import process
from envlock.io.files import disk_error
from envlock.io.interpreters import Interpreter, query
from envlock.io.paths import cache_dir
from envlock.io.store import stored
from envlock.io.unpack import OddArchiveError, unpack_root
from envlock.lock.model import Lock
from envlock.lock.os import OsPackage
from envlock.lock.os_graph import os_needs
from envlock.lock.target import Target

_KEPT = ("lib/", "lib64/", "usr/lib/", "usr/lib64/", "usr/bin/python", "usr/share/zoneinfo/")
_OTHERS = ("zlib1g", "tzdata", "media-types")
_REAL = "usr/lib/envlock-python"
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


def unpacked_os_python(packages: tuple[OsPackage, ...], target: Target) -> Interpreter:
    """The interpreter of packages that are in the store, unpacked once into the cache.

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
                for package in packages:
                    _unpack(package, root)
                _make_startable(root, final, target)
                root.rename(final)
        except OSError as error:
            if not final.is_dir():  # another process was not faster
                raise disk_error(error, final) from None
    try:
        return query(program)
    except UsageError as error:
        raise SourceError(
            f"Python {target.series} of the locked packages does not start here: {error.what}",
            where=str(program),
            remedy=f"install CPython {target.series}, or make an image: --backend image",
        ) from None


def _unpack(package: OsPackage, root: Path) -> None:
    from envlock.realise.image.deb import unpacked_data

    name = package.file_name.rpartition("/")[2]
    with unpacked_data(stored(package.sha256), name) as content:
        try:
            unpack_root(content, root, lambda path: path.startswith(_KEPT))
        except OddArchiveError as error:
            raise UsageError(str(error), where=name) from None


def _make_startable(root: Path, final: Path, target: Target) -> None:
    """A script in the interpreter's place; Python finds its library from where that lies."""
    folders = sorted(
        path for place in ("lib", "usr/lib") for path in root.glob(f"{place}/*-linux-gnu*")
    )
    loaders = [path for folder in folders for path in folder.glob("ld-linux*.so.*")]
    program = root / "usr" / "bin" / f"python{target.series}"
    if not loaders or not program.is_file():
        raise SourceError(
            f"the locked packages have no Python {target.series} with its loader",
            remedy=f"install CPython {target.series}",
        )
    said = process.run([str(loaders[0]), "--help"])
    if "--argv0" not in said.stdout + said.stderr:
        raise SourceError(
            "the loader of the locked packages cannot start a program under another name"
            " (glibc before 2.33)",
            remedy=f"install CPython {target.series}, or make an image: --backend image",
        )
    real = root / _REAL
    program.rename(real)

    def there(path: Path) -> str:
        return str(final / path.relative_to(root))

    program.write_text(
        _START.format(
            loader=there(loaders[0]),
            libraries=":".join(map(there, folders)),
            real=there(real),
        )
    )
    program.chmod(0o755)
