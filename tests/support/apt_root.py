"""A private apt: its own lists, cache and dpkg status, the machine's sources; and what it answers.

Nothing here comes from envlock's solver, so that a test can hold its answer against apt's.
"""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_FOLDERS = (
    "etc/apt.conf.d",
    "etc/preferences.d",
    "etc/sources.list.d",
    "etc/trusted.gpg.d",
    "lists/partial",
    "cache/archives/partial",
    "dpkg",
)
_CONFIGURATION = """\
Dir::State "{root}";
Dir::State::lists "{root}/lists";
Dir::State::status "{root}/dpkg/status";
Dir::State::extended_states "{root}/extended_states";
Dir::Cache "{root}/cache";
Dir::Etc "{root}/etc";
Dir::Log "{root}/log";
APT::Architecture "amd64";
APT::Architectures {{ "amd64"; }};
APT::Sandbox::User "{user}";
Acquire::Languages "none";
Acquire::GzipIndexes "false";
"""
_CHANGES = re.compile(
    r"^The following (?:packages will be )?(NEW|REMOVED|upgraded|DOWNGRADED)\b.*:\n((?: .*\n)+)",
    re.M,
)
_CHANGED = re.compile(r"^ +(\S+?)\*? \((?:\S+ => )?(\S+)\)$", re.M)
_COUNTED = re.compile(r"\b(\d+) (?:upgraded,|newly|downgraded,|to remove)")
_KEPT_IN_STATUS = (
    "Essential|Important|Protected|Priority|Section|Installed-Size|Maintainer|Architecture"
    "|Multi-Arch|Source|Version|Provides|Replaces|Depends|Pre-Depends|Recommends|Conflicts|Breaks"
)
_STATUS_FIELD = re.compile(rf"^(?:{_KEPT_IN_STATUS}): .*\n?", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One ``Packages`` file that apt fetched."""

    suite: str
    component: str
    sha256: str
    path: Path


class AptRoot:
    """A folder in which apt works on its own; `update` before anything else."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for folder in _FOLDERS:
            (root / folder).mkdir(parents=True)
        (root / "dpkg/status").touch()
        user = "root" if os.geteuid() == 0 else ""
        (root / "apt.conf").write_text(_CONFIGURATION.format(root=root, user=user))

    def use_machine_sources(self, codename: str, *, sources: bool = False) -> None:
        """The machine's own sources for Debian, with another suite's name put in.

        With ``sources``, those of source packages, too.
        """
        own = re.search(r"^VERSION_CODENAME=(\w+)", Path("/etc/os-release").read_text(), re.M)
        assert own, "the machine says which Debian it is"
        given = Path("/etc/apt")
        copied = 0
        for path in (given / "sources.list", *sorted((given / "sources.list.d").glob("*"))):
            if path.suffix not in (".list", ".sources") or not path.exists():
                continue
            text = path.read_text()
            if re.search(rf"\b{own[1]}\b", text):
                copied += 1
                text = re.sub(rf"\b{own[1]}\b", codename, text)
                if sources:
                    text = re.sub(r"^Types: deb$", "Types: deb deb-src", text, flags=re.M)
                    text = re.sub(r"^(deb )(.*)$", r"\1\2\ndeb-src \2", text, flags=re.M)
                (self.root / "etc/sources.list.d" / path.name).write_text(text)
        assert copied, "apt has a source for the machine's own release"

    def use_text(self, *files: str) -> None:
        """Sources on this disk: one flat archive for each ``Packages`` text."""
        lines = []
        for number, text in enumerate(files):
            folder = self.root / f"archive{number}"
            folder.mkdir(exist_ok=True)
            (folder / "Packages").write_text(text)
            lines.append(f"deb [trusted=yes] file:{folder} ./\n")
        (self.root / "etc/sources.list").write_text("".join(lines))

    def use_signed(self, key: bytes, *sources: str) -> None:
        """Archives whose Releases ``key`` (armored) signs; each as ``URL SUITE COMPONENT…``."""
        (self.root / "key.asc").write_bytes(key)
        lines = (f"deb [signed-by={self.root}/key.asc] {source}\n" for source in sources)
        (self.root / "etc/sources.list").write_text("".join(lines))

    def run(self, *argv: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
        """An apt tool in this root; a failure is the caller's to judge."""
        environment = {**os.environ, "APT_CONFIG": str(self.root / "apt.conf"), "LC_ALL": "C.UTF-8"}
        return subprocess.run(
            argv,
            env=environment,
            cwd=cwd,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def update(self) -> None:
        """Fetch the indexes."""
        done = self.run("apt-get", "update", "-q", "--error-on=any")
        assert done.returncode == 0, "apt-get update failed"

    def listings(self) -> list[Listing]:
        """The fetched ``Packages`` files in the order of the sources."""
        form = "$(CODENAME)|$(COMPONENT)|$(FILENAME)"
        done = self.run("apt-get", "indextargets", "--format", form, "Created-By: Packages")
        found = []
        for line in done.stdout.splitlines():
            suite, component, name = line.split("|")
            digest = hashlib.sha256(Path(name).read_bytes()).hexdigest()
            found.append(Listing(suite=suite, component=component, sha256=digest, path=Path(name)))
        assert found, done.stderr
        return found

    def simulate(
        self, names: Sequence[str], *, recommends: bool = False
    ) -> frozenset[tuple[str, str]] | None:
        """Name and version of what apt would install (``-name``: remove); None: it refuses."""
        # Not ``-s``: it takes a time that grows with the square of what is installed, to tell the
        # order, which nobody asks here. apt decides the same before it says what it would fetch.
        wish = "--install-recommends" if recommends else "--no-install-recommends"
        done = self.run(
            *("apt-get", "-q", "-V", "--print-uris", "-o", "Debug::NoLocking=true"),
            *(wish, "install", *names),
        )
        if done.returncode:
            assert done.returncode == 100, done.stderr
            return None
        found = {
            (f"-{name}", "") if kind == "REMOVED" else (name, version)
            for kind, lines in _CHANGES.findall(done.stdout)
            for name, version in _CHANGED.findall(lines)
        }
        assert len(found) == sum(map(int, _COUNTED.findall(done.stdout))), done.stdout
        return frozenset(found)

    def simulate_all(
        self, requests: Iterable[Sequence[str]], *, recommends: bool = False
    ) -> list[frozenset[tuple[str, str]] | None]:
        """`simulate` for many requests, two at a time."""
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(lambda r: self.simulate(r, recommends=recommends), requests))

    def install_essential(self) -> frozenset[tuple[str, str]]:
        """Let dpkg's status say that the essential packages and what they need are there."""
        paragraphs: dict[tuple[str, str], str] = {}
        essential = set()
        for listing in self.listings():
            for text in listing.path.read_text().split("\n\n"):
                name = re.search(r"^Package: (.*)$", text, re.M)
                version = re.search(r"^Version: (.*)$", text, re.M)
                if name and version:
                    paragraphs.setdefault((name[1], version[1]), text)
                    if "\nEssential: yes" in text:
                        essential.add(name[1])
        there = self.simulate(sorted(essential))
        assert there, "apt can install the essential packages"
        status = []
        for name, version in sorted(there):
            fields = "".join(
                field.rstrip("\n") + "\n"
                for field in _STATUS_FIELD.findall(paragraphs[name, version])
            )
            status.append(
                f"Package: {name}\nStatus: install ok installed\n{fields}Description: -\n"
            )
        (self.root / "dpkg/status").write_text("\n".join(status))
        # Otherwise every simulation reads all indexes again.
        assert self.run("apt-cache", "gencaches").returncode == 0
        return there
