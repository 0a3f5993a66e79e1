"""The link that leads to what Nix or Guix built."""

from __future__ import annotations

import os
from pathlib import Path

from envlock.errors import UsageError


def check_link(link: Path, store: Path) -> None:
    """Nothing, where a link into ``store`` may be made, in place of another one if need be.

    Raises:
        UsageError: something else is there.
    """
    own = link.is_symlink() and link.readlink().is_relative_to(store)
    if os.path.lexists(link) and not own:
        raise UsageError(
            f"there is something that is no link into {store}; it was left as it is",
            where=str(link),
            remedy="name another place: --into",
        )
