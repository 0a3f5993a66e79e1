"""The edges: processes, files, the network, progress. Knows nothing of envlock but ``errors``.

- ``process``   the one door for subprocesses: argv lists, no shell, one error type
- ``confined``  runs foreign code for a limited time
- ``trace``     runs a program with everything passed through, and knows what it used
- ``files``     atomic writes, reads with clear errors, an advisory lock for one project
- ``http``      verified, retried, parallel transfers (libcurl)
- ``images``    container images, at registries and on this machine
- ``osv``       security advisories
- ``content``   large trees of files: digests, and what changed since
- ``git``       git's command line, to read
- ``store``     the content-addressed store; ``cache`` for small answers; ``unpack`` for archives
- ``progress``  the reporter protocol; its default does nothing, so that the core never prints
- ``paths``     the user's cache folder
- ``value``     frozen values, ``sha256`` digests: for what may take no time to load
"""
