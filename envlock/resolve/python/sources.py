"""Where Python packages come from: indexes and find-links, with credentials kept apart."""

from __future__ import annotations

from envlock.io.value import value


@value
class Credentials:
    """HTTP basic authentication of one index; never written to a lock, a log or a message."""

    user: str
    password: str

    def __repr__(self) -> str:
        return "Credentials(***)"


@value
class Index:
    """A simple repository (PEP 503/691). ``url`` has no user part and no final slash.

    ``origin`` says where it was configured, for messages. ``explicit`` is uv's word: used only by
    the packages that name it.
    """

    url: str
    name: str | None = None
    default: bool = False
    explicit: bool = False
    credentials: Credentials | None = None
    origin: str = ""


@value
class FindLinks:
    """A folder or page of files. ``location`` is an absolute path or a URL without user part."""

    location: str
    origin: str = ""

    @property
    def local(self) -> bool:
        """Whether it lies on this machine's disk, where files have no upload time."""
        return not self.location.startswith(("http://", "https://"))


@value
class Sources:
    """All places to look in, most preferred first, the default index last.

    ``strategy`` is uv's ``index-strategy``. ``certificate`` is a CA bundle given by pip's or uv's
    configuration, or None.
    """

    indexes: tuple[Index, ...]
    find_links: tuple[FindLinks, ...] = ()
    strategy: str = "first-index"
    certificate: str | None = None

    def login(self, url: str) -> tuple[str, str] | None:
        """User and password for ``url``: those of an index with its scheme, host and port."""
        from urllib.parse import urlsplit

        origin = urlsplit(url)[:2]
        for index in self.indexes:
            if index.credentials is not None and urlsplit(index.url)[:2] == origin:
                return (index.credentials.user, index.credentials.password)
        return None
