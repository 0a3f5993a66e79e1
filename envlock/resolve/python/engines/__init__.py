"""The engines behind one protocol.

- ``engine``     the protocol; ``Question`` and ``Resolution``
- ``uv``         uv, the default (``uv_lockfile`` reads its lock, ``uv_messages`` its words,
  ``uv_settings`` says how it is run, ``reach`` turns its graph into markers per target)
- ``piptools``   pip-compile, through the dated view (``pip_workspace`` runs it,
  ``pip_report`` and ``pip_messages`` read what it says, ``pip_files`` finds the chosen files)
"""
