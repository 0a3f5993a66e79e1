"""Where apt and envlock resolve the same OS packages: the machine's own archive, from local files.

apt fetches the machine's indexes once. Then everybody works without a network: apt in a private
root whose sources are ``file:`` archives (unsigned ones, so that apt spends no time on signatures);
envlock's resolver from the same texts; the whole command from a loopback archive of one instant,
whose Releases are the real ones with another date and signature. apt begins with the essential
packages installed.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from pysequoia import Profile, SignatureMode, Tsk, sign

INSTANT = "20260101T000000Z"
AS_OF = "2026-01-01"

_FOLDERS = ("etc/apt.conf.d", "etc/preferences.d", "lists/partial", "cache/archives/partial")
_CONFIGURATION = """\
Dir::State "{root}";
Dir::State::lists "{root}/lists";
Dir::State::status "{root}/status";
Dir::Cache "{root}/cache";
Dir::Etc "{root}/etc";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
"""
_STATUS_FIELDS = re.compile(
    # apt takes a version for another one when these differ.
    r"^(?:Essential|Important|Protected|Priority|Section|Installed-Size|Maintainer|Architecture"
    r"|Multi-Arch|Source|Version|Provides|Replaces|Depends|Pre-Depends|Recommends|Conflicts"
    r"|Breaks): .*$",
    re.M,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One index that apt fetched, and the Release that names it."""

    suite: str
    archive: str
    packages: Path
    release: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """Where all work: apt's configuration; the manifest that names the texts to our resolver; the
    folder of the loopback archive, with its key in ``archive.pgp``."""

    apt: Path
    manifest: Path
    served: Path

    def forget(self) -> None:
        """Let apt begin without any index of its own."""
        for folder in ("lists", "cache"):
            shutil.rmtree(self.apt.parent / folder)
        for folder in _FOLDERS[2:]:
            (self.apt.parent / folder).mkdir(parents=True)


def prepare(scratch: Path) -> Ground:
    """Fetch the machine's own indexes and lay them out. Takes a minute."""
    listings = _fetched(scratch / "fetched")
    local = _apt_root(scratch / "local")
    manifest, sources = [], []
    for number, listing in enumerate(listings):
        folder = scratch / "local" / f"archive{number}"
        folder.mkdir()
        text = listing.packages.read_bytes()
        (folder / "Packages").write_bytes(text)
        digest = hashlib.sha256(text).hexdigest()
        manifest.append((listing.suite, digest, str(folder / "Packages")))
        sources.append(f"deb [trusted=yes] file:{folder} ./\n")
    (local.parent / "etc/sources.list").write_text("".join(sources))
    (scratch / "manifest.json").write_text(json.dumps(manifest))
    run_apt(local, "apt-get", "update", "-q")
    _install_essential(local, [listing.packages for listing in listings])
    run_apt(local, "apt-cache", "gencaches")
    _serve_from(scratch / "served", listings)
    return Ground(apt=local, manifest=scratch / "manifest.json", served=scratch / "served")


@contextmanager
def serving(ground: Ground) -> Iterator[str]:
    """The loopback archive, while the context lasts; gives the address of its states."""
    handler = partial(_Quiet, directory=str(ground.served))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/{{archive}}/{{timestamp}}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


def run_apt(configuration: Path, *argv: str) -> str:
    """What an apt tool says in its private root."""
    done = subprocess.run(
        ["env", f"APT_CONFIG={configuration}", "LC_ALL=C.UTF-8", *argv],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{argv[0]} failed:\n{done.stderr}")
    return done.stdout


def simulation(packages: tuple[str, ...]) -> tuple[str, ...]:
    """apt's command that resolves and installs nothing."""
    return ("apt-get", "-s", "-q", "--no-install-recommends", "install", *packages)


def _fetched(root: Path) -> list[Listing]:
    configuration = _apt_root(root)
    for path in (Path("/etc/apt/sources.list"), *Path("/etc/apt/sources.list.d").glob("*")):
        if path.suffix in (".list", ".sources") and path.exists():
            shutil.copy(path, root / "etc/sources.list.d" / path.name)
    run_apt(configuration, "apt-get", "update", "-q")
    form = "$(CODENAME)|$(COMPONENT)|$(FILENAME)"
    listed = run_apt(
        configuration, "apt-get", "indextargets", "--format", form, "Created-By: Packages"
    )
    found = []
    for line in listed.splitlines():
        suite, component, name = line.split("|")
        releases = list((root / "lists").glob(f"*_dists_{suite}_InRelease"))
        if component == "main" and releases:
            archive = "debian-security" if suite.endswith("-security") else "debian"
            found.append(
                Listing(suite=suite, archive=archive, packages=Path(name), release=releases[0])
            )
    return found


def _apt_root(root: Path) -> Path:
    for folder in (*_FOLDERS, "etc/sources.list.d", "etc/trusted.gpg.d"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "apt.conf").write_text(_CONFIGURATION.format(root=root))
    return root / "apt.conf"


def _install_essential(configuration: Path, texts: list[Path]) -> None:
    paragraphs: dict[tuple[str, str], str] = {}
    essential = set()
    for path in texts:
        for text in path.read_text().split("\n\n"):
            name = re.search(r"^Package: (.*)$", text, re.M)
            version = re.search(r"^Version: (.*)$", text, re.M)
            if name and version:
                paragraphs.setdefault((name[1], version[1]), text)
                if "\nEssential: yes" in text:
                    essential.add(name[1])
    there = run_apt(configuration, *simulation(tuple(sorted(essential))))
    status = []
    for name_, version_ in re.findall(r"^Inst (\S+) \((\S+) ", there, re.M):
        fields = "\n".join(_STATUS_FIELDS.findall(paragraphs[name_, version_]))
        status.append(f"Package: {name_}\nStatus: install ok installed\n{fields}\nDescription: -\n")
    (configuration.parent / "status").write_text("\n".join(status))


def _serve_from(folder: Path, listings: list[Listing]) -> None:
    key = Tsk.generate("Bench <bench@example.org>", profile=Profile.RFC4880)
    folder.mkdir()
    (folder / "archive.pgp").write_text(str(key.extract_certificate()))
    for listing in listings:
        signed = listing.release.read_bytes()
        text = signed.partition(b"\n\n")[2].partition(b"-----BEGIN PGP SIGNATURE-----")[0]
        text = re.sub(rb"(?m)^Date: .*$", b"Date: Thu, 01 Jan 2026 00:00:00 UTC", text)
        text = re.sub(rb"(?m)^Valid-Until: .*\n", b"", text)
        suite = folder / listing.archive / INSTANT / "dists" / listing.suite
        index = suite / "main/binary-amd64/Packages"
        index.parent.mkdir(parents=True)
        shutil.copy(listing.packages, index)
        clear = sign(key.signer(), text.removesuffix(b"\n"), mode=SignatureMode.CLEAR)
        (suite / "InRelease").write_bytes(clear)
