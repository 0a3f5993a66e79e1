"""Generated files against what the lock gives now."""
