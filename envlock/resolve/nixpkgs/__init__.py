"""nixpkgs: which revision a branch stood at on a date, and what a ``flake.lock`` says of it.

- ``find``      the whole way, from the request to the lock's ``Nixpkgs``
- ``table``     the tips that envlock ships (``revisions.txt``)
- ``branches``  the stable branch of a date, and the channel of a branch
- ``releases``  the client of the channels' release history
- ``commits``   the client of GitHub's list of commits
- ``archive``   one git-archive tarball → commit, date, narHash; ``nar`` is the digest

May use ``lock``, ``errors`` and ``io``; prints nothing.
"""
