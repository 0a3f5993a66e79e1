"""``python -m envlock``."""

from __future__ import annotations

from envlock.cli import main

if __name__ == "__main__":
    main()
