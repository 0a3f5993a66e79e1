"""The Guix form: what is defined, what is refused, and that it follows from the lock alone.

Guile reads the same files in tests/property/test_guix_scheme.py, and Guix itself in
tests/guix/test_guix.py.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.guix import CHANNEL, build, guix_lock, native, os_layer, pure, with_guix
from support.samples import MACOS, digest, package, sdist, small_lock, wheel

from envlock.errors import UsageError
from envlock.export.guix.exporter import CHANNELS, LOCK, MANIFEST, MODULE, GuixExporter
from envlock.export.guix.order import acyclic
from envlock.lock import codec
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.package import Archive, Artifact, Directory, PythonPackage, Vcs
from envlock.lock.target import Target

ARM = Target(platform="linux/arm64", python="3.11")


def module(lock: Lock, target: Target | None = None) -> str:
    return GuixExporter().export(lock, target)[MODULE].decode()


def definition(text: str, identifier: str) -> str:
    [found] = re.findall(rf"^\(define {re.escape(identifier)}\n(.*?)\n\n", text, re.S | re.M)
    return str(found)


def environment(text: str) -> list[str]:
    """What is in it beside Python, the lock and OS packages."""
    [listed] = re.findall(
        r"^\(define locked-packages\n  \(list envlock-lock(.*?)\)\)", text, re.S | re.M
    )
    return str(listed).split()


def refusal(lock: Lock, target: Target | None = None) -> UsageError:
    with pytest.raises(UsageError) as caught:
        GuixExporter().export(lock, target)
    return caught.value


def test_the_files() -> None:
    lock = guix_lock()
    files = GuixExporter().export(lock)
    assert set(files) == {CHANNELS, MANIFEST, MODULE, LOCK}
    assert files[LOCK].decode() == codec.dump(lock)
    for name in (CHANNELS, MANIFEST, MODULE):
        assert f"Environment: {environment_hash(lock).root}\n" in files[name].decode()


def test_the_channel() -> None:
    assert GuixExporter().export(guix_lock())[CHANNELS].decode().partition("\n\n")[2] == (
        "(list (channel\n"
        '        (name (string->symbol "guix"))\n'
        '        (url "https://git.example.org/guix.git")\n'
        '        (branch "master")\n'
        f'        (commit "{"c" * 40}")\n'
        "        (introduction\n"
        "         (make-channel-introduction\n"
        '          "9edb3f66fd807b096b48283debdcddccfea34bad"\n'
        "          (openpgp-fingerprint\n"
        '           "BBB0 2DDF 2CEA F6A8 0D1D  E643 A2A0 6DF2 A33A 54FA")))))\n'
    )


def test_a_package_in_full() -> None:
    assert definition(module(guix_lock()), "python-nat") == (
        "  (package\n"
        '    (name "python-nat")\n'
        '    (version "1.0")\n'
        "    (source\n"
        "     (origin\n"
        "       (method url-fetch)\n"
        '       (uri "https://files.example.org/nat-1.0.tar.gz")\n'
        '       (file-name "nat-1.0.tar.gz")\n'
        "       (sha256\n"
        '        (base32 "1fxvpfxvpfxvpfxvpfxvpfxvpfxvpfxvpfxvpfxvpfxvpfxvpfxv"))))\n'
        "    (build-system pyproject-build-system)\n"
        "    (arguments (from-source))\n"
        "    (native-inputs\n"
        "     (append (list build:setuptools@68.0)\n"
        '             (programs "ninja")))\n'
        "    (inputs (os-packages))\n"
        "    (propagated-inputs\n"
        "     (list python-left))\n"
        "    (supported-systems %systems)\n"
        "    (home-page #f)\n"
        '    (synopsis "nat 1.0")\n'
        '    (description "nat 1.0, as locked by envlock")\n'
        "    (license #f)\n"
        "    (properties '((hidden? . #t)))))"
    )


def test_a_build_tool_is_its_wheel() -> None:
    tool = definition(module(guix_lock()), "build:setuptools@68.0")
    assert '(file-name "setuptools-68.0-py3-none-any.whl")' in tool
    assert "(arguments (from-wheel))" in tool
    assert "-inputs" not in tool


def test_a_zipped_archive_with_a_folder_in_it() -> None:
    found = definition(module(guix_lock()), "python-arch")
    assert '(file-name "arch_ive.zip")' in found
    assert '(arguments (from-source "inner"))' in found
    assert "(native-inputs (list unzip))" in found


def test_packages_that_need_one_another_are_cut_once() -> None:
    text = module(guix_lock())
    assert "(list python-right)" in definition(text, "python-left")
    right = definition(text, "python-right")
    assert "propagated-inputs" not in right
    assert ";; Needs python-left, too" in right


def test_the_environment_has_everything() -> None:
    names = ["python-arch", "python-left", "python-nat", "python-right"]
    assert environment(module(guix_lock())) == names
    assert '\'("mesa")' in module(guix_lock())


def test_the_channels_backends_serve_pure_packages_without_build_requirements() -> None:
    assert "(native-inputs (backends))" in definition(module(with_guix(pure("aa"))), "python-aa")
    locked = replace(with_guix(pure("aa")), builds=(build("aa"),))
    assert "native-inputs" not in definition(module(locked), "python-aa")


def test_names_that_guix_writes_alike_stay_apart() -> None:
    text = module(with_guix(pure("dateutil"), pure("python-dateutil")))
    assert environment(text) == ["python-dateutil", "python-python-dateutil"]
    assert '(synopsis "python-dateutil 1.0")' in definition(text, "python-python-dateutil")
    assert '(name "python-python-dateutil")' in text


def test_the_python_that_the_channel_must_have() -> None:
    assert '(define %python "3.11")' in module(with_guix(pure("aa")))
    exact = Target(platform="linux/amd64", python="3.11.7")
    lock = replace(with_guix(pure("aa")), targets=(exact,))
    assert '(define %python "3.11.7")' in module(lock)


def test_targets_that_need_the_same_share_a_module() -> None:
    lock = replace(with_guix(pure("aa")), targets=(ARM, *with_guix().targets, MACOS))
    text = module(lock)
    assert ";;; For: linux/amd64@3.11, linux/arm64@3.11\n" in text
    assert '\'("x86_64-linux" "aarch64-linux")' in text


def test_targets_that_need_other_packages_are_exported_one_by_one() -> None:
    only = replace(pure("bb"), marker="platform_machine == 'aarch64'")
    lock = replace(with_guix(pure("aa"), only), targets=(*with_guix().targets, ARM))
    error = refusal(lock)
    assert "linux/amd64@3.11 and linux/arm64@3.11" in error.what
    assert "--target linux/arm64@3.11 --output guix-linux-arm64-3.11" in str(error.remedy)
    assert environment(module(lock, ARM)) == ["python-aa", "python-bb"]


def test_guix_has_no_macos() -> None:
    lock = replace(with_guix(pure("aa")), targets=(*with_guix().targets, MACOS))
    assert "Guix has no macos/arm64@3.12.4" in refusal(lock, MACOS).what


def test_a_lock_without_a_commit_of_guix() -> None:
    error = refusal(small_lock(pure("aa")))
    assert "[tool.envlock.guix]" in str(error.remedy)


@pytest.mark.parametrize(
    ("found", "why", "way"),
    [
        (package("aa"), "aa 1.0 has only wheels", "export nix"),
        (native("aa"), "aa 1.0 has no pure wheel, so it may hold native code", "sources = true"),
        (
            PythonPackage(name="aa", version="1.0", sdist=sdist("aa", "1.0")),
            "aa 1.0 has no pure wheel",
            "sources = true",
        ),
        (
            PythonPackage(name="aa", directory=Directory(path="src")),
            "aa is the source folder 'src'",
            "an sdist with a URL",
        ),
        (
            PythonPackage(
                name="aa", vcs=Vcs(kind="git", url="https://git.example.org/aa", commit="a" * 40)
            ),
            "aa comes from git",
            "an sdist with a URL",
        ),
        (
            PythonPackage(
                name="aa", archive=Archive(url="https://e.example.org/a.whl", sha256=digest("a"))
            ),
            "aa is a wheel",
            "an sdist with a URL",
        ),
        (
            replace(
                pure("aa"),
                sdist=Artifact(name="aa-1.0.tar.gz", path="aa-1.0.tar.gz", sha256=digest("a")),
            ),
            "aa 1.0 is a local file",
            "an sdist with a URL",
        ),
    ],
)
def test_what_cannot_be_built_is_named_with_the_way_out(
    found: PythonPackage, why: str, way: str
) -> None:
    error = refusal(with_guix(found, pure("zz")))
    assert f"\n  {why}" in error.what
    assert way in str(error.remedy)
    assert "zz" not in error.what


def test_everything_that_cannot_be_built_is_named_at_once() -> None:
    error = refusal(with_guix(package("aa"), native("bb"), native("cc")))
    assert [line.split()[0] for line in error.what.splitlines()[1:]] == ["aa", "bb", "cc"]
    assert str(error.remedy).count("\n") == 1


@pytest.mark.parametrize("crates", ["maturin==1.9", "setuptools-rust==1.11"])
def test_crates_are_not_in_the_lock(crates: str) -> None:
    lock = replace(with_guix(native("aa")), builds=(build("aa", crates),))
    assert "aa 1.0 is built by Cargo" in refusal(lock).what


def test_a_build_tool_that_cannot_be_had() -> None:
    lock = replace(with_guix(native("aa")), builds=(build("aa", "tool==1.0"),))
    assert "aa 1.0 is built with tool==1.0, which the lock does not hold" in refusal(lock).what
    lock = replace(lock, build_packages=(native("tool"),))
    error = refusal(lock)
    assert "aa 1.0 is built with tool 1.0, which has no pure wheel" in error.what
    lock = replace(lock, builds=(*lock.builds, build("tool", "tool==1.0")))
    assert "needs tool 1.0 to build tool 1.0" in refusal(lock).what


def test_a_build_tool_with_native_code_is_built_from_its_sdist() -> None:
    lock = replace(
        with_guix(native("aa")),
        builds=(build("aa", "tool==1.0"), build("tool", "setuptools==68.0")),
        build_packages=(native("tool"), package("setuptools", "68.0")),
    )
    text = module(lock)
    tool = definition(text, "build:tool@1.0")
    assert "(native-inputs (list build:setuptools@68.0))" in tool
    assert "tool-1.0.tar.gz" in tool
    assert text.index("(define build:tool@1.0") < text.index("(define python-aa")


def test_programs_for_building_have_guix_names() -> None:
    lock = replace(with_guix(native("aa")), builds=(build("aa", programs=["gcc", "gfortran"]),))
    text = definition(module(lock), "python-aa")
    assert '(native-inputs (programs "gfortran-toolchain"))' in text
    named = replace(lock, guix=replace(CHANNEL, names=("gfortran=gfortran-toolchain@14",)))
    assert '(programs "gfortran-toolchain@14")' in definition(module(named), "python-aa")
    unknown = replace(lock, builds=(build("aa", programs=["oddity"]),))
    assert "[tool.envlock.guix]" in str(refusal(unknown).remedy)


def test_an_os_package_that_nobody_knows_in_guix() -> None:
    error = refusal(replace(with_guix(pure("aa")), os=os_layer("libodd1")))
    assert "libodd1" in error.what
    assert 'then `envlock lock`: names = { "libodd1" = ' in str(error.remedy)


def test_the_same_lock_gives_the_same_bytes_in_any_order() -> None:
    lock = guix_lock()
    turned = replace(
        lock,
        packages=lock.packages[::-1],
        builds=lock.builds[::-1],
        build_packages=lock.build_packages[::-1],
    )
    assert GuixExporter().export(turned)[MODULE] == GuixExporter().export(lock)[MODULE]


def test_the_pure_wheel_of_another_python_is_none() -> None:
    old = replace(pure("aa"), wheels=(wheel("aa", "1.0", "1", "py2-none-any"),))
    assert "has no pure wheel" in refusal(with_guix(old)).what


graphs = st.integers(0, 8).flatmap(
    lambda size: st.fixed_dictionaries(
        {
            str(n): st.lists(
                st.integers(0, max(size - 1, 0)).map(str), max_size=4, unique=True
            ).map(tuple)
            for n in range(size)
        }
    )
)


@given(graphs)
def test_only_what_closes_a_cycle_is_cut(graph: dict[str, tuple[str, ...]]) -> None:
    kept, cut = acyclic(graph)

    def reach(edges: dict[str, tuple[str, ...]], start: str) -> set[str]:
        found, queue = set(), list(edges[start])
        while queue:
            name = queue.pop()
            if name not in found:
                found.add(name)
                queue += edges[name]
        return found

    for name, needed in graph.items():
        assert name not in reach(kept, name)
        assert {*kept[name], *cut.get(name, ())} == {other for other in needed if other != name}
        for other in cut.get(name, ()):
            assert name in reach(graph, other)
    if not any(name in reach(graph, name) for name in graph):
        assert kept == graph


def test_a_chain_longer_than_pythons_stack() -> None:
    graph = {f"{n:05}": (f"{n + 1:05}",) for n in range(5000)} | {"05000": ()}
    assert acyclic(graph) == (graph, {})


def test_the_page_lists_all_modules_that_are_used() -> None:
    page = (Path(__file__).parents[3] / "docs" / "guix.md").read_text()
    files = GuixExporter().export(guix_lock())
    text = files[MODULE] + files[MANIFEST]
    used = set(re.findall(r"\((?:gnu|guix) [a-z -]+\)", text.decode()))
    assert len(used) > 10
    assert used == set(re.findall(r"`(\((?:gnu|guix) [a-z -]+\))`", page)) - {"(guix channels)"}
