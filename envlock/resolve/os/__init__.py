"""OS packages: from an archive's signing key to every .deb that a request needs.

- ``lock``          the whole way, from ``Request`` to the lock's ``OsLayer``
- ``distribution``  the protocol of a distribution; ``debian``, ``ubuntu`` are two
- ``archive``       verified suites at an instant; the links of its chain are ``signed``, ``trust``
  and ``release``, the bytes come through ``snapshot``, ``mirrors``, ``fetch``; ``keys`` are shipped
- ``suite``         one of them: its Release, and its indexes by digest
- ``index``         package indexes, read by ``control``, ``relations``, ``candidates``, ``version``
- ``sources``       source indexes: what each .deb was built from
- ``paragraphs``    how indexes are kept: as SQLite, by digest
- ``closure``       what is installed together, by apt's rules; ``solver``, ``selection``,
  ``providers`` find it, ``failure`` says why not, ``absent`` who has what is not there
- ``build_needs``   what building a source package needs, from a lock's archives;
  ``build_relations`` reads its fields
- ``python``        the suite's own Pythons, where they are to be locked

May use ``lock``, ``errors`` and ``io``; prints nothing.
"""
