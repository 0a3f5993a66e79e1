"""What is there, against the lock.

- ``observe``  what an environment holds, read from its files without importing anything
- ``drift``    the registry of typed differences and their stable codes
- ``compare``  pure: request and environment against the lock → differences
- ``changes``  pure: one environment before and after
"""
