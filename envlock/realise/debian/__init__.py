"""Packages of the distribution, built again from their locked sources.

- ``plan``     which builds bring the asked .debs back, and what published ones they are held to
- ``root``     a root with exactly the build dependencies, kept as an archive
- ``build``    one build in such a root: an ordinary user's, without the network
- ``perform``  all of it: files, roots, builds, what is known already from the cache
- ``compare``  two .debs, member by member and file by file; ``elf`` section by section
"""
