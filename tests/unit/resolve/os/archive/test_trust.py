"""Signed text comes back as it was signed, whatever it looks like; nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.tiny_archive import signer, with_signatures

from envlock.errors import UsageError, VerificationError
from envlock.resolve.os.archive.trust import (
    Subject,
    machine_keyring,
    parse_keyring,
    read_keyring,
    shipped_keyring,
    verify_detached,
    verify_inrelease,
)

OURS = signer()
OTHER = signer("Somebody Else <else@example.org>")
KEYRING = parse_keyring(OURS.public, "test keys")
SUBJECT = Subject(suite="bookworm", url="http://archive.example.org/dists/bookworm/InRelease")

_LINES = st.lists(
    st.one_of(
        st.sampled_from(
            [
                "- a dash",
                "-----BEGIN PGP SIGNED MESSAGE-----",
                "-----BEGIN PGP SIGNATURE-----",
                "-----END PGP SIGNATURE-----",
                "From here",
                "Hash: SHA512",
                "",
            ]
        ),
        # Not: spaces at a line's end, which a clear-signed text does not keep, and control codes.
        st.text(st.characters(exclude_categories=("C", "Z")), max_size=30),
    ),
    min_size=1,
    max_size=12,
)


@given(lines=_LINES, before=_LINES, after=_LINES)
@settings(deadline=None, max_examples=60)
def test_signed_text_comes_back_and_nothing_around_it(
    lines: list[str], before: list[str], after: list[str]
) -> None:
    text = ("\n".join(lines).rstrip("\n") + "\n").encode()
    marker = "-----BEGIN PGP"
    head = "\n".join(line for line in before if not line.startswith(marker)).encode()
    tail = "\n".join(line for line in after if not line.startswith(marker)).encode()
    found = verify_inrelease(head + b"\n" + OURS.clear(text) + b"\n" + tail, KEYRING, SUBJECT)
    assert found.payload == text
    assert found.fingerprints == (OURS.fingerprint,)


@given(position=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=300)
def test_no_changed_bit_changes_what_is_believed(position: int, bit: int) -> None:
    text = b"Origin: Debian\nSuite: stable\nSHA256:\n 00 1 main/Packages\n"
    signed = OURS.clear(text)
    at = position % len(signed)
    changed = signed[:at] + bytes([signed[at] ^ (1 << bit)]) + signed[at + 1 :]
    try:
        found = verify_inrelease(changed, KEYRING, SUBJECT)
    except VerificationError:
        return
    # What does not matter to a signature (white space, the armor) may change.
    assert found.payload == text


@given(content=st.binary(max_size=300))
@settings(deadline=None)
def test_bytes_that_are_no_release_are_refused(content: bytes) -> None:
    wrapped = b"-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA512\n\nx\n" + (
        b"-----BEGIN PGP SIGNATURE-----\n\n" + content + b"\n-----END PGP SIGNATURE-----\n"
    )
    for given_bytes in (content, wrapped):
        with pytest.raises(VerificationError):
            verify_inrelease(given_bytes, KEYRING, SUBJECT)
    with pytest.raises(VerificationError):
        verify_detached(b"x\n", content, KEYRING, SUBJECT)


def test_the_signature_says_who_and_when() -> None:
    found = verify_inrelease(OURS.clear(b"a: b\n"), KEYRING, SUBJECT)
    (signature,) = found.signatures
    assert signature.fingerprint == OURS.fingerprint
    assert signature.key in KEYRING.keys
    assert abs((datetime.now(UTC) - signature.created).total_seconds()) < 600


def test_several_blocks_of_detached_signatures_are_read() -> None:
    text = b"a: b\n"
    both = OTHER.detached(text) + OURS.detached(text)
    assert verify_detached(text, both, KEYRING, SUBJECT).fingerprints == (OURS.fingerprint,)
    ring = parse_keyring(OURS.binary + OTHER.binary, "two")
    expected = tuple(sorted((OURS.fingerprint, OTHER.fingerprint)))
    assert verify_detached(text, both, ring, SUBJECT).fingerprints == expected


@pytest.mark.parametrize(("content", "said"), [
    (b"a: b\n", "not signed"),
    (OURS.clear(b"a: b\n") * 2, "more than one signed block"),
    (OURS.clear(b"a: b\n")[:60], "missing or cut short"),
    (OTHER.clear(b"a: b\n"), "is unknown (looked in test keys)"),
    (OURS.clear(b"a: b\n").replace(b"a: b", b"a: c"), "does not hold"),
    (with_signatures([OURS.clear(b"a: b\n"), OURS.clear(b"a: c\n")]), "does not hold"),
], ids=["unsigned", "two", "short", "stranger", "edited", "mixed"])  # fmt: skip
def test_a_refusal_says_why(content: bytes, said: str) -> None:
    with pytest.raises(VerificationError) as caught:
        verify_inrelease(content, KEYRING, SUBJECT)
    assert said in caught.value.what
    assert "bookworm" in caught.value.what
    assert caught.value.where == SUBJECT.url
    assert "\n" not in str(caught.value)


def test_a_revoked_key_is_named_as_such() -> None:
    ring = parse_keyring(OURS.revoked, "revoked keys")
    with pytest.raises(VerificationError, match="is revoked"):
        verify_inrelease(OURS.clear(b"a: b\n"), ring, SUBJECT)


# --- keyrings ---


def test_the_shipped_keys() -> None:
    debian = {key.primary: key for key in shipped_keyring("debian-archive").keys.values()}
    assert len(debian) == 9
    assert not any(key.revoked for key in debian.values())
    assert all(key.expires is not None for key in debian.values())
    # The stable release key of Debian 13.
    assert "41587f7db8c774bccf131416762f67a0b2c39de4" in debian
    # The key of 2012 certifies itself with SHA-1: it is not used.
    ubuntu = {key.primary for key in shipped_keyring("ubuntu-archive").keys.values()}
    assert "f6ecb3762474eda9d21b7022871920d1991bc93c" in ubuntu
    assert "790bc7277767219c42c86f933b4fe6acc0b21f32" not in ubuntu


@pytest.mark.parametrize("form", ["armored", "binary", "two"])
def test_a_given_keyring_may_be_armored_or_not(form: str, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    contents = {"armored": OURS.public, "binary": OURS.binary, "two": OURS.public + OTHER.public}
    path.write_bytes(contents[form])
    ring = read_keyring(path)
    assert OURS.fingerprint in ring.keys
    assert ring.origin == str(path)
    assert len(ring.certificates) == (2 if form == "two" else 1)


@pytest.mark.parametrize(
    "content",
    [None, b"", b"no key\n", OURS.detached(b"x")],
    ids=["missing", "empty", "text", "signature"],
)
def test_a_file_without_keys_is_bad_input(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UsageError) as caught:
        read_keyring(path)
    assert caught.value.where == str(path)


def test_keys_of_the_machine_are_found_by_name(tmp_path: Path) -> None:
    (tmp_path / "one.gpg").write_bytes(OURS.binary)
    (tmp_path / "two.gpg").write_bytes(OTHER.binary)
    assert machine_keyring(("absent.gpg",), tmp_path) is None
    ring = machine_keyring(("one.gpg", "absent.gpg", "two.gpg"), tmp_path)
    assert ring is not None
    assert {OURS.fingerprint, OTHER.fingerprint} <= set(ring.keys)
