"""Which relations of a source package hold for a build, and which wildcards mean a machine."""

from __future__ import annotations

import pytest

from envlock.errors import UsageError
from envlock.resolve.os.builds.needs import dsc_fields
from envlock.resolve.os.builds.relations import build_relations, is_architecture, restricted


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("a, b (>= 1)", "a, b (>= 1)"),
        ("a [amd64]", "a"),
        ("a [!amd64], b", "b"),
        ("a [!i386 !arm64]", "a"),
        ("a [linux-any], b [hurd-any kfreebsd-any], c [any-amd64], d [any]", "a, c, d"),
        ("a [arm64] | b | c [amd64 i386]", "b | c"),
        ("a <!nocheck>, b <nocheck>, c <!nodoc !nocheck>, d <!cross nodoc>", "a, c"),
        ("a <cross> <!nodoc>", "a"),
        ("gcc (<< 12) [!armhf] <!stage1>, perl:any", "gcc (<< 12), perl:any"),
        ("a (= 1)[amd64]<!x>,,", "a (= 1)"),
        ("", ""),
    ],
)
def test_what_is_left_of_a_field(field: str, expected: str) -> None:
    assert restricted(field, "amd64") == expected


@pytest.mark.parametrize("field", ["a [amd64", "a <!x", "a b", "(>= 1)"])
def test_what_cannot_be_read_is_refused(field: str) -> None:
    with pytest.raises(UsageError, match="build relation"):
        restricted(field, "amd64")


def test_the_kind_of_build_decides_which_fields_count() -> None:
    fields = {
        "build-depends": "a",
        "build-depends-arch": "b",
        "build-depends-indep": "c",
        "build-conflicts-indep": "d",
    }
    assert build_relations(fields, "any", "amd64", "x.dsc") == ("a, b", "")
    assert build_relations(fields, "all", "amd64", "x.dsc") == ("a, c", "d")
    assert build_relations(fields, "binary", "amd64", "x.dsc") == ("a, b, c", "d")


@pytest.mark.parametrize(
    ("architecture", "meant", "not_meant"),
    [
        ("amd64", ("any", "linux-any", "any-amd64", "gnu-any-any"), ("any-i386", "musl-any-any")),
        ("armhf", ("any-arm", "eabihf-any-any-any"), ("any-armhf", "eabi-any-any-any")),
        ("armel", ("any-arm",), ("linux-arm", "arm64", "any-armel")),
    ],
)
def test_wildcards(architecture: str, meant: tuple[str, ...], not_meant: tuple[str, ...]) -> None:
    found = {name for name in (*meant, *not_meant) if is_architecture(architecture, name)}
    assert found == set(meant)  # as `dpkg-architecture -a … -i …` says


def test_a_dsc_with_and_without_a_signature() -> None:
    plain = "Source: a\nVersion: 1\nBuild-Depends: b,\n c\n"
    signed = (
        "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\n"
        f"{plain}-----BEGIN PGP SIGNATURE-----\n\nxyz\n-----END PGP SIGNATURE-----\n"
    )
    for text in (plain, signed):
        assert dsc_fields(text.encode(), "a.dsc")["build-depends"] == "b, c"
    with pytest.raises(UsageError, match=r"no \.dsc"):
        dsc_fields(b"Package: a\n", "a.dsc")
