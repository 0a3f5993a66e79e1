"""Records for others: the standards in which provenance is told.

Each takes records as they are kept and gives files by name, the same bytes each time:

- ``material``  what all of them need: when a run ended, its files, content that was kept
- ``crate``     Process Run Crate 0.5 (RO-Crate 1.1): a folder with the metadata and what was kept
- ``prov``      PROV-JSON, W3C's member submission of 2013
- ``intoto``    in-toto Statement v1 with SLSA Provenance v1
- ``datalad``   the commit message of ``datalad run``
"""
