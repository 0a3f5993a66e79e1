"""What a project says, read into a ``Request``; nothing is resolved here.

- ``locate``            which folder, file and lockfile a command is about
- ``load``              everything below put together: ``load_request``
- ``settings``          ``[tool.envlock]`` and ``envlock.toml``
- ``pyproject``         PEP 621 dependencies and extras; ``extras``, ``groups`` (PEP 735)
- ``uv_table``          ``[tool.uv]``; ``uv_sources``: where uv takes a dependency from
- ``requirements_file`` pip's format (its lexer in ``requirements_lines``)
- ``script``            PEP 723;  ``environment_yml`` conda's;  ``setup_cfg`` setuptools'
- ``dates``             what ``--as-of`` and ``as-of`` mean
- ``init``              the smallest settings that lock a project; ``survey`` finds what it has
- ``document``, ``wishes``, ``direct``, ``indexes``, ``part``   shared by the readers
"""
