"""The texts in ``templates/``, filled in (Jinja2)."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

Filters = Mapping[str, Callable[[Any], str]]


def render(name: str, filters: Filters, **values: Any) -> bytes:
    """A template's text, as UTF-8.

    Args:
        name: the template's path below ``templates/``, POSIX separators.
        filters: what quotes values in the language of that text; nothing is quoted by itself.
        values: what the template names; one that is missing is an error.
    """
    # Text that no HTML reader sees: Jinja2's own escaping would change it.
    environment = Environment(
        loader=FileSystemLoader(_folder()),
        undefined=StrictUndefined,
        autoescape=False,  # noqa: S701
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters)
    return environment.get_template(name).render(**values).encode()


@functools.cache
def _folder() -> Path:
    """Beside this package's other files in the wheel; at the top of a checkout."""
    installed = Path(__file__).parents[1] / "templates"
    return installed if installed.is_dir() else Path(__file__).parents[2] / "templates"
