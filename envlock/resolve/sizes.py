"""File sizes that the index did not state, asked from the file host once and remembered by digest.

A size belongs to a digest, so what is remembered is as good as what is asked again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from envlock.io.files import append_lines
from envlock.io.http.client import Http, Login
from envlock.io.paths import cache_dir
from envlock.io.progress import Reporter
from envlock.lock.package import Artifact, PythonPackage
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
    known = remembered()
    missing = {
        file.sha256: file.url
        for package in packages
        for file in package.files
        if file.size is None and file.sha256 not in known and file.url is not None
    }
    if missing:
        reporter.step("reading file sizes")
        known |= ask(missing, http, reporter, sources.login)

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


def ask(
    places: Mapping[str, str],
    http: Http,
    reporter: Reporter,
    login: Callable[[str], Login | None] | None = None,
) -> dict[str, int]:
    """The sizes of files by digest, asked where they are (digest → URL), and remembered.

    Raises:
        SourceError: a file host does not answer, or does not say the size.
    """
    total = len(places)
    answered = http.head_sizes(
        places.values(),
        on_progress=lambda done: reporter.progress(done, total),
        credentials=login,
    )
    fresh = {digest: answered[url] for digest, url in places.items()}
    append_lines(_store(), [f"{digest} {size}" for digest, size in sorted(fresh.items())])
    return fresh


def _store() -> Path:
    return cache_dir() / "sizes-v1.txt"


def remembered() -> dict[str, int]:
    """Digest → size in bytes, of all files whose size was ever asked."""
    try:
        content = _store().read_bytes()
    except OSError:
        return {}
    # A line torn by a full disk does not match and is asked again.
    return {m[1].decode(): int(m[2]) for m in _LINE.finditer(content)}
