"""A synthetic, signed archive in milliseconds: real .debs, indexes and Releases, in memory."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from typing import Literal, Protocol

from pysequoia import ArmorKind, Cert, Profile, SignatureMode, Tsk, armor, sign
from pysequoia.packet import PacketPile

Files = dict[str, bytes]
"""Path below an archive's root → content."""


class Signer:
    """A key that signs Releases."""

    def __init__(self, name: str = "Test Archive <archive@example.org>", **options: int) -> None:
        # Version 4 keys: what gpgv and apt read.
        self.secret = Tsk.generate(name, profile=Profile.RFC4880, **options)
        self.certificate: Cert = self.secret.extract_certificate()
        self.binary = bytes(self.certificate)

    @property
    def fingerprint(self) -> str:
        """The primary key's."""
        return self.certificate.fingerprint

    @property
    def public(self) -> bytes:
        """The armored public key."""
        return str(self.certificate).encode()

    @property
    def revoked(self) -> bytes:
        """The public key with its revocation (binary)."""
        revocation = self.certificate.revoke(self.secret.certifier())
        return bytes(Cert.from_bytes(self.binary + bytes(revocation)))

    def clear(self, text: bytes) -> bytes:
        """``text`` as an InRelease."""
        return sign(self.secret.signer(), text.removesuffix(b"\n"), mode=SignatureMode.CLEAR)

    def detached(self, text: bytes) -> bytes:
        """The Release.gpg of ``text``."""
        return sign(self.secret.signer(), text, mode=SignatureMode.DETACHED)


@cache
def signer(name: str = "Test Archive <archive@example.org>") -> Signer:
    """A key that all tests of a run share; another name gives another key."""
    return Signer(name)


def with_signatures(blocks: Sequence[bytes]) -> bytes:
    """The first InRelease, with the signatures of all of them."""
    mark = b"-----BEGIN PGP SIGNATURE-----"
    packets = b"".join(bytes(packet) for block in blocks for packet in PacketPile.from_bytes(block))
    head = blocks[0][: blocks[0].index(mark)]
    return head + armor(packets, ArmorKind.Signature).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A binary package. ``fields`` are further ones of its control file (``Depends``…).

    ``paths`` are the files that it has (``usr/lib/x86_64-linux-gnu/libGL.so.1``), all empty.
    """

    name: str
    version: str
    architecture: str = "amd64"
    fields: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[str, ...] = ()

    @property
    def filename(self) -> str:
        """Its path in the pool."""
        version = self.version.replace(":", "%3a")
        return f"pool/main/{self.name[0]}/{self.name}/{self.name}_{version}_{self.architecture}.deb"

    def control(self, more: Mapping[str, str] | None = None) -> str:
        """Its control file; with ``more``, its paragraph in an index."""
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": "Test <test@example.org>",
            **self.fields,
            **(more or {}),
            "Description": "for tests",
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())

    def build(self) -> bytes:
        """The .deb (deb(5)): the same bytes each time."""
        control = self.control().encode()
        files = {f"./usr/share/doc/{self.name}/copyright": b"none\n"}
        files |= {f"./{path}": b"" for path in self.paths}
        members = (
            ("debian-binary", b"2.0\n"),
            ("control.tar.gz", _tar({"./control": control})),
            ("data.tar.gz", _tar(files)),
        )
        return b"!<arch>\n" + b"".join(_member(name, content) for name, content in members)

    def paragraph(self) -> str:
        """Its paragraph in ``Packages``."""
        content = self.build()
        listed = {
            "Filename": self.filename,
            "Size": str(len(content)),
            "SHA256": hashlib.sha256(content).hexdigest(),
        }
        return self.control(listed)


class AnyDeb(Protocol):
    """What a suite needs of a package."""

    @property
    def architecture(self) -> str:
        """Debian's name, or ``all``."""

    @property
    def filename(self) -> str:
        """Its path in the pool."""

    @property
    def paths(self) -> tuple[str, ...]:
        """Files that it has, for ``Contents``."""

    def build(self) -> bytes:
        """The .deb."""

    def paragraph(self) -> str:
        """Its paragraph in ``Packages``."""


class AnySource(Protocol):
    """What a suite needs of a source package."""

    @property
    def component(self) -> str:
        """``main``…"""

    @property
    def directory(self) -> str:
        """Where its files are in the pool."""

    def files(self) -> Files:
        """Its files by name."""

    def paragraph(self) -> str:
        """Its paragraph in ``Sources``."""


def _tar(files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(buffer.getvalue(), mtime=0)


def _member(name: str, content: bytes) -> bytes:
    head = f"{name:<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(content):<10}`\n"
    return head.encode() + content + b"\n" * (len(content) % 2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A native source package (dsc(5)): its ``.dsc`` and one tarball, the same bytes each time.

    ``fields`` replace or join those of its paragraph in ``Sources``; ``content`` is in the tarball.
    """

    name: str
    version: str
    component: str = "main"
    content: bytes = b"none\n"
    fields: Mapping[str, str] = field(default_factory=dict)

    @property
    def directory(self) -> str:
        """Where its files are in the pool."""
        return f"pool/{self.component}/{self.name[0]}/{self.name}"

    def files(self) -> Files:
        """Its files by name."""
        stem = f"{self.name}_{self.version.rpartition(':')[2]}"
        tarball = {f"{stem}.tar.gz": _tar({f"{self.name}/debian/control": self.content})}
        return {f"{stem}.dsc": self._control(tarball).encode(), **tarball}

    def _control(self, files: Files) -> str:
        fields = {
            "Format": "3.0 (native)",
            "Source": self.name,
            "Binary": self.name,
            "Architecture": "any",
            "Version": self.version,
            "Maintainer": "Test <test@example.org>",
            "Files": _listing(files, "md5"),
            "Checksums-Sha256": _listing(files, "sha256"),
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())

    def paragraph(self) -> str:
        """Its paragraph in ``Sources``."""
        files = self.files()
        fields = {
            "Package": self.name,
            "Binary": self.name,
            "Version": self.version,
            "Maintainer": "Test <test@example.org>",
            "Architecture": "any",
            "Format": "3.0 (native)",
            "Files": _listing(files, "md5"),
            "Package-List": f"\n {self.name} deb misc optional arch=any",
            "Checksums-Sha256": _listing(files, "sha256"),
            "Directory": self.directory,
            **self.fields,
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items())


def _listing(files: Files, kind: str) -> str:
    digest = partial(hashlib.new, kind, usedforsecurity=False)
    return "".join(
        f"\n {digest(content).hexdigest()} {len(content)} {name}" for name, content in files.items()
    )


def sources_of(debs: Iterable[Deb]) -> tuple[Source, ...]:
    """The source packages that the .debs' ``Source`` fields name, each once."""
    found = {}
    for deb in debs:
        name, _, version = deb.fields.get("Source", deb.name).partition(" ")
        source = Source(name=name, version=version.strip("()") or deb.version)
        found[source.name, source.version] = source
    return tuple(found[key] for key in sorted(found))


@dataclass(frozen=True, slots=True, kw_only=True)
class TinySuite:
    """One suite, and how its Release is written.

    ``prefix`` stands before the components in ``Components``, as in Debian's security suites.
    ``packed`` are the suffixes that indexes have; ``plain`` lists the unpacked ones, too. Without
    ``sources`` (None), there is no index of them. ``contents`` is where ``Contents`` are: by
    ``component`` as Debian's, for the whole ``suite`` as Ubuntu's, or nowhere. ``debs`` are those
    of main, ``others`` those of further components.
    """

    name: str
    debs: tuple[AnyDeb, ...] = ()
    sources: tuple[AnySource, ...] | None = None
    date: datetime
    valid_until: datetime | None = None
    suite: str = "stable"
    codename: str | None = None
    origin: str = "Debian"
    components: tuple[str, ...] = ("main",)
    others: Mapping[str, tuple[AnyDeb, ...]] = field(default_factory=dict)
    architectures: tuple[str, ...] = ("amd64",)
    prefix: str = ""
    by_hash: bool = True
    packed: tuple[str, ...] = (".xz", ".gz")
    plain: bool = True
    contents: Literal["component", "suite"] | None = "component"
    inline: bool = True
    more: str = ""

    def release(self, indexes: Files) -> bytes:
        """The text that is signed."""
        lines = [
            f"Origin: {self.origin}",
            f"Suite: {self.suite}",
            f"Codename: {self.codename or self.name}",
            f"Date: {_time(self.date)}",
        ]
        if self.valid_until is not None:
            lines.append(f"Valid-Until: {_time(self.valid_until)}")
        if self.by_hash:
            lines.append("Acquire-By-Hash: yes")
        lines += [
            "No-Support-for-Architecture-all: Packages",
            f"Architectures: all {' '.join(self.architectures)}",
            f"Components: {' '.join(self.prefix + name for name in self.components)}",
            *self.more.splitlines(),
            "SHA256:",
        ]
        lines += [
            f" {hashlib.sha256(content).hexdigest()} {len(content)} {path}"
            for path, content in sorted(indexes.items())
        ]
        return "\n".join(lines).encode() + b"\n"

    def _contents(self) -> Iterator[tuple[str, bytes]]:
        for architecture in self.architectures:
            debs = [deb for deb in self.debs if deb.architecture == architecture]
            if self.contents == "suite":
                yield f"Contents-{architecture}", contents_text(debs, "universe/libs")
            elif self.contents == "component":
                for component in self.components:
                    own = debs if component == "main" else []
                    yield f"{component}/Contents-{architecture}", contents_text(own)

    def files(self, key: Signer) -> Files:
        """Everything of the suite below the archive's root."""
        listed: Files = {}
        served: Files = {}
        for path, text in self.indexes().items():
            if self.plain:
                listed[path] = text
            for suffix in self.packed:
                listed[path + suffix] = served[path + suffix] = _PACKERS[suffix](text)
        for path, text in self._contents():
            listed[path] = text  # listed and not there, as in real archives
            listed[f"{path}.gz"] = served[f"{path}.gz"] = _PACKERS[".gz"](text)
        release = self.release(listed)
        folder = f"dists/{self.name}"
        files = {f"{folder}/{path}": content for path, content in served.items()}
        for path, content in served.items():
            if self.by_hash:
                near = "/".join((folder, *path.split("/")[:-1]))
                digest = hashlib.sha256(content).hexdigest()
                files[f"{near}/by-hash/SHA256/{digest}"] = content
        if self.inline:
            files[f"{folder}/InRelease"] = key.clear(release)
        files[f"{folder}/Release"] = release
        files[f"{folder}/Release.gpg"] = key.detached(release)
        further = [deb for debs in self.others.values() for deb in debs]
        files |= {deb.filename: deb.build() for deb in (*self.debs, *further)}
        for source in self.sources or ():
            files |= {f"{source.directory}/{n}": content for n, content in source.files().items()}
        return files

    def indexes(self) -> Files:
        """The texts of the indexes."""
        found: Files = {}
        for component in self.components:
            debs = self.debs if component == "main" else self.others.get(component, ())
            for architecture in self.architectures:
                found[f"{component}/binary-{architecture}/Packages"] = packages_text(
                    deb for deb in debs if deb.architecture in ("all", architecture)
                )
            if self.sources is not None:
                found[f"{component}/source/Sources"] = "\n".join(
                    source.paragraph() for source in self.sources if source.component == component
                ).encode()
        return found


def contents_text(debs: Iterable[AnyDeb], section: str = "libs") -> bytes:
    """A ``Contents`` file: path, spaces, and who has it; sorted."""
    holders: dict[str, list[str]] = {}
    for deb in debs:
        for path in deb.paths:
            holders.setdefault(path, []).append(f"{section}/{deb.name}")
    return "".join(
        f"{path:<55} {','.join(sorted(names))}\n" for path, names in sorted(holders.items())
    ).encode()


def packages_text(debs: Iterable[AnyDeb]) -> bytes:
    """A ``Packages`` file."""
    return "\n".join(deb.paragraph() for deb in debs).encode()


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, mtime=0)


# Nobody here can unpack zstd: what the bytes are does not matter.
_PACKERS = {".xz": lzma.compress, ".gz": _gzip, ".zst": lambda text: b"zstd" + text}


def _time(moment: datetime) -> str:
    # Not strftime: names of days and months must not follow the locale.
    days = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
    months = "JanFebMarAprMayJunJulAugSepOctNovDec"
    moment = moment.astimezone(UTC)
    month = months[moment.month * 3 - 3 : moment.month * 3]
    return f"{days[moment.weekday()]}, {moment:%d} {month} {moment:%Y %H:%M:%S} UTC"


OLD = datetime(2024, 1, 1, 12, tzinfo=UTC)
NEW = datetime(2024, 6, 1, 12, tzinfo=UTC)


def base_debs(version: str) -> tuple[Deb, ...]:
    """A handful of packages with an essential one, alternatives, and a virtual package."""
    return (
        Deb(name="libc6", version="2.36-9", fields={"Essential": "yes"}),
        Deb(
            name="app",
            version=version,
            fields={"Pre-Depends": "libc6", "Depends": f"lib (>= {version}), mta | mailer"},
        ),
        Deb(name="lib", version=version, fields={"Source": "library"}),
        Deb(name="smtp", version="2", fields={"Provides": "mailer (= 2)"}),
        Deb(name="data", version=version, architecture="all"),
    )


def bookworm_suites(version: str, date: datetime) -> Files:
    """Bookworm with its updates (an archive's files), signed by the shared key."""
    key = signer()
    debs = base_debs(version)
    main = TinySuite(name="bookworm", debs=debs, sources=sources_of(debs), date=date)
    updates = TinySuite(name="bookworm-updates", date=date, sources=(), suite="stable-updates")
    return main.files(key) | updates.files(key)


def security_suite(version: str | None, date: datetime) -> Files:
    """Bookworm's security archive; ``version`` is that of ``lib`` in it."""
    debs = () if version is None else (Deb(name="lib", version=version),)
    return TinySuite(
        name="bookworm-security",
        debs=debs,
        sources=sources_of(debs),
        date=date,
        suite="stable-security",
        prefix="updates/",
    ).files(signer())


@cache
def two_instants() -> Mapping[str, Mapping[str, Files]]:
    """Archive → timestamp → files: bookworm at ``OLD``, and at ``NEW`` with newer versions."""
    return {
        "debian": {
            "20240101T120000Z": bookworm_suites("1.0-1", OLD),
            "20240601T120000Z": bookworm_suites("1.1-1", NEW),
        },
        "debian-security": {
            "20240101T120000Z": security_suite(None, OLD),
            "20240601T120000Z": security_suite("1.1-1+deb12u1", NEW),
        },
    }
