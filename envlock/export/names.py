"""What a Debian package is called in nixpkgs and in Guix: a curated table, never a guess.

The table is ``names.tsv`` beside this module, with its evidence. A project's own names go before
it (``[tool.envlock.nix] names``, ``[tool.envlock.guix] names``).
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import resources

from envlock.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """One row of the table.

    ``debian`` are package names without suites; ``elsewhere`` those of them that bookworm does not
    have, each with the suite that has it. ``nixpkgs`` are the packages among which a project
    chooses (one, where there is nothing to choose), each by the attribute paths that it has had,
    newest first; ``guix`` likewise, by specification. Both are empty where there is no such
    package. ``soname`` is a library that one of the Debian packages ships.
    """

    debian: tuple[str, ...]
    elsewhere: tuple[tuple[str, str], ...]
    nixpkgs: tuple[tuple[str, ...], ...]
    guix: tuple[tuple[str, ...], ...]
    soname: str | None
    homepage: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _World:
    """What messages call one of the two, and where a project names its own."""

    name: str
    table: str
    what: str


_NIX = _World(name="nixpkgs", table="tool.envlock.nix", what="attribute")
_GUIX = _World(name="Guix", table="tool.envlock.guix", what="package")


def rows() -> tuple[Names, ...]:
    """The whole table, in its order."""
    return _table()


@functools.cache
def _table() -> tuple[Names, ...]:
    text = resources.files(__package__).joinpath("names.tsv").read_text("utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(_row(line.split("\t")) for line in lines[1:])


def _row(cells: list[str]) -> Names:
    debian, nixpkgs, guix, soname, homepage = cells
    tagged = [name.partition("@") for name in debian.split()]
    return Names(
        debian=tuple(name for name, _, _ in tagged),
        elsewhere=tuple((name, suite) for name, _, suite in tagged if suite),
        nixpkgs=_packages(nixpkgs),
        guix=_packages(guix),
        soname=None if soname == "-" else soname,
        homepage=homepage,
    )


def _packages(cell: str) -> tuple[tuple[str, ...], ...]:
    return () if cell == "-" else tuple(tuple(part.split()) for part in cell.split("|"))


@functools.cache
def _by_debian() -> dict[str, Names]:
    return {name: row for row in _table() for name in row.debian}


def nix_attributes(debian: str, overrides: Mapping[str, str]) -> tuple[str, ...]:
    """The attribute paths that one package of nixpkgs has had, newest first; the first that exists
    in a revision is meant.

    Args:
        debian: a Debian package's name; ``-dev`` packages and libraries that Debian splits off
            are the same package there, whose outputs stand for them.
        overrides: the project's own names.

    Raises:
        UsageError: unknown, without a counterpart, or one of several: says which, and the line to
            add.
    """
    return _look_up(debian, overrides, _NIX)


def nix_attribute(debian: str, overrides: Mapping[str, str]) -> str:
    """The newest of ``nix_attributes``.

    Raises:
        UsageError: as there.
    """
    return nix_attributes(debian, overrides)[0]


def guix_package(debian: str, overrides: Mapping[str, str]) -> str:
    """The Guix package specification: ``name``, ``name@version``, ``name:output``.

    Args:
        debian: a Debian package's name.
        overrides: the project's own names.

    Raises:
        UsageError: as ``nix_attributes``.
    """
    return _look_up(debian, overrides, _GUIX)[0]


def _look_up(debian: str, overrides: Mapping[str, str], world: _World) -> tuple[str, ...]:
    if debian in overrides:
        return (overrides[debian],)
    known = _by_debian()
    # Debian's change to 64-bit times renamed packages and nothing else.
    row = known.get(debian) or known.get(debian.removesuffix("t64"))
    if row is None:
        raise _unknown(debian, known, world)
    packages = row.nixpkgs if world is _NIX else row.guix
    if len(packages) == 1:
        return packages[0]
    newest = [names[0] for names in packages]
    if not packages:
        raise UsageError(
            f"{world.name} has no counterpart of Debian's {debian} that envlock knows",
            where="OS packages",
            remedy=_line(debian, [f"{world.what.upper()}"], world),
        )
    raise UsageError(
        f"Debian's {debian} may be {_or(newest)} in {world.name}",
        where="OS packages",
        remedy=_line(debian, newest, world),
    )


def _unknown(debian: str, known: Iterable[str], world: _World) -> UsageError:
    near = difflib.get_close_matches(debian, known, n=3, cutoff=0.75)
    table = _by_debian()
    told = []
    for name in near:
        packages = table[name].nixpkgs if world is _NIX else table[name].guix
        if packages:
            told.append(f"{name} is {_or([names[0] for names in packages])}")
    hint = f"; near it: {', '.join(told)}" if told else ""
    return UsageError(
        f"what Debian's {debian} is called in {world.name} is not known{hint}",
        where="OS packages",
        remedy=_line(debian, [world.what.upper()], world),
    )


def _line(debian: str, choices: list[str], world: _World) -> str:
    lines = [f'names = {{ "{debian}" = "{choice}" }}' for choice in choices]
    return f"add to [{world.table}]: " + ", or ".join(lines)


def _or(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
