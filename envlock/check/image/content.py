"""The files of an image, against RECORDs and dpkg's digests: nothing is unpacked."""

from __future__ import annotations

import errno

from envlock.check.drift import Drift
from envlock.check.image.files import Files
from envlock.check.os.content import System, compare_files
from envlock.check.os.root import INFO, Root
from envlock.check.python.content import Content, compare_content
from envlock.check.python.observe import Observed
from envlock.check.python.owned import Place, read_installed


class ImageDisk:
    """The kept files of an image (``Disk``)."""

    def __init__(self, files: Files) -> None:
        self._kept = files.content()
        self._links = files.links

    def content(self, path: str) -> bytes:
        """As ``Disk``."""
        found = self._kept.get(path[1:])
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "not there")
        return found

    def target(self, path: str) -> str:
        """As ``Disk``."""
        return self._links[path[1:]]


class ImageRoot(Root):
    """dpkg's own files in an image."""

    def __init__(self, files: Files) -> None:
        super().__init__("")
        self._files = files
        self._kept = files.content()

    def read(self, path: str) -> str | None:
        """As ``Root``; of a list of files only that it is there."""
        content = self._kept.get(path)
        if content is not None:
            return content.decode("utf-8", "surrogateescape")
        return "" if path.startswith(f"{INFO}/") and path in self._files.listing else None

    def place(self, path: str) -> str:
        """As ``Root``."""
        folder, _, name = path.rpartition("/")
        real = self._files.follow(folder)
        return f"/{real}/{name}" if real else f"/{name}"

    def names(self, folder: str) -> list[str]:
        """As ``Root``."""
        return self._files.listing.names(folder)


def python_content(files: Files, observed: Observed) -> Content:
    """Every file of the environment's packages, and what belongs to none."""
    sites = tuple(dict.fromkeys(str(one.path.parent) for one in observed.distributions))
    if not sites:
        return Content()
    disk = ImageDisk(files)
    return compare_content(
        Place(prefix=str(observed.prefix), sites=sites, programs=None),
        read_installed(observed.distributions, disk),
        files.scan(),
        files.read,
        base=observed.prefix,
        siphash13=True,
        disk=disk,
    )


def system_content(files: Files, asked: System) -> tuple[Drift, ...]:
    """Every file of the locked OS packages that are installed in their locked version."""
    root = ImageRoot(files)
    if not files.listing.names(INFO):
        return ()  # distroless: dpkg's status alone
    return tuple(compare_files(root, asked, files.scan(), files.read))
