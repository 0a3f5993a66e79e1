"""envlock: lock, export, check, run and rebuild environments by date.

Folders, in the order that imports may go (each may use what stands after it):

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
