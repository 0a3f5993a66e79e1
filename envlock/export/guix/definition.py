"""A package definition's content, before it is Scheme."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A file that Guix fetches. ``digest`` is the sha256 in Guix's base 32."""

    url: str
    file: str
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """What a build finds beside Python.

    ``tools`` are identifiers of definitions, ``programs`` Guix's own packages as ``guix install``
    takes them. ``backends``: the channel's own build backends. ``libraries``: the OS packages
    that the project asks for.
    """

    tools: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    backends: bool = False
    libraries: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Definition:
    """One package.

    ``identifier`` is what the module calls it; ``name`` and ``version`` fit the store, ``label``
    says both as the lock has them. ``wheel``: the source is a wheel, and there is nothing to
    build. ``propagated`` are identifiers; ``cut`` those that are needed, too, but would close a
    cycle. ``directory`` is where in the source the package lies.
    """

    identifier: str
    name: str
    version: str
    label: str
    source: Source
    inputs: Inputs = Inputs()
    wheel: bool = False
    directory: str | None = None
    propagated: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that one target needs.

    ``python`` is ``3.11`` or ``3.11.7``. ``system`` is not part of it, so that targets that need
    the same have equal plans. ``os`` are Guix's own packages as ``guix install`` takes them.
    """

    python: str
    packages: tuple[Definition, ...]
    tools: tuple[Definition, ...]
    os: tuple[str, ...]
