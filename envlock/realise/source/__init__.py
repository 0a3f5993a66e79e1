"""Wheels from locked sdists, each built alone, and what they are beside the published ones.

- ``plan``     which wheels are built of what, in which order, and where cycles are broken
- ``build``    one build: isolated, always in the same place, by locked requirements only
- ``perform``  all of them, in parallel, what is known already from the cache
- ``programs`` which of the machine's programs are missing
- ``compare``  two wheels, file by file
"""
