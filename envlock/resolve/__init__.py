"""Request → Lock: the one place that asks indexes, and never later than the lock's date.

- ``lock``     puts a lock together: direct references, the engine, digests, sizes, checks
- ``explain``  why there is no answer, and from which date there would be one
- ``sizes``    file sizes that the index did not state
- ``standalone``  archives of Python by date, digests included, as uv knows them
- ``python``   engines (uv, pip-tools), the dated view of an index, metadata, configuration

May use ``project``, ``lock``, ``errors`` and ``io``; prints nothing.
"""
