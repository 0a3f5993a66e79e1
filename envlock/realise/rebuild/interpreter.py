"""The interpreter that an environment is made from: the machine's, else the locked archive."""

from __future__ import annotations

import tempfile
from pathlib import Path

from envlock.errors import SourceError, UsageError
from envlock.io.files import disk_error
from envlock.io.interpreters import Interpreter, query
from envlock.io.paths import cache_dir
from envlock.io.store import stored
from envlock.lock.interpreter import StandalonePython
from envlock.resolve.python.builds.hook import find_python


def machine_python(python: str) -> Interpreter | None:
    """A CPython of this machine: ``3.11`` (any patch) or ``3.11.7``; None: it has none."""
    try:
        return find_python(python)
    except SourceError:
        return None


def unpacked_python(build: StandalonePython) -> Interpreter:
    """The interpreter of an archive that is in the store, unpacked once into the cache.

    Raises:
        SourceError: the cache cannot be written.
        UsageError: it is no such archive, or its Python does not start here.
    """
    from envlock.io.unpack import OddArchiveError, unpack

    final = cache_dir() / "pythons" / build.sha256[:32]
    program = final / "bin" / f"python{'.'.join(build.version.split('.')[:2])}"
    if not final.is_dir():
        try:
            final.parent.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=final.parent) as folder:
                top = unpack(stored(build.sha256), Path(folder))
                (top / "BUILD").write_text(build.build, "ascii")  # as uv notes it
                top.rename(final)
        except OddArchiveError as error:
            raise UsageError(str(error), where=str(build)) from None
        except OSError as error:
            if not final.is_dir():  # another process was not faster
                raise disk_error(error, final) from None
    return query(program)
