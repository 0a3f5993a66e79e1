"""What a layer holds so far, and the rules that keep its members inside its root.

A member's name is relative, without ``..``; no link climbs above the root; nothing is put through
a link that a package brought; nothing but files, folders and links is put at all; and a path has
one owner, folders aside.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from envlock.errors import UsageError, VerificationError

ALIASES = {
    **{
        name: f"usr/{name}" for name in ("bin", "sbin", "lib", "lib32", "lib64", "libo32", "libx32")
    },
    "var/run": "run",
    "var/lock": "run/lock",
}
"""Folders of the root that are links on a merged-usr Debian: what they hold lies elsewhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """What is at a path: ``kind`` is file, folder or link; ``owner`` who put it there.

    ``content`` is a digest of what it holds (a link's target), or None where nobody asked.
    """

    kind: str
    owner: str
    content: str | None = None


class Tree:
    """Paths of an image's root, as they are claimed.

    ``aliases`` are folders that are links to others; ``rows`` what an earlier tree gave as such.
    """

    def __init__(
        self, *, aliases: dict[str, str] | None = None, rows: Iterable[Sequence[str]] = ()
    ) -> None:
        self._aliases = aliases or {}
        self._nodes = {
            path: Node(kind=kind, owner=owner, content=content or None)
            for path, kind, owner, content in rows
        }

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Path, kind, owner and content of all that is there, as text."""
        return [(path, n.kind, n.owner, n.content or "") for path, n in self._nodes.items()]

    def place(self, name: str, owner: str) -> str:
        """Where a member of that name lies: normal form, aliases followed; ``""`` is the root.

        Raises:
            VerificationError: the name leads out of the root.
        """
        parts = name.split("/")
        if name.startswith("/") or ".." in parts:
            raise outside(f"the path {name!r} leads out of the root", owner)
        if any(sign < " " or sign == "\x7f" for sign in name):
            raise outside(f"the path {name!r} has a control character", owner)
        path = "/".join(part for part in parts if part not in ("", "."))
        for start, target in self._aliases.items():
            if path == start or path.startswith(start + "/"):
                return target + path[len(start) :]
        return path

    def claim(self, path: str, node: Node) -> bool:
        """Take a path; False where it is there already as the same folder or equal content.

        Raises:
            VerificationError: it would go through a link, or is another owner's.
        """
        folder = path.rpartition("/")[0]
        if folder:
            self._check_folder(path, folder, node.owner)
        there = self._nodes.get(path)
        if there is None:
            self._nodes[path] = node
            return True
        if there.kind == node.kind == "folder":
            return False
        if there.kind == node.kind and there.content is not None and there.content == node.content:
            return False
        raise VerificationError(
            f"{there.owner} has it, too, as a {there.kind}",
            where=f"{node.owner}: {path}",
            remedy="leave one of them out",
        )

    def replace(self, path: str, node: Node) -> None:
        """Take a path whoever had it."""
        self._nodes[path] = node

    def get(self, path: str) -> Node | None:
        """What is there."""
        return self._nodes.get(path)

    def below(self, folder: str) -> list[str]:
        """The paths right in a folder, sorted."""
        start = folder + "/"
        return sorted(
            path for path in self._nodes if path.startswith(start) and "/" not in path[len(start) :]
        )

    def missing_folders(self, path: str) -> list[str]:
        """The folders above a path that nobody has put there, topmost first."""
        missing = []
        folder = path.rpartition("/")[0]
        while folder and folder not in self._nodes:
            missing.append(folder)
            folder = folder.rpartition("/")[0]
        return missing[::-1]

    def follow(self, path: str) -> str | None:
        """The path of the file that a path names, links followed; None where that is nowhere."""
        for _ in range(40):
            node = self._nodes.get(path)
            if node is None:
                return None
            if node.kind != "link":
                return path
            target = node.content or ""
            base = [] if target.startswith("/") else path.split("/")[:-1]
            parts = _normal([*base, *target.split("/")])
            if parts is None:
                return None
            path = self.place("/".join(parts), node.owner)
        return None

    def check_link(self, path: str, target: str, owner: str) -> None:
        """A symbolic link may be absolute (in the image), but not climb above the root.

        Raises:
            VerificationError: it does.
        """
        if target.startswith("/"):
            base: list[str] = []
        else:
            base = path.split("/")[:-1]
        if not target or "\0" in target or _normal([*base, *target.split("/")]) is None:
            raise outside(f"the link {path!r} to {target!r} leads out of the root", owner)

    def _check_folder(self, path: str, folder: str, owner: str) -> None:
        while folder:
            there = self._nodes.get(folder)
            if there is not None:
                if there.kind == "folder":
                    return
                raise VerificationError(
                    f"{folder} is a {there.kind} of {there.owner}, no folder",
                    where=f"{owner}: {path}",
                    remedy="do not use this package",
                )
            folder = folder.rpartition("/")[0]


def outside(what: str, owner: str) -> VerificationError:
    """The error for a member that must not be put anywhere."""
    return VerificationError(what, where=owner, remedy="do not use this package")


def unknown_kind(name: str, owner: str) -> VerificationError:
    """The error for a device, a pipe and the like."""
    return outside(f"{name!r} is no file, folder or link", owner)


def _normal(parts: list[str]) -> list[str] | None:
    """Without ``.`` and ``..``; None where they climb above the root."""
    found: list[str] = []
    for part in parts:
        if part == "..":
            if not found:
                return None
            found.pop()
        elif part not in ("", "."):
            found.append(part)
    return found


def odd_file(what: str, where: str) -> UsageError:
    """The error for a package that cannot be read."""
    return UsageError(what, where=where, remedy="do not use this package")
