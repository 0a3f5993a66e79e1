"""An archive of python-build-standalone → a layer."""

from __future__ import annotations

import tarfile

from envlock.io.store import stored
from envlock.lock.interpreter import StandalonePython
from envlock.realise.image.layer import Layer, LayerWriter
from envlock.realise.image.parts import STANDALONE
from envlock.realise.image.tree import Node, Tree, odd_file, outside, unknown_kind

_TOP = "python"


def write_interpreter(build: StandalonePython, *, compression: str) -> Layer:
    """A layer with the archive's Python (its ``install_only`` form) under ``STANDALONE``.

    Files belong to root and keep whether they are executable; .pyc are left out.

    Raises:
        UsageError: it is no such archive, or damaged.
        VerificationError: it has what would leave its folder.
    """
    name = build.url.rpartition("/")[2]
    place = STANDALONE.lstrip("/")
    tree = Tree()
    with LayerWriter(str(build), compression) as writer:
        for folder in (place.partition("/")[0], place):
            tree.claim(folder, Node(kind="folder", owner=name))
            writer.folder(folder)
        try:
            with tarfile.open(stored(build.sha256), "r:*") as packed:
                for member in packed:
                    _add(writer, tree, packed, member, name)
        except (tarfile.TarError, OSError, EOFError, ValueError) as error:
            raise odd_file(f"it cannot be unpacked: {error}", name) from None
        if tree.get(f"{place}/bin/python3") is None:
            raise odd_file("it has no python/bin/python3", name)
        return writer.settle()


def _add(
    writer: LayerWriter, tree: Tree, packed: tarfile.TarFile, member: tarfile.TarInfo, name: str
) -> None:
    plain = member.name.removeprefix("./")
    top, _, rest = plain.partition("/")
    if top != _TOP:
        raise outside(f"the path {plain!r} is not below {_TOP}/", name)
    if not rest or "__pycache__" in rest.split("/"):
        return
    path = tree.place(f"{STANDALONE.lstrip('/')}/{rest}", name)
    for folder in tree.missing_folders(path):
        tree.claim(folder, Node(kind="folder", owner=name))
        writer.folder(folder)
    if member.isdir():
        if tree.claim(path, Node(kind="folder", owner=name)):
            writer.folder(path)
    elif member.issym():
        if member.linkname.startswith("/"):
            raise outside(f"the link {plain!r} to {member.linkname!r} leads out of it", name)
        tree.check_link(rest, member.linkname, name)
        tree.claim(path, Node(kind="link", owner=name, content=member.linkname))
        writer.symlink(path, member.linkname)
    elif member.isreg():
        tree.claim(path, Node(kind="file", owner=name))
        mode = 0o755 if member.mode & 0o111 else 0o644
        content = packed.extractfile(member)
        assert content is not None  # noqa: S101 - of a regular file there is one
        writer.file(path, content, size=member.size, mode=mode)
    else:
        raise unknown_kind(plain, name)
