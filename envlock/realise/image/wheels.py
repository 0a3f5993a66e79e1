"""Wheels of a lock → a layer with a virtual environment (PEP 405), on any system.

PyPA's ``installer`` reads wheels, makes scripts and RECORD files; here is where the bytes go: into
the layer. A wheel's files come in its own order, RECORD last, wheels by name. No .pyc is made, and
those that a wheel brings are left out, as ``installer`` does.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tempfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, BinaryIO, cast

from installer import install
from installer.destinations import WheelDestination
from installer.exceptions import InstallerError
from installer.records import Hash, RecordEntry
from installer.scripts import Script
from installer.sources import WheelFile
from installer.utils import Scheme, construct_record_file, fix_shebang

from envlock.errors import EnvlockError
from envlock.realise.image.deb import IN_MEMORY
from envlock.realise.image.layer import Layer, LayerWriter
from envlock.realise.image.parts import PREFIX
from envlock.realise.image.tree import Node, Tree, odd_file, outside

if TYPE_CHECKING:
    from installer.scripts import ScriptSection
    from installer.sources import WheelContentElement

_PIECE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Wheel:
    """A wheel in the store; ``url`` where it came from, if the project asked for that address."""

    name: str
    path: Path
    sha256: str
    url: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """The CPython of an image: absolute path, series (``3.11``) and full version (``3.11.2``)."""

    path: str
    series: str
    version: str


def write_environment(writer: LayerWriter, tree: Tree, python: Interpreter) -> None:
    """An empty virtual environment."""
    place = _Place(writer, tree, python, "envlock")
    folder = python.path.rpartition("/")[0]
    text = f"home = {folder}\ninclude-system-site-packages = false\nversion = {python.version}\n"
    place.put(f"{PREFIX}/pyvenv.cfg", text.encode(), executable=False)
    place.link(f"{PREFIX}/bin/python", python.path)
    place.link(f"{PREFIX}/bin/python3", "python")
    place.link(f"{PREFIX}/bin/python{python.series}", "python")
    place.folders(f"{PREFIX}/lib/python{python.series}/site-packages/.")


def write_layer(
    wheels: Iterable[Wheel],
    python: Interpreter,
    *,
    title: str,
    compression: str,
) -> Layer:
    """A layer with an environment that has these wheels.

    Raises:
        UsageError: a wheel cannot be read.
        VerificationError: a wheel has what would leave the environment, or two have one path.
    """
    tree = Tree()
    with LayerWriter(title, compression) as writer:
        write_environment(writer, tree, python)
        for wheel in sorted(wheels, key=lambda w: w.name):
            add_wheel(writer, tree, wheel, python)
        return writer.settle()


def add_wheel(writer: LayerWriter, tree: Tree, wheel: Wheel, python: Interpreter) -> None:
    """Install one wheel into the environment.

    Raises:
        UsageError: it cannot be read.
        VerificationError: it has what would leave the environment, or what another one has.
    """
    metadata = {"INSTALLER": b"envlock\n"}
    if wheel.url is not None:
        archive = {"archive_info": {"hashes": {"sha256": wheel.sha256}}, "url": wheel.url}
        metadata["direct_url.json"] = json.dumps(archive, sort_keys=True).encode()
    try:
        with zipfile.ZipFile(wheel.path) as packed:
            packed.filename = wheel.name  # the store's own name says nothing
            install(_Source(packed), _Place(writer, tree, python, wheel.name), metadata)
    except EnvlockError:
        raise
    except (
        InstallerError,
        zipfile.BadZipFile,
        zlib.error,
        # Of what parses names, metadata, RECORD and entry points.
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        AssertionError,
        RuntimeError,
        NotImplementedError,
        EOFError,
    ) as error:
        raise odd_file(f"it cannot be installed: {error}", wheel.name) from None


class _Source(WheelFile):
    """A wheel's files without .pyc: these would not be its source's."""

    def get_contents(self) -> Iterator[WheelContentElement]:
        for element in super().get_contents():
            if "__pycache__" not in element[0][0].split("/")[:-1]:
                yield element


class _Place(WheelDestination):
    """One wheel's way into the environment."""

    def __init__(self, writer: LayerWriter, tree: Tree, python: Interpreter, owner: str) -> None:
        self._writer = writer
        self._tree = tree
        self._owner = owner
        self._python = f"/{PREFIX}/bin/python"
        site = f"{PREFIX}/lib/python{python.series}/site-packages"
        self._schemes = {
            "purelib": site,
            "platlib": site,
            "scripts": f"{PREFIX}/bin",
            "data": PREFIX,
            "headers": f"{PREFIX}/include/site/python{python.series}/{owner.partition('-')[0]}",
        }
        self._up = "../" * (site.count("/") - PREFIX.count("/"))

    # --- what installer asks for ---

    def write_script(
        self, name: str, module: str, attr: str, section: ScriptSection
    ) -> RecordEntry:
        if "/" in name or name in ("", ".", ".."):
            raise outside(f"the script {name!r} leads out of the environment", self._owner)
        name, data = Script(name, module, attr, section).generate(self._python, "posix")
        return self._write("scripts", name, io.BytesIO(data), executable=True)

    def write_file(
        self, scheme: Scheme, path: object, stream: BinaryIO, is_executable: bool
    ) -> RecordEntry:
        if scheme == "scripts":
            with fix_shebang(stream, self._python) as fixed:
                return self._write(scheme, str(path), fixed, executable=True)
        return self._write(scheme, str(path), stream, executable=is_executable)

    def finalize_installation(
        self,
        scheme: Scheme,
        record_file_path: str,
        records: Iterable[tuple[Scheme, RecordEntry]],
    ) -> None:
        with construct_record_file(records, self._prefix) as content:
            self.put(
                f"{self._schemes[scheme]}/{record_file_path}", content.read(), executable=False
            )

    def _prefix(self, scheme: Scheme) -> str | None:
        """From site-packages to where a scheme's files are, as RECORD says it."""
        folder = self._schemes[scheme]
        if scheme in ("purelib", "platlib"):
            return None
        return self._up + f"{folder}/".removeprefix(f"{PREFIX}/")

    # --- bytes into the layer ---

    def _write(self, scheme: str, path: str, stream: IO[bytes], *, executable: bool) -> RecordEntry:
        if not path or path.startswith("/") or "\\" in path or ".." in path.split("/"):
            raise outside(f"the path {path!r} leads out of the environment", self._owner)
        with tempfile.SpooledTemporaryFile(IN_MEMORY) as spool:
            digest, size = hashlib.sha256(), 0
            while piece := stream.read(_PIECE):
                digest.update(piece)
                size += len(piece)
                spool.write(piece)
            spool.seek(0)
            target = f"{self._schemes[scheme]}/{path}"
            self._file(target, cast("IO[bytes]", spool), size, digest.hexdigest(), executable)
        text = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
        return RecordEntry(path, Hash("sha256", text), size)

    def put(self, target: str, content: bytes, *, executable: bool) -> None:
        """A file of the environment."""
        digest = hashlib.sha256(content).hexdigest()
        self._file(target, io.BytesIO(content), len(content), digest, executable)

    def _file(
        self, target: str, content: IO[bytes], size: int, digest: str, executable: bool
    ) -> None:
        path = self._tree.place(target, self._owner)
        self.folders(path)
        if self._tree.claim(path, Node(kind="file", owner=self._owner, content=digest)):
            self._writer.file(path, content, size=size, mode=0o755 if executable else 0o644)

    def link(self, path: str, target: str) -> None:
        """A link of the environment."""
        self.folders(path)
        if self._tree.claim(path, Node(kind="link", owner=self._owner, content=target)):
            self._writer.symlink(path, target)

    def folders(self, path: str) -> None:
        """The folders above a path, where they are not there."""
        for folder in self._tree.missing_folders(path):
            self._tree.claim(folder, Node(kind="folder", owner=self._owner))
            self._writer.folder(folder)
