"""The edges: processes, files, the network, progress. Knows nothing of envlock but ``errors``.

- ``process``   the one door for subprocesses: argv lists, no shell, one error type
- ``confined``  runs foreign code for a limited time; ``unpack`` opens foreign archives
- ``trace``     runs a program with everything passed through, and knows what it used
- ``files``     atomic writes, reads with clear errors, an advisory lock for one project
- ``http``      verified, retried, parallel transfers (libcurl)
- ``loopback``  a server for this machine's own programs
- ``git``       which commit a branch, tag or id meant at a date
- ``checkout``  a commit's files in a folder of their own, from a repository that is only read
- ``worktree``  the commit that a folder is of, and what differs from it
- ``progress``  the reporter protocol; its default does nothing, so that the core never prints
- ``paths``     the user's cache folder
- ``value``     frozen values, ``sha256`` digests: for what may take no time to load
"""
