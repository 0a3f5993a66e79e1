"""The lock as a value: frozen parts, the pylock.toml codec, the environment hash, the diff.

Pure: nothing here opens a file, a socket or a process. It may import ``errors`` and ``packaging``,
``tomli`` and ``tomli_w``, and nothing else of envlock.

- ``model``      the values: ``Lock``, ``PythonPackage``, ``Artifact``, …
- ``request``    what a project asks for: ``Request``, ``Wish``; its digest
- ``os``         the OS layer; ``image`` the base image; ``toolchain``: nixpkgs and Guix
- ``builds``     what building the sdists needs; ``bootstrap`` what they start from
- ``interpreter`` archives of Python; ``provider``: where each target's Python comes from
- ``target``     platforms and Pythons: markers, environments, wheel tags
- ``codec``      pylock.toml (PEP 751) text ⇄ ``Lock``; ``tables``: each of its tables ⇄ values
- ``hashing``    canonical JSON and the environment hash (docs/environment-hash.md)
- ``selection``, ``artifacts``  which packages and files serve a machine
- ``installed``, ``realised``   what was made from a lock, and what it says of itself
- ``staleness``  request against lock: typed mismatches
- ``diff``       lock against lock: typed changes
- ``graph``      who needs whom, for ``why`` and ``tree``
"""
