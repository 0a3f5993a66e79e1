"""uv, started on what ``envlock lock`` will most likely ask it, while all the rest is loaded.

A guess is made of the plainest projects: requirements in pyproject.toml, a Python that is named,
no lock yet. It needs a third of what reading a project properly does, checks nothing, and decides
nothing: ``uv_runs.take`` compares it, byte for byte, with what is asked in the end. What is not
plain is not guessed. Where packages come from is not guessed either, but read as ever: nobody is
asked who is not configured.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path
    from typing import Any

    from envlock.resolve.python.engines.uv_runs import UvOrder

_SWITCHES = ("-q", "--quiet", "-v", "--verbose")
# What decides which files are there, whichever packages are asked for.
_DECISIVE = {"only-binary", "no-binary", "prereleases", "requirements", "env", "allow-undated"}
_BESIDE = ("pylock.toml", "envlock.toml", "uv.toml")


class _NotPlainError(Exception):
    """This project is read properly before anything is asked."""


def begin(arguments: list[str]) -> None:
    """Start uv, if the command line and the project are plain ones."""
    words = [argument for argument in arguments if argument not in _SWITCHES]
    if words != ["lock"] and not (len(words) == 3 and words[:2] == ["lock", "--as-of"]):
        return
    if not os.path.isfile("pyproject.toml") or any(os.path.exists(name) for name in _BESIDE):
        return
    from envlock.io.started import possible
    from envlock.resolve.python.engines import uv_probe, uv_runs

    if not possible() or uv_runs.begun():
        return
    probe = uv_probe.begin()
    try:
        order = _guess(words[2] if words[2:] else None)
    finally:
        probe.wait()
    if order is not None:
        uv_runs.begin(order)


def _guess(as_of: str | None) -> UvOrder | None:
    from envlock.resolve.python.config import default_index

    try:
        default_index.begin()
        return _order(as_of)
    except Exception:  # whatever it is, it is told where the project is read properly
        return None
    finally:
        default_index.drop()


def _order(as_of: str | None) -> UvOrder:
    from datetime import UTC, datetime
    from pathlib import Path

    import tomli

    with open("pyproject.toml", "rb") as file:
        document = tomli.load(file)
    tool = document.get("tool", {})
    settings = tool.get("envlock", {})
    if settings.keys() & _DECISIVE or "uv" in tool or "project" not in document:
        raise _NotPlainError
    date = _instant(as_of or settings.get("as-of"))
    now = datetime.now(UTC).replace(microsecond=0)
    return _made(document, settings, Path(os.getcwd()), date, now)


def _made(
    document: dict[str, Any],
    settings: dict[str, Any],
    root: Path,
    date: datetime | None,
    now: datetime,
) -> UvOrder:
    from envlock.io.tools import find_uv
    from envlock.lock.markers import marker
    from envlock.resolve.python.config.find import discover_sources
    from envlock.resolve.python.engines import uv_runs, uv_settings, uv_workspace

    targets = sorted(set(_targets(settings)))
    series = {".".join(python.split(".")[:2]) for _, python in targets}
    lowest = min({*series, f"{sys.version_info[0]}.{sys.version_info[1]}"}, key=_numbers)
    project = uv_workspace.project(
        python=lowest,
        dependencies=_wishes(document, settings),
        environments=[marker(platform, python) for platform, python in targets],
        constraints=[_spelled(text) for text in settings.get("constraints", ())],
        overrides=[_spelled(text) for text in settings.get("overrides", ())],
    )
    sources = discover_sources(_Nothing(), root, dated=date is not None, reporter=_Silent())  # type: ignore[arg-type]
    kept = uv_workspace.cache_control(date or now, now, refresh=False)
    configuration = uv_settings.configuration(sources, date or now, kept)
    return uv_runs.order(
        tuple(uv_workspace.arguments(str(find_uv()), sys.executable)),
        uv_workspace.files(project, configuration),
        uv_settings.environment(sources) | uv_workspace.LOG,
    )


class _Nothing:
    """A request that names no place of its own."""

    index_urls = find_links = allow_undated = ()
    default_index = None
    no_index = False


class _Silent:
    def note(self, text: str) -> None:
        """It is told when the sources are looked for properly."""


def _instant(value: Any) -> datetime | None:
    """A date (its start in UTC) or an instant with a zone; None for none."""
    from datetime import UTC, date, datetime

    if value is None:
        return None
    if isinstance(value, date):
        value = value.isoformat()
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        if len(value) != len("2026-03-01"):
            raise _NotPlainError
        return found.replace(tzinfo=UTC)
    return found.astimezone(UTC).replace(microsecond=0)


def _targets(settings: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Platform and Python of each target."""
    from envlock.lock.markers import MACHINES

    machine = os.uname().machine
    own = [name for name, of in MACHINES.items() if of == (sys.platform, machine)]
    python = settings.get("python", [])
    pythons = [python] if isinstance(python, str) else python
    for text in settings.get("targets", own[:1]):
        platform, at, one = text.partition("@")
        if not at and not pythons:
            raise _NotPlainError
        for each in [one] if at else pythons:
            yield platform, each


def _numbers(python: str) -> tuple[int, ...]:
    return tuple(map(int, python.split(".")))


def _wishes(document: dict[str, Any], settings: dict[str, Any]) -> list[str]:
    """What the project, its chosen extras and groups ask for."""
    project = document["project"]
    if project.get("dynamic"):
        raise _NotPlainError
    texts = list(project.get("dependencies", ()))
    for extra in settings.get("extras", ()):
        texts += project["optional-dependencies"][extra]
    for group in settings.get("groups", ()):
        texts += document["dependency-groups"][group]
    return [_spelled(text) for text in texts]


def _spelled(text: str) -> str:
    """A requirement as it will be spelled (PEP 508, normalized), where it is a plain one."""
    import re

    found = re.fullmatch(
        r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?\s*\(?([^;@()]*)\)?\s*(?:;(.*))?", text
    )
    if found is None:
        raise _NotPlainError
    name, extras, bounds, marker = found.groups()
    spelled = _normal(name)
    if extras and extras.strip():
        spelled += f"[{','.join(sorted({_normal(e.strip()) for e in extras.split(',')}))}]"
    spelled += ",".join(sorted("".join(b.split()) for b in bounds.split(",") if b.strip()))
    return spelled + (f"; {marker.strip().replace(chr(39), chr(34))}" if marker else "")


def _normal(name: str) -> str:
    import re

    return re.sub(r"[-_.]+", "-", name).lower()
