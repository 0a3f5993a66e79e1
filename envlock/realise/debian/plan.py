"""Which builds bring .debs of a lock back, as Debian's builders made them.

Packages for every machine (``all``) and for one come from one build where their versions allow it.
A binNMU (``1.2-5+b1``) is a build of its own: of the same sources, with an entry in the changelog
that no source package has, but the published .debs do.
"""

from __future__ import annotations

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.store import stored
from envlock.lock.os import OsLayer, OsPackage
from envlock.realise.image.deb import unpacked_data

_SUFFIX = re.compile(r"\+b\d+$")
_CHANGELOG = re.compile(r"(?:\./)?usr/share/doc/[^/]+/changelog(?:\.Debian)?\.[a-z0-9]+\.gz")
_ENTRY = re.compile(
    r"(?P<source>\S+) \((?P<version>[^()\s]+)\) [^;\n]+;[^\n]*\bbinary-only=yes[^\n]*\n"
    r"(?:(?!\S).*\n)*? -- [^\n]+\n"
)
_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One build: the locked packages that it is to give, of one source package.

    ``kind`` is what ``dpkg-buildpackage --build`` is told: ``any``, ``all`` or ``binary`` (both);
    ``suffix`` that of a binNMU (``+b1``), or empty.
    """

    packages: tuple[OsPackage, ...]
    kind: str
    suffix: str = ""

    @property
    def source(self) -> str:
        """The source package's name."""
        return self.packages[0].source

    @property
    def version(self) -> str:
        """The version of what is built, as the changelog says it."""
        return self.packages[0].source_version + self.suffix

    @property
    def title(self) -> str:
        """For messages: ``spline 1.2-5+b1``."""
        return f"{self.source} {self.version}"

    @property
    def folder(self) -> str:
        """What its results are called: ``spline_1.2-5+b1_any``."""
        return f"{self.source}_{self.version.partition(':')[2] or self.version}_{self.kind}"


def make_jobs(layer: OsLayer, names: Iterable[str], architecture: str) -> tuple[Job, ...]:
    """The builds for packages, each with all locked packages of the same build.

    Args:
        layer: the lock's.
        names: of packages, or source packages.
        architecture: this machine's, as Debian calls it.

    Raises:
        UsageError: the lock has none of that name for this machine.
    """
    own = [package for package in layer.packages if package.architecture == architecture]
    chosen: dict[tuple[str, str, str], list[OsPackage]] = {}
    for name in dict.fromkeys(names):
        found = [p for p in own if p.name == name] or [p for p in own if p.source == name]
        if not found:
            raise _unknown(name, own, architecture)
        for package in found:
            key = (package.source, package.source_version, package.suite)
            chosen[key] = [p for p in own if (p.source, p.source_version, p.suite) == key]
    return tuple(job for packages in chosen.values() for job in _jobs(sorted(packages)))


def _jobs(packages: Sequence[OsPackage]) -> Iterable[Job]:
    groups: dict[str, list[OsPackage]] = {}
    for package in packages:
        groups.setdefault(_suffix(package), []).append(package)
    for suffix, group in sorted(groups.items()):
        kinds = {"all" if p.file_name.endswith("_all.deb") else "any" for p in group}
        kind = kinds.pop() if len(kinds) == 1 else "binary"
        yield Job(packages=tuple(group), kind=kind, suffix=suffix)


def _suffix(package: OsPackage) -> str:
    match = _SUFFIX.search(package.version)
    return match[0] if match and not package.source_version.endswith(match[0]) else ""


def _unknown(name: str, own: Sequence[OsPackage], architecture: str) -> UsageError:
    import difflib  # slow to load, and only wanted by a mistake

    near = difflib.get_close_matches(name, sorted({p.name for p in own}), 3, 0.7)
    return UsageError(
        f"the lock has no package {name} of the distribution for {architecture}",
        remedy=f"did you mean {' or '.join(near)}?" if near else "see `envlock tree`",
    )


def binary_entry(job: Job) -> str:
    """The changelog entry of a binNMU, from its published packages, which are in the store.

    Raises:
        UsageError: none of them has it.
    """
    for package in job.packages:
        for text in _changelogs(stored(package.sha256), package.file_name.rpartition("/")[2]):
            entry = entry_of(text, job.source, job.version)
            if entry is not None:
                return entry
    names = ", ".join(package.name for package in job.packages)
    raise UsageError(
        f"{job.title} is a binNMU, and none of its locked packages ({names}) has the entry of the"
        " changelog that it was built with",
        remedy="lock another package of the same source, too: one with a changelog of its own",
    )


def entry_of(text: str, source: str, version: str) -> str | None:
    """The first entry of a changelog and an empty line, where it is of a binNMU of that version."""
    match = _ENTRY.match(text)
    if match is None or (match["source"], match["version"]) != (source, version):
        return None
    return f"{match[0]}\n"


def _changelogs(path: Path, name: str) -> Iterable[str]:
    with unpacked_data(path, name) as data, tarfile.open(fileobj=data, mode="r:") as packed:
        for member in packed:
            if member.isreg() and _CHANGELOG.fullmatch(member.name) and member.size < _LIMIT:
                stream = packed.extractfile(member)
                try:
                    content = gzip.decompress(stream.read() if stream else b"")
                except (OSError, EOFError, zlib.error):
                    continue
                yield content.decode("utf-8", "replace")
