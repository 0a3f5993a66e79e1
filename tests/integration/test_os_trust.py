"""A signature counts for us exactly where it counts for gpgv, read as apt reads it."""

from __future__ import annotations

import os
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.tiny_archive import NEW, Signer, TinySuite, signer, with_signatures

from envlock.errors import VerificationError
from envlock.resolve.os.archive.trust import (
    Subject,
    Verified,
    machine_keyring,
    parse_keyring,
    shipped_keyring,
    verify_detached,
    verify_inrelease,
)

OURS = signer()
OTHER = signer("Somebody Else <else@example.org>")
TEXT = TinySuite(name="bookworm", date=NEW, more="Note: dashes\n- lead\n").release({"a": b""})
SIGNED = OURS.clear(TEXT)
SUBJECT = Subject(suite="bookworm", url="http://archive.example.org/InRelease")


def _foreign_text() -> bytes:
    """Our signature's bytes over a text that only another one signed."""
    mark = b"-----BEGIN PGP SIGNATURE-----"
    other = OTHER.clear(TEXT.replace(b"stable", b"evil"))
    return other[: other.index(mark)] + SIGNED[SIGNED.index(mark) :]


VARIANTS: dict[str, bytes] = {
    "as signed": SIGNED,
    "a bit of the text": SIGNED.replace(b"stable", b"stacle"),
    "a digest": SIGNED.replace(b"e3b0c442", b"e3b0c443"),
    "a line more": SIGNED.replace(b"Origin: Debian\n", b"Origin: Debian\nEvil: yes\n"),
    "a line less": SIGNED.replace(b"Origin: Debian\n", b""),
    "lines swapped": SIGNED.replace(
        b"Origin: Debian\nSuite: stable\n", b"Suite: stable\nOrigin: Debian\n"
    ),
    "text before": b"Origin: Evil\n\n" + SIGNED,
    "text after": SIGNED + b"\nOrigin: Evil\n",
    "another block after": SIGNED + SIGNED,
    "another text, our signature": _foreign_text(),
    "a foreign key": OTHER.clear(TEXT),
    "ours and a foreign key's": with_signatures([SIGNED, OTHER.clear(TEXT)]),
    "a foreign key's and ours": with_signatures([OTHER.clear(TEXT), SIGNED]),
    "ours, and ours of another text": with_signatures([SIGNED, OURS.clear(TEXT + b"x\n")]),
    "unsigned": TEXT,
    "nothing": b"",
    "a web page": b"<!DOCTYPE html><html><body>Please sign in</body></html>",
    "cut in the text": SIGNED[: len(SIGNED) // 4],
    "cut in the signature": SIGNED[:-80],
    "no signature": SIGNED[: SIGNED.index(b"-----BEGIN PGP SIGNATURE")],
    "windows line ends": SIGNED.replace(b"\n", b"\r\n"),
    "spaces at a line's end": SIGNED.replace(b"Suite: stable\n", b"Suite: stable  \n"),
    "a header of no one's": SIGNED.replace(b"Hash: ", b"Comment: x\nHash: ", 1),
    "a text before the empty line": SIGNED.replace(b"\n\n", b"\nOrigin: Evil\n\n", 1),
    "the signature's bits": SIGNED[:-60] + bytes([SIGNED[-60] ^ 3]) + SIGNED[-59:],
}


def _run(*arguments: str | Path, folder: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["gpgv", "--status-fd", "1", "--keyring", folder / "ring.gpg", *arguments],
        capture_output=True,
        env={**os.environ, "GNUPGHOME": str(folder)},
        check=False,
    )


def gpgv(content: bytes, keyring: bytes, folder: Path) -> tuple[bool, bytes]:
    """Whether gpgv finds a good signature and no bad one, and the text it verified.

    Its exit code is not what apt goes by: it fails for an unknown key beside a good one.
    """
    (folder / "ring.gpg").write_bytes(keyring)
    (folder / "message").write_bytes(content)
    (folder / "text").unlink(missing_ok=True)
    done = _run("--output", folder / "text", folder / "message", folder=folder)
    words = [line.split()[1] for line in done.stdout.split(b"\n") if line.startswith(b"[GNUPG:]")]
    accepted = b"GOODSIG" in words and b"BADSIG" not in words and b"ERROR" not in words
    text = (folder / "text").read_bytes() if (folder / "text").exists() else b""
    return accepted, text


def ours(content: bytes, keyring: bytes, judged_at: datetime | None = None) -> Verified | None:
    subject = Subject(suite="bookworm", url=SUBJECT.url, judged_at=judged_at)
    try:
        return verify_inrelease(content, parse_keyring(keyring, "test"), subject)
    except VerificationError:
        return None


@pytest.mark.parametrize("name", VARIANTS)
def test_accepts_and_refuses_as_gpgv_does(name: str, tmp_path: Path) -> None:
    keyring = OURS.binary
    expected, text = gpgv(VARIANTS[name], keyring, tmp_path)
    found = ours(VARIANTS[name], keyring)
    assert (found is not None) == expected
    if found is not None:
        assert found.payload == text.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n" == TEXT
        assert found.fingerprints == (OURS.fingerprint,)


def test_a_refusal_names_the_suite_the_address_and_the_key() -> None:
    with pytest.raises(VerificationError) as caught:
        verify_inrelease(OTHER.clear(TEXT), parse_keyring(OURS.public, "our keys"), SUBJECT)
    assert caught.value.exit_code == 4
    assert caught.value.where == SUBJECT.url
    keys = parse_keyring(OTHER.public, "theirs").keys
    assert "bookworm" in str(caught.value)
    assert any(key[-16:].upper() in str(caught.value) for key in keys)
    assert "our keys" in str(caught.value)


def test_the_variants_are_of_both_kinds(tmp_path: Path) -> None:
    verdicts = [gpgv(content, OURS.binary, tmp_path)[0] for content in VARIANTS.values()]
    assert verdicts.count(True) >= 6
    assert verdicts.count(False) >= 12


def test_a_revoked_key_does_not_count(tmp_path: Path) -> None:
    assert gpgv(SIGNED, OURS.revoked, tmp_path) == (False, TEXT)
    assert ours(SIGNED, OURS.revoked) is None
    both = with_signatures([SIGNED, OTHER.clear(TEXT)])
    found = ours(both, OURS.revoked + OTHER.binary)
    assert found is not None
    assert found.fingerprints == (OTHER.fingerprint,)


def test_a_bad_signature_beside_a_good_one_counts_against_it(tmp_path: Path) -> None:
    mixed = with_signatures([SIGNED, OTHER.clear(TEXT + b"x\n")])
    assert gpgv(mixed, OURS.binary + OTHER.binary, tmp_path)[0] is False
    assert ours(mixed, OURS.binary + OTHER.binary) is None


def test_an_expired_key_counts_when_it_signed_and_no_more_now(tmp_path: Path) -> None:
    # Sequoia dates keys a minute back: this one lives for another second.
    short = Signer("Short <short@example.org>", validity_seconds=61)
    signed = short.clear(TEXT)
    time.sleep(2.2)
    # apt refuses what gpgv calls EXPKEYSIG.
    assert gpgv(signed, short.binary, tmp_path)[0] is False
    assert ours(signed, short.binary, judged_at=datetime.now(UTC)) is None
    found = ours(signed, short.binary)
    assert found is not None
    assert found.payload == TEXT
    both = with_signatures([signed, SIGNED])
    found = ours(both, short.binary + OURS.binary, judged_at=datetime.now(UTC))
    assert found is not None
    assert found.fingerprints == (OURS.fingerprint,)


def test_a_key_that_had_expired_before_it_signed_never_counts(tmp_path: Path) -> None:
    late = Signer("Late <late@example.org>")
    past = datetime.now(UTC) - timedelta(seconds=20)
    expired = bytes(late.certificate.set_expiration(past, late.secret.certifier()))
    signed = late.clear(TEXT)
    assert gpgv(signed, expired, tmp_path)[0] is False
    assert ours(signed, expired) is None


@pytest.mark.parametrize("change", ["none", "text", "signature", "foreign", "empty"])
def test_a_detached_signature_is_judged_as_gpgv_judges_it(change: str, tmp_path: Path) -> None:
    text = TEXT + b"x: y\n" if change == "text" else TEXT
    signature = (OTHER if change == "foreign" else OURS).detached(TEXT)
    if change == "signature":
        signature = signature[:-60] + bytes([signature[-60] ^ 3]) + signature[-59:]
    if change == "empty":
        signature = b""
    (tmp_path / "ring.gpg").write_bytes(OURS.binary)
    (tmp_path / "Release").write_bytes(text)
    (tmp_path / "Release.gpg").write_bytes(signature)
    done = _run(tmp_path / "Release.gpg", tmp_path / "Release", folder=tmp_path)
    keyring = parse_keyring(OURS.public, "test")
    if done.returncode == 0:
        assert change == "none"
        found = verify_detached(text, signature, keyring, SUBJECT)
        assert found.payload == TEXT
        # InRelease and Release with Release.gpg are one and the same to a lock.
        assert found.sha256 == verify_inrelease(SIGNED, keyring, SUBJECT).sha256
    else:
        with pytest.raises(VerificationError):
            verify_detached(text, signature, keyring, SUBJECT)


def test_this_machines_own_debian_keys_are_those_that_are_shipped() -> None:
    own = machine_keyring(("debian-archive-keyring.gpg",))
    assert own is not None, "debian-archive-keyring is not installed"
    shipped = shipped_keyring("debian-archive")
    common = set(own.keys) & set(shipped.keys)
    assert len(common) >= 9
    assert {name: own.keys[name] for name in common} == {n: shipped.keys[n] for n in common}


def test_the_releases_that_apt_has_on_this_machine_verify_with_the_shipped_keys() -> None:
    lists = [*Path("/var/lib/apt/lists").glob("*debian*_dists_bookworm*_InRelease")]
    assert lists, "apt-get update has not been run here"
    keyring = shipped_keyring("debian-archive")
    for path in lists:
        found = verify_inrelease(path.read_bytes(), keyring, SUBJECT)
        assert b"Codename: bookworm" in found.payload
