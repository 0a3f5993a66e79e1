"""What is pinned of one Python package: its files with their digests, or its source tree.

Shapes follow PEP 751 (pylock.toml) and PEP 440/503/508. Everything is frozen and holds tuples.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """One file with a digest: a wheel or an sdist.

    Exactly one of ``url`` (without credentials) and ``path`` (relative to the lockfile, POSIX
    separators) is set. ``sha256`` is 64 lower-case hex digits. ``size`` is in bytes.
    ``upload_time`` is UTC.
    """

    name: str
    url: str | None = None
    path: str | None = None
    sha256: str
    size: int | None = None
    upload_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Archive:
    """A direct URL or local file given as a requirement (PEP 751 ``packages.archive``)."""

    url: str | None = None
    path: str | None = None
    sha256: str
    size: int | None = None
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vcs:
    """A version-control requirement, pinned to a commit (PEP 751 ``packages.vcs``).

    ``kind`` is ``git``; ``commit`` the full object id; ``requested`` the branch or tag asked for.
    """

    kind: str
    url: str
    commit: str
    requested: str | None = None
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """A local source tree (PEP 751 ``packages.directory``); ``path`` relative to the lockfile."""

    path: str
    editable: bool = False
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Dependency:
    """A package that another one needs: PEP 503 normalized name, and version where it has one."""

    name: str
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonPackage:
    """One pinned distribution and its artifacts.

    ``name`` is PEP 503 normalized. ``version`` is absent only for source trees without a static
    one. ``marker`` is a PEP 508 marker; None means every target. ``index`` is the base URL of the
    simple index that listed the files, without credentials. Of ``wheels``/``sdist``, ``archive``,
    ``vcs`` and ``directory``, one kind is present.
    """

    name: str
    version: str | None = None
    marker: str | None = None
    requires_python: str | None = None
    index: str | None = None
    dependencies: tuple[Dependency, ...] = ()
    sdist: Artifact | None = None
    wheels: tuple[Artifact, ...] = ()
    archive: Archive | None = None
    vcs: Vcs | None = None
    directory: Directory | None = None

    @property
    def sort_key(self) -> tuple[str, str, str]:
        """Order in the file and in the hash: name, version, marker."""
        return (self.name, self.version or "", self.marker or "")

    @property
    def files(self) -> tuple[Artifact, ...]:
        """Every wheel and sdist, sdist last."""
        return self.wheels + ((self.sdist,) if self.sdist else ())


@dataclass(frozen=True, slots=True, kw_only=True)
class Repair:
    """Metadata that no longer parses and was read in a stated way.

    Example: ``Repair(subject="pandas==0.24.2", found="pytz (>=2011k)", used="pytz>=2011")``.
    """

    subject: str
    found: str
    used: str
