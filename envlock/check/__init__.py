"""What is there, against the lock.

- ``observe``  what an environment holds, read from its files without importing anything
- ``codes``, ``meanings``, ``explain``  the registry of stable codes; ``drift`` one difference
- ``compare``  pure: request and environment against the lock → differences
- ``changes``  pure: one environment before and after
"""
