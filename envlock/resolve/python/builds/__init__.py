"""What building each sdist from source needs, down to the bottom.

- ``requirements``  the whole: what each locked sdist needs; ``bottom`` how far down
- ``sdists``        their files, ``sdist`` reads them;  ``hook`` asks their backends (PEP 517)
- ``graphs``        resolves build environments, equal ones once
- ``generator``, ``programs``  what wheels tell of their backend, and files of programs
"""
