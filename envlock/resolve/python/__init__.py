"""Python: engines behind one protocol, and the dated index that they look at.

- ``engine``           the protocol; ``Question`` and ``Resolution``
- ``uv_engine``        uv, the default (``uv_lockfile`` reads its lock, ``uv_messages`` its words,
  ``reach`` turns its graph into markers per target)
- ``piptools_engine``  pip-compile, through the dated view (``pip_workspace`` runs it,
  ``pip_report`` and ``pip_messages`` read what it says, ``pip_files`` finds the chosen files)
- ``sources``          indexes and find-links; ``config`` finds them in uv's and pip's settings
- ``pages``, ``metadata``, ``view``  an index as it was at an instant, served on loopback
- ``direct``           URLs, local paths and commits, pinned before any engine runs
  (``references`` takes them apart); ``local_files`` for files that have no index
- ``build_requirements``  what building each sdist needs (``build_sdists`` has their files,
  ``sdist`` reads them, ``build_hook`` asks their backends, ``build_graphs`` resolves,
  ``generator``, ``build_then`` and ``build_programs`` say what wheels and files tell)
"""
