"""The environment of a lock brought back, from whoever has its bytes.

- ``gather``      every file into the store: from the store, bundles, folders, mirrors, archives
- ``choose``      which of the locked files this machine's environment is made of
- ``install``     the environment from files of the store alone
- ``realised``    whether what is installed is what a run's record says
"""
