"""An archive at an instant, each byte from its signature on.

- ``archive``     verified suites; the links of the chain are ``signed``, ``trust`` and ``release``,
  the bytes come through ``snapshot`` and ``mirrors``; ``keys`` are shipped
- ``suite``       one of them: its Release, and its indexes by digest
- ``index``       package indexes as SQLite, kept by ``paragraphs`` under their digest
- ``locked``      what a lock's packages were chosen from;  ``locate`` where its files are had
"""
