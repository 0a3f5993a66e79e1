"""The project that uv is asked about, as text: its files and its command line.

Little is imported: ``uv_engine`` makes both of a question, ``envlock lock`` of what the question
will most likely be, long before.
"""

from __future__ import annotations

from envlock.resolve.python.engines.uv_runs import FOLDER

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime
    from typing import Any

ROOT_NAME = "envlock-request"
"""The generated project's name; no package may be called so."""
LOG = {"RUST_LOG": "uv_resolver=warn,uv_client=warn"}
"""What uv is to say, as a variable."""
A_WHILE = 600
"""Seconds for which an index page is kept, where the date lies further back than that."""


def project(
    *,
    python: str,
    dependencies: Iterable[str],
    environments: Iterable[str],
    constraints: Iterable[str] = (),
    overrides: Iterable[str] = (),
) -> str:
    """The ``pyproject.toml``; ``python`` is the lowest Python that uv is to think of."""
    import tomli_w

    settings: dict[str, Any] = {
        "package": False,
        "environments": sorted(environments),
        "constraint-dependencies": sorted(set(constraints)),
        "override-dependencies": sorted(set(overrides)),
    }
    return tomli_w.dumps(
        {
            "project": {
                "name": ROOT_NAME,
                "version": "0",
                "requires-python": f">={python}",
                "dependencies": sorted(set(dependencies)),
            },
            "tool": {"uv": {k: v for k, v in settings.items() if v != []}},
        }
    )


def cache_control(as_of: datetime, now: datetime, *, refresh: bool) -> dict[str, str]:
    """How long uv keeps pages of indexes whose answers do not say so, which would be fetched again.

    Pages are kept only for a date that lies further back than they are kept: as of now, what was
    uploaded a minute ago must be seen. What is said here goes before uv's ``--refresh``.
    """
    from envlock.resolve.python.engines.uv_settings import FILES_FOREVER

    settled = (now - as_of).total_seconds() > A_WHILE
    pages = {"api": f"max-age={A_WHILE}"} if settled and not refresh else {}
    return pages | FILES_FOREVER


def files(project: str, configuration: Mapping[str, Any]) -> dict[str, str]:
    """The files of the project: name and text."""
    import tomli_w

    return {"pyproject.toml": project, "uv.toml": tomli_w.dumps(configuration)}


def arguments(uv: str, python: str) -> list[str]:
    """The command line of a run without further wishes, with ``FOLDER`` for its folder."""
    return [
        uv,
        "lock",
        "--directory",
        FOLDER,
        "--no-progress",
        "--color=never",
        "--no-python-downloads",
        "--python",
        python,
        "--config-file",
        f"{FOLDER}/uv.toml",
    ]
