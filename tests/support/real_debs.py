"""A few real packages of the machine's mirror, of bookworm and of its security archive.

Real apt chooses and fetches them, in a private root with the machine's own sources. What comes out
is a snapshot archive's states: the packages' own paragraphs and .debs, in Releases that a test key
signs.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from envlock.io.store import stored
from envlock.lock.os import OsPackage
from support.apt_root import AptRoot
from support.tiny_archive import Files, Signer, Source, TinySuite

OLD = datetime(2024, 1, 1, 12, tzinfo=UTC)
NEW = datetime(2024, 6, 1, 12, tzinfo=UTC)
OLD_STATE, NEW_STATE = "20240101T120000Z", "20240601T120000Z"
REQUESTS = ("openssl", "expat", "xz-utils", "unzip", "libpng-tools")
"""Small ones whose closures differ between the two archives."""

# Without usrmerge its alternative is taken, which spares us all of perl.
_NO_USRMERGE = "Package: usrmerge\nPin: version *\nPin-Priority: -1\n"
_ONLY_BOOKWORM = "".join(
    f"\nPackage: *\nPin: release n=bookworm-{part}\nPin-Priority: -1\n"
    for part in ("updates", "security")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealDeb:
    """A .deb as it is on the mirror, and its paragraph in the mirror's index."""

    name: str
    version: str
    architecture: str
    filename: str
    text: str
    content: bytes
    paths: tuple[str, ...] = ()

    def build(self) -> bytes:
        """The .deb."""
        return self.content

    def paragraph(self) -> str:
        """As the mirror's index has it."""
        return self.text

    @property
    def source(self) -> Source:
        """One of the right name, with other content."""
        found = re.search(r"^Source: (\S+)(?: \((\S+)\))?$", self.text, re.M)
        name, version = found.groups() if found else (self.name, None)
        return Source(name=name, version=version or self.version)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealDebs:
    """``old`` are bookworm's, ``new`` those that its security archive has in place of them."""

    old: tuple[RealDeb, ...]
    new: tuple[RealDeb, ...]

    def states(self, key: Signer) -> Mapping[str, Mapping[str, Files]]:
        """Archive → timestamp → files: bookworm alone, and bookworm with security."""
        main = TinySuite(name="bookworm", debs=self.old, sources=_sources(self.old), date=OLD)
        updates = TinySuite(name="bookworm-updates", date=OLD, sources=(), suite="stable-updates")
        files = main.files(key) | updates.files(key)
        return {
            "debian": {OLD_STATE: files, NEW_STATE: files},
            "debian-security": {
                OLD_STATE: _security((), OLD).files(key),
                NEW_STATE: _security(self.new, NEW).files(key),
            },
        }


def _sources(debs: Iterable[RealDeb]) -> tuple[Source, ...]:
    found = {(deb.source.name, deb.source.version): deb.source for deb in debs}
    return tuple(found[key] for key in sorted(found))


def _security(debs: tuple[RealDeb, ...], date: datetime) -> TinySuite:
    return TinySuite(
        name="bookworm-security",
        debs=debs,
        sources=_sources(debs),
        date=date,
        suite="stable-security",
        prefix="updates/",
    )


def real_debs(folder: Path, requests: Iterable[str] = REQUESTS) -> RealDebs:
    """Choose and fetch them: some 35 MB, in seconds from a near mirror."""
    apt = AptRoot(folder / "apt")
    apt.use_machine_sources("bookworm")
    apt.update()
    apt.run("apt-cache", "gencaches")  # otherwise each simulation reads all indexes again
    texts = paragraphs(apt)
    essential = {name for (name, _), text in texts.items() if "\nEssential: yes\n" in text}
    names = sorted(essential | set(requests))
    preferences = apt.root / "etc" / "preferences"
    preferences.write_text(_NO_USRMERGE + _ONLY_BOOKWORM)
    old = apt.simulate(names)
    preferences.write_text(_NO_USRMERGE)
    new = apt.simulate(names)
    assert old is not None
    assert new is not None
    contents = download(apt, folder / "debs", old | new)

    def debs(pairs: Iterable[tuple[str, str]]) -> tuple[RealDeb, ...]:
        return tuple(deb_of(texts[pair], contents) for pair in sorted(pairs))

    return RealDebs(old=debs(old), new=debs(new - old))


def suite_packages(
    folder: Path, codename: str, requests: Iterable[str]
) -> tuple[tuple[OsPackage, ...], tuple[OsPackage, ...]]:
    """The essential packages of a suite, and what requests add, both in envlock's store."""
    apt = AptRoot(folder)
    apt.use_machine_sources(codename)
    apt.update()
    texts = paragraphs(apt)
    essential = sorted(name for (name, _), text in texts.items() if "\nEssential: yes\n" in text)
    base, whole = apt.simulate(essential), apt.simulate([*essential, *requests])
    assert base is not None
    assert whole is not None
    contents = download(apt, folder / "debs", whole)

    def packages(pairs: Iterable[tuple[str, str]]) -> tuple[OsPackage, ...]:
        return tuple(_stored(deb_of(texts[p], contents), codename, base=p in base) for p in pairs)

    return packages(sorted(base)), packages(sorted(whole - base))


def _stored(deb: RealDeb, suite: str, *, base: bool) -> OsPackage:
    sha256 = hashlib.sha256(deb.content).hexdigest()
    path = stored(sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(deb.content)
    return OsPackage(
        name=deb.name,
        version=deb.version,
        architecture="amd64",
        suite=suite,
        file_name=deb.filename,
        size=len(deb.content),
        sha256=sha256,
        source=deb.name,
        source_version=deb.version,
        base=base,
        requested=True,
    )


def paragraphs(apt: AptRoot) -> dict[tuple[str, str], str]:
    """(name, version) → the paragraph."""
    found: dict[tuple[str, str], str] = {}
    for listing in apt.listings():
        for text in listing.path.read_text().split("\n\n"):
            if text.strip():
                pair = (_field(text, "Package"), _field(text, "Version"))
                found.setdefault(pair, text.strip("\n") + "\n")
    return found


def _field(text: str, name: str) -> str:
    match = re.search(rf"^{name}: (.*)$", text, re.M)
    assert match, text
    return match[1]


def download(apt: AptRoot, folder: Path, pairs: Iterable[tuple[str, str]]) -> dict[str, bytes]:
    """sha256 → content, fetched by apt."""
    folder.mkdir()
    wanted = [f"{name}={version}" for name, version in sorted(pairs)]
    done = apt.run("apt-get", "-q", "download", *wanted, cwd=folder)
    assert done.returncode == 0, "apt-get download failed"
    contents = [path.read_bytes() for path in folder.glob("*.deb")]
    return {hashlib.sha256(content).hexdigest(): content for content in contents}


def deb_of(text: str, contents: Mapping[str, bytes]) -> RealDeb:
    return RealDeb(
        name=_field(text, "Package"),
        version=_field(text, "Version"),
        architecture=_field(text, "Architecture"),
        filename=_field(text, "Filename"),
        text=text,
        content=contents[_field(text, "SHA256")],
    )
