"""Mirrors: given ones first, then apt's, and nobody else's archive taken for the distribution's."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.tiny_archive import signer

from envlock.errors import UsageError
from envlock.io.apt_config import AptSource
from envlock.resolve.os.archive.mirrors import Mirrors, archives, choose_mirrors
from envlock.resolve.os.archive.trust import parse_keyring
from envlock.resolve.os.distributions.debian import Debian
from envlock.resolve.os.distributions.ubuntu import Ubuntu

KEYRING = parse_keyring(signer().public, "test keys")
MAIN = AptSource(uri="http://one.example.org/debian", suites=("bookworm",), components=("main",))
SECURITY = AptSource(
    uri="http://one.example.org/debian-security",
    suites=("bookworm-security",),
    components=("main",),
)


def choose(*given: str, sources: tuple[AptSource, ...] = ()) -> Mirrors:
    return choose_mirrors(Debian(), given=given, sources=sources, keyring=lambda: KEYRING)


def test_apts_mirrors_by_archive() -> None:
    second = AptSource(
        uri="https://two.example.org/d", suites=("trixie-updates",), components=("contrib", "main")
    )
    found = choose(sources=(MAIN, SECURITY, second, MAIN))
    assert found.live == {"debian": (MAIN.uri, second.uri), "debian-security": (SECURITY.uri,)}
    assert [mirror.template for mirror in found.snapshots] == [
        Debian().snapshots.url + Debian().snapshots.path
    ]


@pytest.mark.parametrize("source", [
    AptSource(uri="http://x.example.org/linux", suites=("bookworm",), components=("stable",)),
    AptSource(uri="http://x.example.org/apt", suites=("bookworm-pgdg",), components=("main",)),
    AptSource(uri="http://x.example.org/node", suites=("nodistro",), components=("main",)),
    AptSource(uri="cdrom:[Debian]", suites=("bookworm",), components=("main",)),
    AptSource(uri="http://x.example.org/flat", suites=("./",)),
])  # fmt: skip
def test_other_archives_are_not_debians(source: AptSource) -> None:
    assert choose(sources=(source,)).live == {}


def test_an_archive_signed_by_others_is_not_debians(tmp_path: Path) -> None:
    ours, other = tmp_path / "ours.gpg", tmp_path / "other.gpg"
    ours.write_bytes(signer().binary)
    other.write_bytes(signer("Somebody Else <else@example.org>").binary)

    def live(*signed_by: str) -> bool:
        source = AptSource(
            uri=MAIN.uri, suites=MAIN.suites, components=MAIN.components, signed_by=signed_by
        )
        return bool(choose(sources=(source,)).live)

    assert live()
    assert live(str(ours))
    assert live(signer().fingerprint.upper())
    assert not live(str(other))
    assert not live("0" * 40)


def test_given_mirrors_take_the_place_of_those_found() -> None:
    found = choose(
        "http://127.0.0.1:8000/archive/{archive}/{timestamp}/",
        "http://127.0.0.1:8000/debian",
        "http://127.0.0.1:8001/{archive}",
        sources=(MAIN,),
    )
    (dated,) = found.snapshots
    assert dated.template == "http://127.0.0.1:8000/archive/{archive}/{timestamp}"
    assert dated.timestamps == "http://127.0.0.1:8000/mr/timestamp/?archive={archive}"
    assert found.live == {
        "debian": ("http://127.0.0.1:8000/debian", "http://127.0.0.1:8001/debian"),
        "debian-security": ("http://127.0.0.1:8001/debian-security",),
    }
    assert found.roots("debian", "20240301T000000Z") == (
        "http://127.0.0.1:8000/debian",
        "http://127.0.0.1:8001/debian",
        "http://127.0.0.1:8000/archive/debian/20240301T000000Z",
    )
    assert found.roots("debian", None) == found.live["debian"]


@pytest.mark.parametrize("url", [
    "ftp://mirror.example.org/debian",
    "mirror.example.org/debian",
    "http://mirror.example.org/ubuntu",
    "http://mirror.example.org/{timestamp}",
    "http://mirror.example.org/{archive}/{timestamp}/{more}",
    "http://mirror.example.org/{archive}/{timestamp}/{",
])  # fmt: skip
def test_a_mirror_that_cannot_be_used(url: str) -> None:
    with pytest.raises(UsageError, match="cannot use the mirror"):
        choose(url)


def test_a_mirrors_password_is_not_shown() -> None:
    with pytest.raises(UsageError) as caught:
        choose("http://me:secret@mirror.example.org/ubuntu")
    assert "secret" not in str(caught.value)


def test_the_archives() -> None:
    assert archives(Debian()) == ("debian", "debian-security")
    assert archives(Ubuntu()) == ("ubuntu",)
