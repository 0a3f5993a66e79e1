"""The environment of a tool that is run: this process's, without what would change its answer.

Nothing is imported: ``envlock lock`` starts uv before it loads anything else.
"""

from __future__ import annotations

import os


def clean_environment(*drop_prefixes: str, **extra: str) -> dict[str, str]:
    """This process's environment without variables that start with one of ``drop_prefixes``.

    A fixed ``LC_ALL=C.UTF-8`` and ``TZ=UTC`` keep tools' output the same everywhere.
    """
    kept = {k: v for k, v in os.environ.items() if not k.startswith(drop_prefixes)}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"} | extra


def pyenv_folders() -> tuple[str, ...]:
    """The folders with programs of every CPython that pyenv has, the newest release first.

    pyenv's own programs on ``PATH`` answer for active versions alone; the others are as good to
    make an environment from. What ``PYENV_ROOT`` (else ``~/.pyenv``) does not have is not there.
    """
    root = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")
    try:
        names = os.listdir(os.path.join(root, "versions"))
    except OSError:
        return ()
    releases = [(release, name) for name in names if (release := _release(name)) is not None]
    return tuple(
        os.path.join(root, "versions", name, "bin") for _, name in sorted(releases, reverse=True)
    )


def _release(name: str) -> tuple[int, ...] | None:
    """``3.11.7`` as numbers; None for other names (betas, environments, other Pythons)."""
    parts = name.split(".")
    if len(parts) != 3 or parts[0] != "3" or not all(p.isascii() and p.isdigit() for p in parts):
        return None
    return tuple(map(int, parts))
