"""Environments: packages, content and what belongs to none, against the lock."""
