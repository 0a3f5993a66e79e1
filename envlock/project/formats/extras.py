"""What a project declares for itself, and the extras that it names by its own name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.project.document import nearest
from envlock.project.wishes import parse_requirement


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A requirement as somebody wrote it, and where."""

    text: str
    where: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """A project's own name (normalized) and extras (normalized name → requirements)."""

    name: str | None
    extras: dict[str, tuple[Written, ...]]

    def requirements_of(self, name: str, *, where: str) -> tuple[Written, ...]:
        """The requirements of one extra.

        Raises:
            UsageError: there is none of that name.
        """
        found = self.extras.get(canonicalize_name(name))
        if found is None:
            raise UsageError(
                f'there is no extra "{name}"', where=where, remedy=nearest(name, self.extras)
            )
        return found


def expand(
    items: Iterable[Written],
    declared: Declared,
    *,
    marker: Marker | None = None,
    inside: tuple[str, ...] = (),
) -> Iterator[tuple[Requirement, str]]:
    """Each requirement with its place; ``project[extra]`` is replaced by what the extra holds.

    A marker on such a reference is carried over. References in a circle are closed quietly: the
    set of requirements is the same.

    Raises:
        UsageError: not a requirement, an unknown extra, or a version asked of the project itself.
    """
    for item in items:
        requirement = parse_requirement(item.text, where=item.where)
        requirement.marker = _both(marker, requirement.marker)
        if declared.name is None or canonicalize_name(requirement.name) != declared.name:
            yield requirement, item.where
            continue
        if requirement.url is not None or requirement.specifier:
            raise UsageError(
                f"{item.text}: the project asks for a version or URL of itself",
                where=item.where,
                remedy=f"write {requirement.name}[{','.join(sorted(requirement.extras))}] alone",
            )
        for extra in sorted(requirement.extras):
            if canonicalize_name(extra) not in inside:
                yield from expand(
                    declared.requirements_of(extra, where=item.where),
                    declared,
                    marker=requirement.marker,
                    inside=(*inside, canonicalize_name(extra)),
                )


def _both(first: Marker | None, second: Marker | None) -> Marker | None:
    if first is None or second is None:
        return first or second
    return Marker(f"({first}) and ({second})")
