"""Where the tools are that envlock runs."""

from __future__ import annotations

import os
from pathlib import Path

from envlock.errors import SourceError


def find_uv() -> Path:
    """uv's executable: the one of the installed ``uv`` package, else the first on ``PATH``.

    Raises:
        SourceError: there is none.
    """
    try:
        from uv import find_uv_bin

        return Path(find_uv_bin())
    except (ImportError, FileNotFoundError):
        import shutil

        found = shutil.which("uv")
    if found is None:
        raise SourceError("uv is not installed", remedy="pip install uv")
    return Path(found)


def find_nix() -> Path:
    """Nix's executable: the first on ``PATH``, else where its own installer puts it.

    Raises:
        SourceError: there is none; says how to get it.
    """
    import shutil

    for place in ("nix", "/nix/var/nix/profiles/default/bin/nix"):
        found = shutil.which(place)
        if found is not None:
            return Path(found)
    raise SourceError(
        "Nix is not installed",
        remedy="Debian, Ubuntu: apt-get install nix-bin; elsewhere: https://nixos.org/download\n"
        "`envlock export nix` works without it, for a machine that has Nix",
    )


def find_guix() -> Path:
    """Guix's client: the first on ``PATH``, else where Guix puts it itself.

    Raises:
        SourceError: there is none; says how to get it.
    """
    import shutil

    own = os.path.expanduser("~/.config/guix/current/bin/guix")  # noqa: PTH111
    for place in ("guix", own, "/usr/local/bin/guix", "/run/current-system/profile/bin/guix"):
        found = shutil.which(place)
        if found is not None:
            return Path(found)
    raise SourceError(
        "Guix is not installed",
        remedy="https://guix.gnu.org/download has its installer; some distributions have a"
        " package guix\n`envlock export guix` works without it, for a machine that has Guix",
    )


def system_path() -> str:
    """``PATH`` with the folders of programs such as ``chroot``, which ordinary users may lack."""
    own = [folder for folder in os.environ.get("PATH", os.defpath).split(os.pathsep) if folder]
    return os.pathsep.join((*own, *(f for f in ("/usr/sbin", "/sbin") if f not in own)))
