"""What others say today of what is locked: indexes, archives, registries, advisories (OSV)."""
