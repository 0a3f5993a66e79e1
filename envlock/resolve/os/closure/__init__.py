"""What is installed together, by apt's rules, or why it cannot be.

- ``close``      the whole;  ``solver``, ``selection``, ``providers`` find it
- ``failure``    why not, from the request down;  ``absent`` who has what is not there
"""
