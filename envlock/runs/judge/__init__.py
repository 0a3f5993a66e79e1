"""Whether two files that should be the same are: by what they mean, where their type is known.

- ``findings``  what a comparison says, and when two numbers are close
- ``text``      CSV and JSON, by Python alone
- ``files``     one file against another: which comparison, compressed ones, bytes
- ``inside``    arrays, tables and images: a script for a Python that has their libraries
"""
