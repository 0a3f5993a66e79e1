"""A folder, or a tar archive of it, with everything that locks need: docs/bundle.md.

- ``layout``    where what is in a bundle; its manifest
- ``contents``  locks and the store → everything of a bundle
- ``write``     that → a folder or an archive
"""
