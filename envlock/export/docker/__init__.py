"""``envlock export docker``: a Dockerfile that rebuilds the locked environment to the same bytes.

- ``exporter``  Lock → the files
- ``plan``      Lock → what the image of each architecture holds, as values
- ``text``      quoting for Dockerfiles, and what may stand in plain lists
- ``files/``    scripts that run in the image, the same in every export

The texts themselves are in ``templates/docker``. Reads nothing but the lock.
"""
