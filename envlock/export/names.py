"""What a Debian package is called in nixpkgs and in Guix: a curated table, never a guess.

The table is ``names.tsv`` beside this module, with its evidence. A project's own names go before
it (``[tool.envlock.nix] names``, ``[tool.envlock.guix] names``).
"""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TypeVar

from envlock.errors import UsageError

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A name that a project has to give: of the Debian package, and what it may be."""

    debian: str
    choices: tuple[str, ...]


class NoNameError(UsageError):
    """A Debian package is called nobody knows what, or one of several."""

    def __init__(self, what: str, *, missing: tuple[Missing, ...], table: str) -> None:
        super().__init__(what, where="OS packages", remedy=_line(missing, table))
        self.missing, self.table = missing, table


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
    newest = tuple(names[0] for names in packages)
    if not packages:
        raise NoNameError(
            f"{world.name} has no counterpart of Debian's {debian} that envlock knows",
            missing=(Missing(debian=debian, choices=(world.what.upper(),)),),
            table=world.table,
        )
    raise NoNameError(
        f"Debian's {debian} may be {_or(newest)} in {world.name}",
        missing=(Missing(debian=debian, choices=newest),),
        table=world.table,
    )


def _unknown(debian: str, known: Iterable[str], world: _World) -> NoNameError:
    near = difflib.get_close_matches(debian, known, n=3, cutoff=0.75)
    table = _by_debian()
    told = []
    for name in near:
        packages = table[name].nixpkgs if world is _NIX else table[name].guix
        if packages:
            told.append(f"{name} is {_or([names[0] for names in packages])}")
    hint = f"; near it: {', '.join(told)}" if told else ""
    return NoNameError(
        f"what Debian's {debian} is called in {world.name} is not known{hint}",
        missing=(Missing(debian=debian, choices=(world.what.upper(),)),),
        table=world.table,
    )


def look_up_all(names: Iterable[str], look_up: Callable[[str], T]) -> list[T]:
    """``look_up`` of each.

    Raises:
        UsageError: says all that are refused, and one line to add for them.
    """
    found, refused = [], []
    for name in names:
        try:
            found.append(look_up(name))
        except NoNameError as error:
            refused.append(error)
    if len(refused) > 1:
        raise NoNameError(
            "\n  ".join(["names of OS packages are needed:", *(error.what for error in refused)]),
            missing=tuple(one for error in refused for one in error.missing),
            table=refused[0].table,
        )
    if refused:
        raise refused[0]
    return found


def _line(missing: tuple[Missing, ...], table: str) -> str:
    start = f"add to [{table}], then `envlock lock`: "
    if len(missing) == 1:
        [one] = missing
        lines = [f'names = {{ "{one.debian}" = "{choice}" }}' for choice in one.choices]
        return start + ", or ".join(lines)
    pairs = (f'"{one.debian}" = "{"|".join(one.choices)}"' for one in missing)
    return f"{start}names = {{ {', '.join(pairs)} }}"


def _or(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"
