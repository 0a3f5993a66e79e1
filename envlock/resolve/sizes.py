"""File sizes that the index did not state, asked from the file host once and remembered by digest.

A size belongs to a digest, so what is remembered is as good as what is asked again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from envlock.io.files import append_lines
from envlock.io.http import Http
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.lock.model import Artifact, PythonPackage
from envlock.resolve.python.sources import Sources

_LINE = re.compile(rb"^([0-9a-f]{64}) ([0-9]{1,15})$", re.MULTILINE)


def fill(
    packages: Iterable[PythonPackage], sources: Sources, http: Http, reporter: Reporter
) -> tuple[PythonPackage, ...]:
    """The packages with every wheel's and sdist's size in bytes.

    Raises:
        SourceError: a file host does not answer, or does not say the size.
    """
    packages = tuple(packages)
    known = _remembered()
    missing = {
        file.sha256: file.url
        for package in packages
        for file in package.files
        if file.size is None and file.sha256 not in known and file.url is not None
    }
    if missing:
        reporter.step("reading file sizes")
        total = len(missing)
        answered = http.head_sizes(
            missing.values(),
            on_progress=lambda done: reporter.progress(done, total),
            credentials=sources.login,
        )
        fresh = {digest: answered[url] for digest, url in missing.items()}
        append_lines(_store(), [f"{digest} {size}" for digest, size in sorted(fresh.items())])
        known |= fresh

    def sized(file: Artifact) -> Artifact:
        return file if file.size is not None else replace(file, size=known.get(file.sha256))

    return tuple(
        replace(
            package,
            sdist=None if package.sdist is None else sized(package.sdist),
            wheels=tuple(sized(w) for w in package.wheels),
        )
        for package in packages
    )


def _store() -> Path:
    return cache_dir() / "sizes-v1.txt"


def _remembered() -> dict[str, int]:
    try:
        content = _store().read_bytes()
    except OSError:
        return {}
    # A line torn by a full disk does not match and is asked again.
    return {m[1].decode(): int(m[2]) for m in _LINE.finditer(content)}
