"""Lock → a working environment.

- ``place``     where to install: a virtual environment (made when missing) or an interpreter's
- ``uv``        uv's settings, the same for every run: nothing of the machine's but its cache
- ``venv``      make the environment hold exactly the lock, offline where the cache has all
- ``failures``  what uv says, as envlock's errors
"""
