"""Lock → files, pure: one module per format, found by entry point ``envlock.exporters``.

- ``exporter``      the protocol; ``FileTree``
- ``requirements``  pip's requirements file, in hash-checking form

May use ``lock`` and ``errors``; opens nothing, prints nothing.
"""
