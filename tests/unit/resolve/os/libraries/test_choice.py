"""Which of several packages is named for a library; cases of Debian bookworm."""

from __future__ import annotations

import pytest

from envlock.resolve.os.libraries.choice import Holders, choose, policy_names

NOBODY = Holders(found=(), below=())


def found(*names: str) -> Holders:
    return Holders(found=names, below=())


def test_nobody_has_it() -> None:
    assert choose("libcuda.so.1", NOBODY, [], {"libc6"}) is None


def test_the_locked_one_goes_first() -> None:
    holders = found("libavcodec-extra59", "libavcodec59")
    assert choose("libavcodec.so.59", holders, [], {"libavcodec-extra59"}) == "libavcodec-extra59"
    assert choose("libavcodec.so.59", holders, [], set()) == "libavcodec59"


def test_a_declared_one_counts_and_the_file_goes_before_it() -> None:
    declared = ["libatlas3-base", "libblas3", "libopenblas0-pthread"]
    below = Holders(found=(), below=("libatlas3-base", "libblas3", "libopenblas0-pthread"))
    assert choose("libblas.so.3", below, declared, set()) == "libblas3"
    assert choose("libblas.so.3", below, declared, {"libopenblas0-pthread"}) == declared[2]
    assert choose("libluajit-5.1.so.2", found("x"), ["libluajit2-5.1-2"], set()) == "x"


def test_a_private_copy_does_not_count_where_others_have_the_real_one() -> None:
    holders = Holders(found=("zlib1g",), below=("libzadc4",))
    assert choose("libz.so.1", holders, [], {"libzadc4"}) == "zlib1g"
    assert choose("libz.so.1", Holders(found=(), below=("libzadc4",)), [], set()) == "libzadc4"


def test_the_package_named_after_the_library_then_by_name() -> None:
    assert choose("libjack.so.0", found("libjack-jackd2-0", "libjack0"), [], ()) == "libjack0"
    assert choose("libc++.so.1", found("libc++1-13", "libc++1-14"), [], ()) == "libc++1-13"
    assert choose("libtcl.so", found("atcl-dev", "tcl8"), [], ()) == "tcl8"


@pytest.mark.parametrize(
    ("soname", "name"),
    [
        ("libGL.so.1", "libgl1"),
        ("libstdc++.so.6", "libstdc++6"),
        ("libgcc_s.so.1", "libgcc-s1"),
        ("libX11.so.6", "libx11-6"),
        ("libdb-5.3.so", "libdb5.3"),
        ("libnss3.so", "libnss3"),
        ("libssl.so.3", "libssl3t64"),
        ("libavcodec.so.59", "libavcodec59"),
    ],
)
def test_names_by_policy(soname: str, name: str) -> None:
    assert name in policy_names(soname)
