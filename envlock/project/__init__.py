"""What a project says, read into a ``Request``; nothing is resolved here.

- ``locate``    which folder, file and lockfile a command is about
- ``load``      everything below put together: ``load_request``
- ``settings``  ``[tool.envlock]`` and ``envlock.toml``
- ``formats``   the files that say it: pyproject.toml, pip's, conda's, setuptools', uv's tables
- ``dates``     what ``--as-of`` and ``as-of`` mean
- ``init``      the smallest settings that lock a project; ``survey`` finds what it has
- ``document``, ``wishes``, ``direct``, ``indexes``, ``part``, ``below``   shared by the readers
"""
