"""Trees of 100,000 files: what is in them, and what has changed since they were read.

- ``scan``       every file with its stamps, nothing opened; ``index`` remembers what was read
- ``reading``    digests of many files on every core; ``digests`` those of files and folders
- ``unchanged``  a verdict that holds while nothing that it was made from has changed
- ``untouched``  whether files have the stamps they had; ``changed``, which changed since a moment
"""
