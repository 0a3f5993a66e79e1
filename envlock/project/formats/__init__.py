"""The files in which projects say what they need.

- ``pyproject``          PEP 621 dependencies and extras; ``extras``, ``groups`` (PEP 735)
- ``uv_table``           ``[tool.uv]``; ``uv_sources``: where uv takes a dependency from
- ``requirements_file``  pip's format (its lexer in ``requirements_lines``)
- ``script``             PEP 723;  ``environment_yml`` conda's;  ``setup_cfg`` setuptools'
"""
