"""``envlock export guix``: a channel, a manifest and package definitions from the locked sdists.

- ``exporter``  Lock → the files
- ``packages``  Lock and target → package definitions, as values
- ``builds``    what a definition is built with
- ``order``     which dependencies a definition can name: Guix allows no cycles
- ``names``     what programs for building are called in Guix
- ``scheme``    strings and identifiers of Scheme

The texts themselves are in ``templates/guix``. Reads nothing but the lock.
"""
