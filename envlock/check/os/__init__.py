"""OS packages: what dpkg and apt say of a root, and its files, against the lock."""
