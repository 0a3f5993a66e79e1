"""Source packages of Debian that are built: real ones of the machine's mirror, and made-up ones.

What comes out is a snapshot archive with these, the .debs that their builds need, and what was
published of them.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from support.apt_root import AptRoot
from support.real_debs import NEW, NEW_STATE, RealDeb, deb_of, download, paragraphs
from support.tiny_archive import Deb, Files, Signer, TinySuite
from support.tools import run

REAL = ("mobian-archive-keyring", "mp3rename")
"""One for every machine, which comes out identical; a binNMU of a small program."""

BUILD_DEPENDS = "debhelper-compat (= 13)"
_NO_USRMERGE = "Package: usrmerge\nPin: version *\nPin-Priority: -1\n"
_CONTROL = """\
Source: {name}
Section: misc
Priority: optional
Maintainer: Test <test@example.org>
Build-Depends: {depends}
Standards-Version: 4.6.2
Rules-Requires-Root: no

Package: {name}
Architecture: all
Description: for tests
 Nothing else.
"""
_CHANGELOG = """\
{name} (1) unstable; urgency=low

  * For tests.

 -- Test <test@example.org>  Mon, 01 Jan 2024 12:00:00 +0000
"""
_RULES = "#!/usr/bin/make -f\n%:\n\tdh $@\noverride_dh_auto_build:\n{commands}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PackedSource:
    """A source package as dpkg-source packs it: its ``.dsc`` and the files that it lists."""

    name: str
    version: str
    content: Mapping[str, bytes] = field(repr=False)
    component: str = "main"

    @property
    def directory(self) -> str:
        """Where its files are in the pool."""
        return f"pool/{self.component}/{self.name[0]}/{self.name}"

    def files(self) -> Files:
        """Its files by name."""
        return dict(self.content)

    def paragraph(self) -> str:
        """Its paragraph in ``Sources``: the fields that archives take from the ``.dsc``."""
        lines = [f"Package: {self.name}", f"Version: {self.version}", "Format: 3.0"]
        lines += [f"Directory: {self.directory}", "Checksums-Sha256:"]
        lines += [
            f" {hashlib.sha256(body).hexdigest()} {len(body)} {name}"
            for name, body in sorted(self.content.items())
        ]
        return "\n".join(lines) + "\n"


def made_source(folder: Path, name: str, *commands: str) -> PackedSource:
    """A native source package whose build runs shell commands; dpkg-source packs it."""
    tree = folder / name / f"{name}-1"
    (tree / "debian/source").mkdir(parents=True)
    lines = "".join(f"\t{command}\n" for command in commands)
    for path, text in {
        "control": _CONTROL.format(name=name, depends=BUILD_DEPENDS),
        "changelog": _CHANGELOG.format(name=name),
        "rules": _RULES.format(commands=lines),
        "source/format": "3.0 (native)\n",
        "copyright": "none\n",
    }.items():
        (tree / "debian" / path).write_text(text)
    (tree / "debian/rules").chmod(0o755)
    run(["dpkg-source", "-b", str(tree)], cwd=tree.parent)
    return _packed(name, "1", tree.parent)


def _packed(name: str, version: str, folder: Path) -> PackedSource:
    files = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    return PackedSource(name=name, version=version, content=files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sources:
    """``debs`` are those of the archive, ``sources`` the real ones; ``needs`` what apt installs to
    build them (names and versions), on top of the essential packages."""

    debs: tuple[RealDeb, ...]
    sources: tuple[PackedSource, ...]
    needs: frozenset[tuple[str, str]]

    def states(self, key: Signer, made: Iterable[PackedSource]) -> dict[str, Mapping[str, Files]]:
        """Archive → timestamp → files, with further source packages and a .deb of each."""
        made = tuple(made)
        debs = tuple(Deb(name=one.name, version="1", architecture="all") for one in made)
        main = TinySuite(
            name="bookworm",
            debs=(*self.debs, *debs),
            sources=(*self.sources, *made),
            date=NEW,
        )
        updates = TinySuite(name="bookworm-updates", date=NEW, sources=(), suite="stable-updates")
        security = TinySuite(
            name="bookworm-security",
            date=NEW,
            sources=(),
            suite="stable-security",
            prefix="updates/",
        )
        return {
            "debian": {NEW_STATE: main.files(key) | updates.files(key)},
            "debian-security": {NEW_STATE: security.files(key)},
        }


def real_sources(folder: Path) -> Sources:
    """Choose and fetch all of it: some 110 MB, in seconds from a near mirror."""
    apt = AptRoot(folder / "apt")
    apt.use_machine_sources("bookworm", sources=True)
    apt.update()
    texts = paragraphs(apt)
    essential = {name for (name, _), text in texts.items() if "\nEssential: yes\n" in text}
    (apt.root / "etc" / "preferences").write_text(_NO_USRMERGE)
    needs = ["build-essential", "fakeroot", "debhelper"]
    building = apt.simulate(sorted({*essential, *needs}))
    whole = apt.simulate(sorted({*essential, *needs, *REAL}))
    assert building is not None
    assert whole is not None
    contents = download(apt, folder / "debs", whole)
    debs = tuple(deb_of(texts[pair], contents) for pair in sorted(whole))
    return Sources(
        debs=debs,
        sources=tuple(_source(apt, folder, deb) for deb in debs if deb.name in REAL),
        needs=building,
    )


def _source(apt: AptRoot, folder: Path, deb: RealDeb) -> PackedSource:
    name, version = deb.source.name, deb.source.version
    place = folder / "sources" / name
    place.mkdir(parents=True)
    done = apt.run("apt-get", "-q", "source", "--download-only", f"{name}={version}", cwd=place)
    assert done.returncode == 0, done.stderr
    found = _packed(name, version, place)
    [dsc] = [body for file, body in found.content.items() if file.endswith(".dsc")]
    assert re.search(rf"^Build-Depends: {re.escape(BUILD_DEPENDS)}$", dsc.decode(), re.M)
    return found
