"""OS packages: from an archive's signing key to every .deb that a request needs.

- ``lock``           the whole way, from ``Request`` to the lock's ``OsLayer``
- ``distributions``  Debian and Ubuntu behind one protocol
- ``archive``        signatures, Releases, indexes of an instant, and where their bytes are had
- ``packages``       what an index says: stanzas, relations, versions, candidates
- ``closure``        what is installed together, by apt's rules, or why it cannot be
- ``builds``         source packages, and what building needs
- ``libraries``      which packages the compiled files of wheels need
- ``python``         the suite's own Pythons, where they are to be locked

May use ``lock``, ``errors`` and ``io``; prints nothing.
"""
