"""Source packages: which there are for a lock's .debs, and what building them needs."""
