"""A folder, or a tar archive of it, with everything that locks need: docs/bundle.md.

- ``layout``    where what is in a bundle; its manifest
- ``plan``      lock → what a target installs, for ``files/install.py``, which knows no markers
- ``trees``     .debs → plain tar archives
- ``contents``  locks and the store → everything of a bundle
- ``write``     that → a folder or an archive

Of a bundle that is there:

- ``opened``    its files, as a folder or in an archive; nothing trusted
- ``verify``    held to its manifest and its locks
- ``snapshots``  states of the distribution's archives; ``images``: base images
- ``source``     its files by digest, for rebuilds
- ``difference`` between two
- ``mirror``    as package managers see it; ``serve``: on loopback
- ``files``     what goes into each bundle as it is
"""
