"""Packages of a distribution → one layer, by mmdebstrap: maintainer scripts run, on Linux.

mmdebstrap sees an archive on this disk that has exactly the locked packages; its index carries the
lock's digests, which apt verifies again. What it makes is packed anew: without what belongs to the
machine or the moment (logs, caches, host name, addresses of the archive), and with 1980-01-01 as
the time of everything that was made in the course.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from envlock.errors import SourceError, UsageError, VerificationError
from envlock.io import process
from envlock.io.confined import seconds_allowed
from envlock.io.progress import Reporter
from envlock.io.store import stored
from envlock.io.tools import system_path
from envlock.lock.artifacts import UsedFiles
from envlock.lock.os import OsPackage
from envlock.realise.image.deb import read_control
from envlock.realise.image.kept import Key, keep_layer, keep_state, kept_layer, kept_state
from envlock.realise.image.layer import EARLIEST, Layer, LayerWriter
from envlock.realise.image.parts import Parts
from envlock.realise.image.tree import Node, Tree, outside, unknown_kind

_NOISE = re.compile(
    r"dev/.+|proc/.+|sys/.+|tmp/.+|run/.+"
    r"|etc/(hostname|resolv\.conf|machine-id|apt/sources\.list|apt/sources\.list\.d/.+)"
    r"|etc/(apt/apt\.conf\.d|dpkg/dpkg\.cfg\.d)/99mmdebstrap"
    r"|etc/(passwd|group|shadow|gshadow|subuid|subgid)-"
    r"|var/cache/(apt/.+|ldconfig/.+|debconf/.+-old|man/.+)"
    r"|var/lib/apt/(lists/.+|extended_states)"
    r"|var/lib/dpkg/((status|diversions|statoverride|available)-old|lock|lock-frontend)"
    r"|var/lib/dpkg/triggers/(Lock|Unincorp)"
    r"|var/lib/systemd/catalog/database"
    r"|var/log/(apt/.+|(dpkg|alternatives|bootstrap|fontconfig)\.log)"
)
"""What is left out: of the machine or of the moment. Folders stay, but below the first five."""

_KEPT_FOLDERS = re.compile(r"run/lock|var/.+|etc/.+")
_MERGED_USR = 'for d in {names}; do mkdir -p "$1/usr/$d" && ln -s "usr/$d" "$1/$d" || exit 1; done'
_MERGED = {"amd64": "bin sbin lib lib64"}
"""A merged /usr from the start, as on every Debian 12 and Ubuntu: packages may check it."""
_XATTR = "SCHILY.xattr."
_LINES = 15
TIME_LIMIT = "ENVLOCK_BUILD_TIMEOUT"
"""The variable that says how many seconds an installation may take."""
_SECONDS = 3600.0


class Bootstrapped:
    """The system's one layer, with scripts run; see ``system.System``."""

    def __init__(self, parts: Parts, compression: str, as_of: datetime, reporter: Reporter) -> None:
        self._packages = (*parts.base_packages, *parts.packages)
        self._architecture = parts.target.platform.partition("/")[2]
        self._title = f"{parts.base}, {len(self._packages)} packages and their scripts"
        self._compression = compression
        self._epoch = int(as_of.timestamp())
        self._reporter = reporter
        self.cached: set[str] = set()

    @property
    def identity(self) -> Mapping[str, object]:
        """The packages, and the time that scripts see."""
        return {
            "architecture": self._architecture,
            "epoch": self._epoch,
            "packages": [[p.name, p.sha256] for p in sorted(self._packages)],
        }

    @property
    def _key(self) -> Key:
        return Key(kind="scripts", content=self.identity, compression=self._compression)

    def needs(self) -> UsedFiles:
        """All packages, unless the layer is there."""
        if kept_layer(self._key) and kept_state(self._key):
            return UsedFiles()
        return UsedFiles(os=self._packages)

    def layers(self) -> list[Layer]:
        """The layer."""
        layer = kept_layer(self._key)
        if layer is not None and kept_state(self._key) is not None:
            self.cached.add(layer.digest)
            return [layer]
        if sys.platform != "linux":
            raise UsageError(
                "maintainer scripts run on Linux alone", remedy="--mode unpack works on any system"
            )
        with tempfile.TemporaryDirectory(prefix="envlock-image-") as folder:
            archive = Path(folder, "root.tar")
            self._reporter.step(f"installing {len(self._packages)} packages")
            bootstrap(
                self._packages,
                self._architecture,
                Path(folder),
                archive,
                self._epoch,
                seconds=seconds_allowed(TIME_LIMIT, _SECONDS),
            )
            layer, state = _packed(archive, self._title, self._compression, self._epoch)
        _check_installed(state.pop("status"), self._packages)
        keep_state(self._key, state)
        keep_layer(self._key, layer)
        return [layer]

    def accounts(self) -> tuple[bytes, bytes]:
        """What base-passwd and the scripts have made."""
        state: dict[str, Any] = kept_state(self._key) or {}
        return state.get("passwd", "").encode(), state.get("group", "").encode()


def bootstrap(
    packages: Sequence[OsPackage],
    architecture: str,
    folder: Path,
    target: Path,
    epoch: int,
    *,
    through: Sequence[str] = (),
    seconds: float | None = None,
    remedy: str = "apt-get install mmdebstrap; or --mode unpack, which needs nothing",
) -> None:
    """Run mmdebstrap: the packages, which are in the store, installed, as a tar archive.

    Args:
        packages: all of them, the essential ones included.
        architecture: theirs, as Debian calls it.
        folder: an empty one for what is needed meanwhile.
        target: the archive.
        epoch: ``SOURCE_DATE_EPOCH``, in seconds.
        through: a command that runs the one that follows it.
        seconds: how long it may take; None: for ever.
        remedy: what to say where mmdebstrap is missing.

    Raises:
        SourceError: it is missing, or fails, or takes too long.
    """
    _write_archive(packages, folder / "archive")
    command = [
        *through,
        "mmdebstrap",
        "--quiet",
        "--dpkgopt=force-unsafe-io",  # a folder that is thrown away
        "--variant=essential",
        f"--architectures={architecture}",
        "--format=tar",
        f"--include={','.join(sorted(p.name for p in packages))}",
        f"--setup-hook={_MERGED_USR.format(names=_MERGED.get(architecture, 'bin sbin lib'))}",
        '--aptopt=APT::Install-Recommends "false"',
        "--aptopt=Acquire::Languages none",
        "",
        str(target),
        f"deb [trusted=yes] copy://{folder / 'archive'} ./",
    ]
    variables = process.clean_environment(
        *("SOURCE_DATE_EPOCH", "DEB", "DPKG", "APT"),
        SOURCE_DATE_EPOCH=str(epoch),
        PATH=system_path(),
    )
    before = os.umask(0o022)
    try:
        folder.chmod(0o755)  # apt's own user and mapped ones read the archive
        done = process.run(
            command,
            env=variables,
            remedy=remedy,
            seconds=seconds,
        )
    except process.TimeLimitError:
        raise SourceError(
            f"installing {len(packages)} packages did not end within {seconds:g} seconds: a"
            " maintainer script hangs, or the machine is slow",
            remedy=f"allow it more: {TIME_LIMIT}=7200",
        ) from None
    finally:
        os.umask(before)
    if done.code != 0:
        said = [line for line in done.stderr.splitlines() if line.strip()][-_LINES:]
        raise SourceError("mmdebstrap failed:\n  " + "\n  ".join(said), remedy=_way_out(said))


def _way_out(said: Sequence[str]) -> str:
    if any("chroot mode" in line for line in said):
        return (
            "it takes root, or namespaces for this user: on Debian the package uidmap, and lines in"
            " /etc/subuid and /etc/subgid; or --mode unpack, which needs neither"
        )
    return "a script may need what a container has not; a foreign architecture needs qemu"


def _write_archive(packages: Sequence[OsPackage], folder: Path) -> None:
    """A flat archive of exactly these packages."""
    folder.mkdir()
    paragraphs = []
    for package in sorted(packages):
        name = package.file_name.rpartition("/")[2]
        deb = read_control(stored(package.sha256), name)
        fields = {
            **deb.paragraph,
            "Filename": f"./{package.sha256}.deb",
            "Size": str(stored(package.sha256).stat().st_size),
            "SHA256": package.sha256,
        }
        paragraphs.append(
            "".join(
                f"{key}:{'' if value.startswith(chr(10)) else ' '}{value}\n"
                for key, value in fields.items()
            )
        )
        _place(stored(package.sha256).absolute(), folder / f"{package.sha256}.deb")
    (folder / "Packages").write_text("\n".join(paragraphs), encoding="utf-8")


def _place(source: Path, target: Path) -> None:
    """A .deb where apt reads it, which an ordinary user's mmdebstrap starts as another user: what
    is in a home that is closed to others is given by another name, or copied."""
    if os.geteuid() == 0:
        target.symlink_to(source)
        return
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copyfile(source, target)


def _packed(
    archive: Path, title: str, compression: str, epoch: int
) -> tuple[Layer, dict[str, str]]:
    """The archive as a layer without noise; and the text of its accounts and dpkg's status."""
    wanted = {"etc/passwd": "passwd", "etc/group": "group", "var/lib/dpkg/status": "status"}
    texts = dict.fromkeys(wanted.values(), "")
    tree = Tree()
    with LayerWriter(title, compression) as writer, tarfile.open(archive, "r:") as packed:
        for member in packed:
            path = tree.place(member.name.removeprefix("./"), "mmdebstrap")
            if not path or (_NOISE.fullmatch(path) and not _kept_folder(member, path)):
                continue
            if path in wanted:
                stream = packed.extractfile(member)
                texts[wanted[path]] = stream.read().decode() if stream else ""
            _copy(packed, member, path, tree, writer, epoch)
        return writer.settle(), texts


def _kept_folder(member: tarfile.TarInfo, path: str) -> bool:
    return member.isdir() and _KEPT_FOLDERS.fullmatch(path) is not None


def _copy(
    packed: tarfile.TarFile,
    member: tarfile.TarInfo,
    path: str,
    tree: Tree,
    writer: LayerWriter,
    epoch: int,
) -> None:
    kinds = {tarfile.DIRTYPE: "folder", tarfile.SYMTYPE: "link", tarfile.LNKTYPE: "file"}
    kind = kinds.get(member.type, "file" if member.isreg() else "")
    if not kind:
        raise unknown_kind(path, "mmdebstrap")
    tree.claim(path, Node(kind=kind, owner="mmdebstrap"))
    info = tarfile.TarInfo(path)
    info.type, info.mode = member.type, member.mode & 0o7777
    info.uid, info.gid = member.uid, member.gid
    info.mtime = EARLIEST if member.mtime >= epoch else int(member.mtime)
    info.pax_headers = {k: v for k, v in member.pax_headers.items() if k.startswith(_XATTR)}
    if member.issym():
        tree.check_link(path, member.linkname, "mmdebstrap")
        info.linkname = member.linkname
    elif member.islnk():
        info.linkname = tree.place(member.linkname.removeprefix("./"), "mmdebstrap")
        if tree.get(info.linkname) is None:
            raise outside(f"{path!r} is a hard link to {info.linkname!r}", "mmdebstrap")
    writer.member(info, packed.extractfile(member) if member.isreg() else None, member.size)


def _check_installed(status: str, packages: Sequence[OsPackage]) -> None:
    """dpkg's own word on what is installed must be the lock's.

    Raises:
        VerificationError: it is not.
    """
    found = set()
    for paragraph in status.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
        if fields.get("Status") == "install ok installed":
            found.add(f"{fields['Package']} {fields['Version']}")
    wanted = {f"{package.name} {package.version}" for package in packages}
    if found != wanted:
        raise VerificationError(
            "mmdebstrap installed other packages than the lock has: "
            + ", ".join(sorted(found ^ wanted)),
            remedy="this is a fault of envlock; --mode unpack does without mmdebstrap",
        )
