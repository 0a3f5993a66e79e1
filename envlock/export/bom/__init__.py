"""What an environment consists of, as statements for others: SBOMs and provenance.

``inventory`` says once, in neutral values, what is in a lock; ``cyclonedx``, ``spdx`` and
``provenance`` write that down in their formats.
"""
