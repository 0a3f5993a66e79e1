"""envlock: lock, export, check, run and rebuild environments by date.

Folders, in the order that imports may go (each may use what stands after it):

- ``client``   what a program gets by ``import envlock``: its environment's hash, its run.
- ``cli``      one file per command; parses, wires, prints, exits.
- ``realise``, ``check``  a working environment from a lock; drift of one against a lock.
- ``export``   Lock → files, pure.
- ``resolve``  Request → Lock, through engines and a dated index.
- ``project``  a project's own files → Request.
- ``lock``     frozen values, the pylock.toml codec, the environment hash, the diff. Pure.
- ``errors``   one family of errors, each with a remedy and an exit code.
- ``io``       http, processes, atomic files, progress; imports nothing of the above but ``errors``.
"""

__version__ = "0.1.0"
"""That of pyproject.toml, for what is too quick to read metadata."""

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from envlock.client import current, hash, run

__all__ = ["current", "hash", "run"]

_NOTEBOOK = ("load_ipython_extension", "unload_ipython_extension")


def __getattr__(name: str) -> object:
    """Load what is asked for, only then: a command loads nothing of this."""
    if name not in __all__ and name not in _NOTEBOOK:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    module = "envlock.client.notebook" if name in _NOTEBOOK else "envlock.client"
    return getattr(import_module(module), name)
