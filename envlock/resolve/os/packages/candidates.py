"""One version of a binary package, as an index describes it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from envlock.errors import UsageError
from envlock.resolve.os.packages.control import read_fields
from envlock.resolve.os.packages.relations import (
    Alternatives,
    Relation,
    parse_provides,
    parse_relations,
)

_SHA256 = re.compile(r"[0-9a-f]{64}")
_SOURCE = re.compile(r"(\S+)(?:\s+\((\S+)\))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class BinaryPackage:
    """What a lock says about a .deb.

    Args:
        name: the package's name.
        version: as the archive writes it.
        architecture: Debian's, or ``all``.
        sha256: of the .deb.
        size: of the .deb, in bytes.
        filename: its path in the archive.
        source: the source package it was built from.
        source_version: that one's version, often the same.
        essential: ``Essential: yes``.
    """

    name: str
    version: str
    architecture: str
    sha256: str
    size: int
    filename: str
    source: str
    source_version: str
    essential: bool


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A version that may be chosen: the package and, read when asked for, its relations.

    Args:
        package: what a lock keeps.
        native: the index's architecture, which a package for ``all`` is taken for.
        multi_arch: ``allowed``, ``foreign``, ``same`` or empty.
        priority: the field ``Priority``: ``required``, ``optional``…
        important: ``Important`` or ``Protected`` is ``yes``.
        fields: the raw relationship fields, names in lower case.
        where: the paragraph, for messages.
    """

    package: BinaryPackage
    native: str
    multi_arch: str
    priority: str
    important: bool
    fields: dict[str, str]
    where: str

    @property
    def name(self) -> str:
        """The package's name."""
        return self.package.name

    @property
    def version(self) -> str:
        """The package's version."""
        return self.package.version

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @cached_property
    def depends(self) -> tuple[Alternatives, ...]:
        """``Pre-Depends`` and ``Depends``: one of each clause's alternatives must be there."""
        return self._parsed("pre-depends") + self._parsed("depends")

    @cached_property
    def recommends(self) -> tuple[Alternatives, ...]:
        """``Recommends``."""
        return self._parsed("recommends")

    @cached_property
    def excludes(self) -> tuple[Relation, ...]:
        """``Conflicts`` and ``Breaks``: none of them may be there."""
        clauses = self._parsed("conflicts") + self._parsed("breaks")
        return tuple(relation for clause in clauses for relation in clause)

    @cached_property
    def provides(self) -> tuple[Relation, ...]:
        """``Provides``: names it stands for, with a version where one is given."""
        try:
            return parse_provides(self.fields.get("provides", ""))
        except UsageError as error:
            raise UsageError(error.what, where=self.where) from None

    def _parsed(self, field: str) -> tuple[Alternatives, ...]:
        try:
            return parse_relations(self.fields.get(field, ""))
        except UsageError as error:
            raise UsageError(error.what, where=self.where) from None


_RELATIONS = ("pre-depends", "depends", "recommends", "conflicts", "breaks", "provides", "replaces")


def read_candidate(text: bytes, native: str, where: str) -> Candidate:
    """Read one paragraph of a ``Packages`` file.

    Raises:
        UsageError: a field that installing needs is missing or malformed.
    """
    fields = read_fields(text, where)
    for needed in ("package", "version", "architecture", "filename", "size", "sha256"):
        if not fields.get(needed):
            raise UsageError(f"the paragraph has no {needed.capitalize()}", where=where)
    if not (fields["size"].isascii() and fields["size"].isdecimal()):
        raise UsageError(f"Size is not a number: {fields['size']!r}", where=where)
    if not _SHA256.fullmatch(fields["sha256"]):
        raise UsageError(f"SHA256 is not a digest: {fields['sha256']!r}", where=where)
    source = _SOURCE.fullmatch(fields.get("source") or fields["package"])
    if source is None:
        raise UsageError(f"cannot read Source: {fields['source']!r}", where=where)
    essential = fields.get("essential") == "yes"
    return Candidate(
        package=BinaryPackage(
            name=fields["package"],
            version=fields["version"],
            architecture=fields["architecture"],
            sha256=fields["sha256"],
            size=int(fields["size"]),
            filename=fields["filename"],
            source=source[1],
            source_version=source[2] or fields["version"],
            essential=essential,
        ),
        native=native,
        multi_arch=fields.get("multi-arch", ""),
        priority=fields.get("priority", ""),
        important="yes" in (fields.get("important"), fields.get("protected")),
        fields={key: fields[key] for key in _RELATIONS if key in fields},
        where=where,
    )
