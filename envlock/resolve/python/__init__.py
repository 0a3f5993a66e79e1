"""Python: engines behind one protocol, and the dated index that they look at.

- ``engines``  uv (the default) and pip-tools: a question → a resolution
- ``config``   where packages come from, as uv's and pip's settings say; ``sources`` the answer
- ``index``    an index as it was at an instant: pages, metadata, the view served on loopback
- ``builds``   what building each sdist needs
- ``direct``   URLs, local paths and commits, pinned before any engine runs
  (``references`` takes them apart); ``local_files`` for files that have no index
- ``releases`` when each CPython came out
"""
