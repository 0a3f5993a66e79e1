"""The table of names: its shape, and what a look-up answers or refuses."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from importlib import resources

import pytest

from envlock.errors import UsageError
from envlock.export import names
from envlock.export.names import guix_package, look_up_all, nix_attribute, nix_attributes

TEXT = (resources.files("envlock.export") / "names.tsv").read_text("utf-8")
ROWS = names.rows()
DEBIAN = re.compile(r"[a-z0-9][a-z0-9+.-]+")
ATTRIBUTE = re.compile(r"[A-Za-z_][A-Za-z0-9_'-]*(\.[A-Za-z_][A-Za-z0-9_'-]*)*")
SPECIFICATION = re.compile(r"[a-z0-9][a-zA-Z0-9+._-]*(@[0-9.]+)?(:[a-z]+)?")


def test_each_line_has_five_columns_and_nothing_empty() -> None:
    lines = [line for line in TEXT.splitlines() if not line.startswith("#")]
    assert lines[0].split("\t") == ["debian", "nixpkgs", "guix", "soname", "homepage"]
    for line in lines[1:]:
        cells = line.split("\t")
        assert len(cells) == 5, line
        assert all(cell and cell == " ".join(cell.split(" ")).strip() for cell in cells), line
    assert len(lines) - 1 == len(ROWS) >= 200


def test_lines_are_sorted_and_names_unique() -> None:
    firsts = [row.debian for row in ROWS]
    assert firsts == sorted(firsts)
    counted = Counter(name for row in ROWS for name in row.debian)
    assert [name for name, count in counted.items() if count > 1] == []
    assert not [name for name in counted if name.endswith("t64")], "these are looked up without it"


def test_every_name_is_one_that_its_world_allows() -> None:
    for row in ROWS:
        assert all(DEBIAN.fullmatch(name) for name in row.debian), row
        assert {suite for _, suite in row.elsewhere} <= {"bullseye", "trixie", "ubuntu"}, row
        for package in row.nixpkgs:
            assert package
            assert all(ATTRIBUTE.fullmatch(name) for name in package), row
        for package in row.guix:
            assert len(package) == 1, row
            assert SPECIFICATION.fullmatch(package[0]), row


def test_every_line_has_its_evidence() -> None:
    for row in ROWS:
        assert re.fullmatch(r"https?://[a-zA-Z0-9.-]+(/\S*)?", row.homepage), row
        assert row.soname is None or re.fullmatch(r"\S+\.so(\.[0-9.]+)?", row.soname), row
        assert row.nixpkgs or row.guix, row
    # Libraries have one, but for headers alone, and for drivers, which are loaded by path.
    bare = {
        row.debian[0]
        for row in ROWS
        if row.soname is None and re.match(r"lib.*[0-9]", row.debian[0])
    }
    assert bare == {"libeigen3-dev", "libfftw3-dev", "libgl1-mesa-dri"}


def test_what_a_library_brings_is_its_package() -> None:
    assert nix_attribute("libssl3", {}) == nix_attribute("libssl-dev", {}) == "openssl"
    assert guix_package("libzstd1", {}) == "zstd:lib"
    assert guix_package("zstd", {}) == "zstd"
    assert nix_attribute("libgomp1", {}) == "stdenv.cc.cc.lib"


def test_a_renamed_attribute_has_both_names_newest_first() -> None:
    assert nix_attributes("libx11-6", {}) == ("libx11", "xorg.libX11")
    assert nix_attribute("libx11-6", {}) == "libx11"


def test_the_name_of_the_time_transition_is_the_old_one() -> None:
    assert nix_attribute("libcurl4t64", {}) == nix_attribute("libcurl4", {}) == "curl"
    assert guix_package("libasound2t64", {}) == "alsa-lib"


def test_a_projects_own_name_goes_first() -> None:
    own = {"libssl3": "libressl", "mpi-default-dev": "mpich", "unheard-of": "x.y"}
    assert nix_attributes("libssl3", own) == ("libressl",)
    assert nix_attribute("mpi-default-dev", own) == "mpich"
    assert guix_package("unheard-of", own) == "x.y"


def refused(name: str, *, nix: bool = True) -> UsageError:
    with pytest.raises(UsageError) as caught:
        nix_attribute(name, {}) if nix else guix_package(name, {})
    return caught.value


def test_a_choice_is_the_projects() -> None:
    error = refused("mpi-default-dev")
    assert error.what == "Debian's mpi-default-dev may be openmpi or mpich in nixpkgs"
    assert error.remedy == (
        'add to [tool.envlock.nix], then `envlock lock`: names = { "mpi-default-dev" = "openmpi" },'
        ' or names = { "mpi-default-dev" = "mpich" }'
    )


def test_an_unknown_name_is_never_guessed() -> None:
    error = refused("libgl")
    assert "libgl1 is libGL" in error.what
    assert (
        error.remedy
        == 'add to [tool.envlock.nix], then `envlock lock`: names = { "libgl" = "ATTRIBUTE" }'
    )
    far = refused("qqqqqq", nix=False)
    assert far.what == "what Debian's qqqqqq is called in Guix is not known"
    assert (
        far.remedy
        == 'add to [tool.envlock.guix], then `envlock lock`: names = { "qqqqqq" = "PACKAGE" }'
    )


def test_all_that_a_project_has_to_say_is_one_line() -> None:
    names = ["libgl", "libssl3", "mpi-default-dev"]
    with pytest.raises(UsageError) as caught:
        look_up_all(names, lambda name: nix_attribute(name, {}))
    error = caught.value
    assert error.what.count("\n  ") == 2
    line = str(error.remedy).partition(": ")[2]
    assert tomllib.loads(line) == {
        "names": {"libgl": "ATTRIBUTE", "mpi-default-dev": "openmpi|mpich"}
    }
    assert look_up_all(["libssl3"], lambda name: nix_attribute(name, {})) == ["openssl"]


def test_what_one_world_lacks_is_said() -> None:
    assert nix_attribute("nco", {}) == "nco"
    error = refused("nco", nix=False)
    assert "Guix has no counterpart of Debian's nco" in error.what
    assert 'names = { "nco" = "PACKAGE" }' in (error.remedy or "")


def test_every_line_answers_or_names_its_choices() -> None:
    for row in ROWS:
        for name in row.debian:
            for nix, packages in ((True, row.nixpkgs), (False, row.guix)):
                if len(packages) == 1:
                    found = nix_attribute(name, {}) if nix else guix_package(name, {})
                    assert found == packages[0][0]
                else:
                    error = refused(name, nix=nix)
                    assert all(package[0] in str(error) for package in packages)
