"""A recorded run, made ready to be run again elsewhere (docs/repeat.md).

- ``prepare``  a folder of its own, with ``code`` and ``data``
- ``host``     what of a machine numbers depend on: compared, and set as it was
- ``verdict``  what it made, beside what the run had made
"""
