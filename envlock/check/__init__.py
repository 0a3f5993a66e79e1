"""What is there, against the lock.

- ``python``    an environment: packages, their files, and what belongs to none of them
- ``os``        the distribution's packages of a root: dpkg's status, files, apt's sources
- ``image``     a container image, read from its layers
- ``exports``   generated files, against what the lock gives now; ``nix`` what Nix built
- ``online``    what indexes, archives, registries and advisories say today of what is locked
- ``portable``  the lock as a shell script that checks without envlock
- ``codes``     the registry of stable codes and their meanings; ``drift`` one difference
- ``compare``   pure: request and packages against the lock → differences; ``changes`` before and
  after; ``lock_edited`` a lock against its own digests
- ``policy``    what a project says of differences;  ``report`` how they are told to other programs
- ``reader``, ``disk``  how files are looked at: read once, then known by their stamp
- ``abilities`` what this machine can do for envlock
"""
