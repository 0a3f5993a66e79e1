"""What was run in an environment, and what it used.

- ``observed``  a trace, folded to what a person calls inputs and outputs
"""
