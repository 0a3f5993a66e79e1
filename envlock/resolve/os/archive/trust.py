"""Who signed a Release: OpenPGP verification (RFC 9580) with the archive's keys, by Sequoia.

What counts, as apt counts it: at least one good signature by a key of the keyring, and none that is
bad. Signatures by other keys are ignored. A revoked key never counts. A key that has expired since
it signed counts where the signature is judged at its own time (a dated archive), and does not
where it is judged now, as apt does on the day. Seen with apt 2.6 and gpgv 2.2.

Only what was signed is given back: text around the signed block, and how it was wrapped (dashes,
line ends), does not reach the caller.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from envlock.errors import UsageError, VerificationError
from envlock.io.files import read_bytes

if TYPE_CHECKING:
    from pysequoia import Cert
    from pysequoia.packet import Packet

MACHINE_KEYRINGS = Path("/usr/share/keyrings")

_T = TypeVar("_T")
_BEGIN = b"-----BEGIN PGP SIGNED MESSAGE-----"
_SIGNATURE = b"-----BEGIN PGP SIGNATURE-----"
_PUBLIC_KEY = b"-----BEGIN PGP PUBLIC KEY BLOCK-----"
_END = b"-----END PGP SIGNATURE-----"
_ARMOR = re.compile(rb"^" + _SIGNATURE + rb"[ \t]*\r?\n.*?^" + _END, re.M | re.S)

_GIVE_KEYS = (
    "name a file of the archive's public keys, armored or binary:"
    ' keyring = "…" in [tool.envlock.os]'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """One key of a keyring: fingerprints in lower-case hex, the end of its life, if it has one."""

    fingerprint: str
    primary: str
    expires: datetime | None
    revoked: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """Certificates that may sign an archive. ``origin`` says where they come from."""

    certificates: tuple[Cert, ...]
    keys: Mapping[str, Key]
    origin: str

    def find(self, issuer: str) -> Key | None:
        """The key with this fingerprint, or whose fingerprint ends with this key id."""
        if issuer in self.keys:
            return self.keys[issuer]
        ends = (key for name, key in self.keys.items() if issuer and name.endswith(issuer))
        return next(ends, None)


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Signature:
    """A good signature: the primary key's fingerprint, the signing (sub)key's, and when (UTC)."""

    fingerprint: str
    key: str
    created: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was signed, and by whom (at least one). Lines end with ``\\n``, the last one too."""

    payload: bytes
    signatures: tuple[Signature, ...]

    @property
    def sha256(self) -> str:
        """Digest of the payload: the same for InRelease and for Release with Release.gpg."""
        return hashlib.sha256(self.payload).hexdigest()

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """The primary keys' fingerprints, sorted."""
        return tuple(sorted({signature.fingerprint for signature in self.signatures}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a signature stands for, for messages, and when it is judged.

    ``judged_at`` None: at the time of the signature. Else a key expired by then does not count.
    """

    suite: str
    url: str
    judged_at: datetime | None = None

    def refuse(self, what: str, remedy: str | None = None) -> VerificationError:
        """The error that says so."""
        remedy = remedy or "do not use this archive; try another mirror"
        return VerificationError(f"Release of {self.suite}: {what}", where=self.url, remedy=remedy)


@cache
def shipped_keyring(name: str) -> Keyring:
    """The keys that envlock brings for a distribution (``debian-archive``, ``ubuntu-archive``)."""
    from importlib import resources  # slow to load; a project may bring its own keys

    file = resources.files("envlock.resolve.os.archive") / "keys" / f"{name}.asc"
    return parse_keyring(file.read_bytes(), f"envlock's {name} keys")


def read_keyring(path: Path) -> Keyring:
    """The keys in a file, armored or not.

    Raises:
        UsageError: no such file, or no usable key in it.
    """
    try:
        content = read_bytes(path)
    except OSError as error:
        what = f"cannot read the keyring: {error.strerror}"
        raise UsageError(what, where=str(path), remedy=_GIVE_KEYS) from None
    return parse_keyring(content, str(path))


def machine_keyring(names: Iterable[str], folder: Path = MACHINE_KEYRINGS) -> Keyring | None:
    """The keys of those keyrings that this machine has under ``/usr/share/keyrings``, or None."""
    found = [folder / name for name in names if (folder / name).is_file()]
    rings = [read_keyring(path) for path in found]
    if not rings:
        return None
    return Keyring(
        certificates=tuple(cert for ring in rings for cert in ring.certificates),
        keys={name: key for ring in rings for name, key in ring.keys.items()},
        origin=", ".join(map(str, found)),
    )


def parse_keyring(content: bytes, origin: str) -> Keyring:
    """The keys in ``content``; those whose own signatures are too weak (SHA-1) are left out.

    Raises:
        UsageError: it is no keyring, or has no usable key.
    """
    from pysequoia import Cert

    try:
        certificates = _guarded(lambda: Cert.split_bytes(content))
        packets = _guarded(lambda: _packets(content))
    except ValueError as error:
        what = f"not an OpenPGP keyring: {error}"
        raise UsageError(what, where=origin, remedy=_GIVE_KEYS) from None
    usable: list[Cert] = []
    keys: dict[str, Key] = {}
    for certificate in certificates:
        try:
            found = _guarded(partial(_keys, certificate, packets.get(certificate.fingerprint, [])))
        except ValueError:
            continue
        usable.append(certificate)
        keys.update((key.fingerprint, key) for key in found)
    if not usable:
        raise UsageError(
            "no usable key in the keyring",
            where=origin,
            remedy=_GIVE_KEYS,
        )
    return Keyring(certificates=tuple(usable), keys=keys, origin=origin)


def _packets(content: bytes) -> dict[str, list[Packet]]:
    """Each certificate's packets, by the fingerprint of its primary key.

    Out of the keyring itself: to write a certificate out again, every signature in it is verified,
    also those by hundreds of others.
    """
    from pysequoia.packet import PacketPile, Tag

    first, *armored = content.split(_PUBLIC_KEY)
    found: dict[str, list[Packet]] = {}
    current: list[Packet] = []
    for block in [_PUBLIC_KEY + block for block in armored] or [first]:
        for packet in PacketPile.from_bytes(block):
            if packet.tag in (Tag.PublicKey, Tag.SecretKey):
                current = found.setdefault((packet.fingerprint or "").lower(), [])
            current.append(packet)
    return found


def _keys(certificate: Cert, packets: Iterable[Packet]) -> list[Key]:
    """The certificate's primary key and subkeys."""
    from pysequoia.packet import SignatureType, Tag

    primary, expires, revoked = (
        certificate.fingerprint,
        certificate.expiration,
        certificate.is_revoked,
    )
    keys = [Key(fingerprint=primary, primary=primary, expires=expires, revoked=revoked)]
    born: datetime | None = None
    for packet in packets:
        if packet.tag == Tag.PublicSubkey:
            name, born = packet.fingerprint or "", packet.key_created
            keys.append(replace(keys[0], fingerprint=name))
        elif packet.tag != Tag.Signature or len(keys) == 1:
            continue
        elif packet.signature_type == SignatureType.SubkeyRevocation:
            keys[-1] = replace(keys[-1], revoked=True)
        elif packet.signature_type == SignatureType.SubkeyBinding:
            life = packet.key_validity_period
            ends = [expires, born + life if born and life else None]
            keys[-1] = replace(keys[-1], expires=min((e for e in ends if e), default=None))
    return keys


def verify_inrelease(content: bytes, keyring: Keyring, subject: Subject) -> Verified:
    """The signed text of a clear-signed ``InRelease``.

    Raises:
        VerificationError: unsigned, changed, or not signed by a key that counts.
    """
    from pysequoia import verify

    block = _signed_block(content, subject)
    claims = _claims(block[block.rindex(_SIGNATURE) :], subject)
    try:
        done = _guarded(lambda: verify(block, store=lambda _: list(keyring.certificates)))
        good = [valid.signing_key for valid in done.valid_sigs]
        payload = done.bytes or b""
    except ValueError:
        good, payload = [], b""
    signatures = _judge(claims, good, keyring, subject)
    # A signature over text covers its lines however they end, and not the last line's end.
    return Verified(
        payload=payload.replace(b"\r\n", b"\n").rstrip(b"\n") + b"\n", signatures=signatures
    )


def verify_detached(
    payload: bytes, signature: bytes, keyring: Keyring, subject: Subject
) -> Verified:
    """The ``Release`` in ``payload``, signed by ``Release.gpg`` (armored or not).

    Raises:
        VerificationError: as for ``verify_inrelease``.
    """
    good: list[str] = []
    claims = _claims(signature, subject)
    for claim in claims:
        with contextlib.suppress(ValueError):
            good += _guarded(partial(_holding, payload, claim.packet, keyring))
    return Verified(payload=payload, signatures=_judge(claims, good, keyring, subject))


def _holding(payload: bytes, packet: Packet, keyring: Keyring) -> list[str]:
    """The signing keys that the detached signature is good by."""
    from pysequoia import Sig, verify

    signature = Sig.from_bytes(bytes(packet))
    done = verify(payload, store=lambda _: list(keyring.certificates), signature=signature)
    return [valid.signing_key for valid in done.valid_sigs]


def _signed_block(content: bytes, subject: Subject) -> bytes:
    """The one clear-signed block, from its first to its last marker (RFC 9580 §7)."""
    lines = content.split(b"\n")
    marks = [line.rstrip() for line in lines]
    places = [[i for i, mark in enumerate(marks) if mark == wanted] for wanted in (_BEGIN, _END)]
    if not places[0]:
        raise subject.refuse(
            "not signed (no clear-signed block)",
            "check that the address is an archive's; a network's sign-in page looks like this, too",
        )
    if len(places[0]) > 1:
        raise subject.refuse("more than one signed block")
    begin, ends = places[0][0], [end for end in places[1] if end > places[0][0]]
    if _SIGNATURE not in marks[begin:] or not ends:
        raise subject.refuse("the signature is missing or cut short")
    for mark in marks[begin + 1 : ends[0]]:
        if not mark:
            break
        # Other headers are covered by no signature, and verifiers differ on what they mean.
        if not mark.startswith(b"Hash: "):
            raise subject.refuse("an unsigned line at the head of the signed block")
    return b"\n".join(lines[begin : ends[0] + 1]) + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Claim:
    """What a signature packet says of itself: its key's fingerprint or id, and its time."""

    packet: Packet
    issuer: str
    created: datetime | None


def _claims(content: bytes, subject: Subject) -> list[_Claim]:
    """The signatures in one or several armored blocks, or in binary."""
    blocks = _ARMOR.findall(content) or [content]
    try:
        claims = [claim for block in blocks for claim in _guarded(partial(_read_claims, block))]
    except ValueError as error:
        raise subject.refuse(f"the signature cannot be read: {error}") from None
    if not claims:
        raise subject.refuse("not signed (no signature in it)")
    return claims


def _read_claims(block: bytes) -> list[_Claim]:
    from pysequoia.packet import PacketPile, Tag

    return [
        _Claim(
            packet=packet,
            issuer=packet.issuer_fingerprint or packet.issuer_key_id or "",
            created=packet.signature_created,
        )
        for packet in PacketPile.from_bytes(block + b"\n")
        if packet.tag == Tag.Signature
    ]


def _judge(
    claims: list[_Claim], good: list[str], keyring: Keyring, subject: Subject
) -> tuple[Signature, ...]:
    """The signatures that count; ``good`` has the signing keys whose signatures hold, repeated."""
    left = list(good)
    counted: list[Signature] = []
    why: list[str] = []
    for claim in claims:
        key = keyring.find(claim.issuer)
        short = claim.issuer[-16:].upper() or "without a name"
        if key is None:
            why.append(f"key {short} is unknown")
        elif key.revoked:
            why.append(f"key {short} is revoked")
        elif key.fingerprint not in left:
            raise subject.refuse(f"the signature by key {short} does not hold")
        elif claim.created is None:
            why.append(f"the signature by key {short} has no time")
        elif _expired(key, subject.judged_at):
            left.remove(key.fingerprint)
            why.append(f"key {short} expired {key.expires:%Y-%m-%d}")
        else:
            left.remove(key.fingerprint)
            counted.append(
                Signature(fingerprint=key.primary, key=key.fingerprint, created=claim.created)
            )
    if not counted:
        raise subject.refuse(
            f"no signature by a key that counts: {'; '.join(why)} (looked in {keyring.origin})",
            f"if this is the right archive, {_GIVE_KEYS}",
        )
    return tuple(sorted(counted))


def _expired(key: Key, judged_at: datetime | None) -> bool:
    return judged_at is not None and key.expires is not None and key.expires <= judged_at


def _guarded(call: Callable[[], _T]) -> _T:
    """What ``call`` gives; whatever Sequoia raises, panics included, becomes a ValueError."""
    try:
        return call()
    except Exception as error:
        # The rest of its text is a stack trace.
        raise ValueError(str(error).partition("\n")[0]) from None
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError("the OpenPGP library gave up on it") from None
