"""Transfers: verified, retried, resumed, many at a time (libcurl).

- ``client``    what the others ask: one or many bodies, with their digests, or a clear error
- ``transfer``  one request and how it is judged; ``loop`` runs many; ``sinks`` and ``bodies`` take
  what comes
- ``fetch``     files of a lock into the store, from whoever has the bytes
- ``reach``     whether addresses have something, without fetching it
- ``settings``  proxies, certificates and credentials, from where pip and curl take them
- ``urls``      addresses: joined, compared, shown without their passwords
- ``loopback``  a server for this machine's own programs
"""
