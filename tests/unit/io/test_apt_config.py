"""apt's sources in both styles, and what must not be taken from them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envlock.io.apt_config import AptSource, apt_sources


def write(root: Path, **files: str) -> None:
    """Files under ``etc/apt``; ``__`` in a name is a dot, a first ``d_`` the folder's."""
    for name, text in files.items():
        path = root / "etc/apt" / name.replace("d_", "sources.list.d/", 1).replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_one_line_style(tmp_path: Path) -> None:
    write(
        tmp_path,
        sources__list=(
            "# deb http://a.example.org/debian sid main\n"
            "deb http://a.example.org/debian/ bookworm main contrib # the main one\n"
            "deb-src http://a.example.org/debian bookworm main\n"
            "deb [ arch=amd64,arm64 signed-by=/k.gpg trusted=yes ] https://b.example.org/x ./\n"
            "deb http://a.example.org/debian\n"
            "nonsense\n"
        ),
    )
    file = tmp_path / "etc/apt/sources.list"
    assert apt_sources(tmp_path) == (
        AptSource(
            uri="http://a.example.org/debian",
            suites=("bookworm",),
            components=("main", "contrib"),
            origin=f"{file}:2",
        ),
        AptSource(
            uri="https://b.example.org/x",
            suites=("./",),
            architectures=("amd64", "arm64"),
            signed_by=("/k.gpg",),
            unsigned=True,
            origin=f"{file}:4",
        ),
    )


def test_deb822_style(tmp_path: Path) -> None:
    write(
        tmp_path,
        d_debian__sources=(
            "# a comment\n"
            "Types: deb deb-src\n"
            "URIs: http://a.example.org/debian http://b.example.org/debian\n"
            "Suites: bookworm\n  bookworm-updates\n"
            "# another one\n"
            "Components: main\n"
            "Signed-By: /usr/share/keyrings/k.gpg\n"
            "Trusted: yes\n"
            "\n"
            "Types: deb-src\nURIs: http://c.example.org\nSuites: sid\nComponents: main\n"
            "\n\n"
            "enabled: no\nTypes: deb\nURIs: http://d.example.org\nSuites: sid\nComponents: main\n"
            "\n"
            "Types: deb\nURIs: http://e.example.org\nSuites: sid\nComponents: main\n"
            "Architectures: amd64\nSigned-By:\n -----BEGIN PGP PUBLIC KEY BLOCK-----\n .\n abc\n"
        ),
    )
    found = apt_sources(tmp_path)
    assert [source.uri for source in found] == [
        "http://a.example.org/debian",
        "http://b.example.org/debian",
        "http://e.example.org",
    ]
    assert found[0].suites == ("bookworm", "bookworm-updates")
    assert found[0].signed_by == ("/usr/share/keyrings/k.gpg",)
    assert found[0].origin.endswith("debian.sources:2")
    assert found[2].architectures == ("amd64",)
    assert found[2].signed_by == ()


def test_the_order_is_apts(tmp_path: Path) -> None:
    line = "deb http://{}.example.org x main\n"
    write(
        tmp_path,
        d_20__list=line.format("c"),
        d_10__list=line.format("b"),
        sources__list=line.format("a"),
        d_05__disabled=line.format("z"),
        d_05__list__save=line.format("z"),
    )
    assert [source.uri[7] for source in apt_sources(tmp_path)] == ["a", "b", "c"]


def test_a_machine_without_apt(tmp_path: Path) -> None:
    assert apt_sources(tmp_path) == ()


@pytest.mark.parametrize("name", ["sources__list", "d_x__list", "d_x__sources"])
@given(text=st.text(max_size=200))
def test_any_text_is_read_without_complaint(
    name: str, text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = tmp_path_factory.mktemp("root")
    path = root / "etc/apt" / name.replace("d_", "sources.list.d/", 1).replace("__", ".")
    path.parent.mkdir(parents=True)
    path.write_text(text, encoding="utf-8", errors="replace")
    for source in apt_sources(root):
        assert source.suites
        assert source.uri
