"""The tables of pylock.toml ⇄ values; for ``codec``."""
