"""Where a project's Python packages come from: what it says itself, then uv's and pip's settings.

Order, most preferred first: the project's own indexes, ``UV_*``, ``uv.toml`` (project, user,
system), pip's variables and files; the default index last. Places whose files have no upload time
(find-links, ``file:`` indexes) cannot be bounded by a date, and those of the machine would make a
lock depend on one machine's disk: see ``_admit``.
"""

from __future__ import annotations

import itertools
import os
import re
import sys
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.http.urls import host_of
from envlock.io.value import changed
from envlock.resolve.python.config import pip as config_pip
from envlock.resolve.python.config import uv as config_uv
from envlock.resolve.python.config.default_index import default_index
from envlock.resolve.python.config.pip import read_pip
from envlock.resolve.python.config.settings import Settings, local_path, make_find_links, make_index
from envlock.resolve.python.config.uv import read_uv
from envlock.resolve.python.sources import Credentials, FindLinks, Index, Sources

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    import netrc
    from collections.abc import Iterable, Mapping

    from envlock.io.progress import Reporter
    from envlock.lock.request import Request


def discover_sources(
    request: Request,
    root: Path,
    *,
    dated: bool,
    reporter: Reporter,
    by_digest: bool = False,
    environ: Mapping[str, str] | None = None,
    prefix: Path | None = None,
) -> Sources:
    """All places to look in for ``request``'s packages.

    Args:
        request: the project's own indexes, find-links and ``allow_undated``.
        root: the project's folder.
        dated: whether the user fixed the date; then undated places are refused or set aside.
        reporter: told which of the machine's places are set aside, and how to allow them.
        by_digest: only files whose digests are known are wanted: then every place will do.
        environ: the variables to read; this process's when None.
        prefix: the Python installation whose pip.conf counts; this one when None.

    Raises:
        UsageError: a configuration is malformed, or the project names an undated place that it
            does not allow.
        SourceError: nothing names a default index, and uv does not know one.
    """
    variables = os.environ if environ is None else environ
    home = Path(variables.get("HOME") or Path.home())
    settings = [
        _project(request, root),
        *read_uv(root, variables, home),
        read_pip(root, variables, home, Path(sys.prefix) if prefix is None else prefix),
    ]
    allowed = _allowed(request, root)
    indexes = () if request.no_index else _indexes(settings)
    indexes = tuple(_authenticated(indexes, variables, home))
    own = {place for part in settings if part.project for place in _places(part)}
    places: tuple[Index | FindLinks, ...] = (
        *indexes,
        *_unique(link for part in settings for link in part.find_links),
    )
    if by_digest:
        kept = list(places)
    else:
        kept = _admit(places, allowed=allowed, own=own, dated=dated, reporter=reporter)
    return Sources(
        indexes=tuple(place for place in kept if isinstance(place, Index)),
        find_links=tuple(place for place in kept if isinstance(place, FindLinks)),
        strategy=next((s.strategy for s in settings if s.strategy), "first-index"),
        certificate=next((s.certificate for s in settings if s.certificate), None),
    )


def places() -> tuple[Path, ...]:
    """Every file outside of a project that ``discover_sources`` reads, or would, were it there."""
    home = Path(os.environ.get("HOME") or Path.home())
    return (
        *config_uv.places(os.environ, home),
        *config_pip.places(os.environ, home, Path(sys.prefix)),
        _netrc_file(os.environ, home),
    )


def _project(request: Request, root: Path) -> Settings:
    origin = "the project"
    default = request.default_index
    return Settings(
        indexes=tuple(make_index(url, origin, base=root) for url in request.index_urls),
        default=None if default is None else make_index(default, origin, base=root, default=True),
        find_links=tuple(make_find_links(text, origin, base=root) for text in request.find_links),
        project=True,
    )


def _indexes(settings: Iterable[Settings]) -> tuple[Index, ...]:
    """Every index once, the default one last.

    "No index" in one place silences that place and all weaker ones, the built-in default too.
    """
    settings = list(settings)
    heard = list(itertools.takewhile(lambda part: not part.no_index, settings))
    extra = [index for part in heard for index in part.indexes]
    extra += [index for part in heard for index in part.extra_indexes]
    default = _default(heard, known=len(heard) == len(settings))
    merged: dict[str, Index] = {}
    for index in (*extra, *([default] if default else [])):
        known = merged.get(index.url)
        merged[index.url] = index if known is None else _joined(known, index)
    found = [changed(index, default=False) for index in merged.values()]
    if found and default is not None:
        # Where the default is named among the others too, its place there counts, and the last
        # one stands where a default stands.
        found[-1] = changed(found[-1], default=True)
    return tuple(found)


def _default(settings: Iterable[Settings], *, known: bool) -> Index | None:
    """The index for everything that no other has; None when there shall be none.

    ``known`` is whether uv's built-in one may serve when nothing names another.
    """
    for part in settings:
        if part.default is not None or part.closed:
            return part.default
    for part in settings:
        if part.old_default is not None:
            return part.old_default
    return make_index(default_index(), "uv's default", base=Path(), default=True) if known else None


def _joined(first: Index, second: Index) -> Index:
    """One index named twice: the first one's place, and whatever only the second one knows."""
    return changed(
        first,
        name=first.name or second.name,
        credentials=first.credentials or second.credentials,
    )


def _unique(links: Iterable[FindLinks]) -> list[FindLinks]:
    return list({link.location: link for link in reversed(list(links))}.values())[::-1]


def _authenticated(
    indexes: Iterable[Index], environ: Mapping[str, str], home: Path
) -> Iterable[Index]:
    """The indexes with what ``UV_INDEX_<NAME>_USERNAME``/``_PASSWORD`` or netrc know of them."""
    logins: netrc.netrc | None = None
    read = False
    for index in indexes:
        stem = "UV_INDEX_" + re.sub(r"[^A-Z0-9]", "_", (index.name or "").upper())
        user, password = environ.get(f"{stem}_USERNAME"), environ.get(f"{stem}_PASSWORD")
        if index.name and (user or password):
            yield changed(index, credentials=Credentials(user=user or "", password=password or ""))
            continue
        if index.credentials is None and index.url.startswith(("http://", "https://")):
            if not read:
                logins, read = _netrc(environ, home), True
            entry = logins.authenticators(host_of(index.url)) if logins else None
            if entry:
                index = changed(
                    index,
                    credentials=Credentials(user=entry[0] or "", password=entry[2] or ""),
                )
        yield index


def _netrc_file(environ: Mapping[str, str], home: Path) -> Path:
    name = "_netrc" if sys.platform == "win32" else ".netrc"
    return Path(environ["NETRC"]) if environ.get("NETRC") else home / name


def _netrc(environ: Mapping[str, str], home: Path) -> netrc.netrc | None:
    path = _netrc_file(environ, home)
    if not os.path.lexists(path):  # most have none, and need not load what reads it
        return None
    import netrc

    try:
        return netrc.netrc(str(path))
    except FileNotFoundError:
        return None
    except netrc.NetrcParseError as error:
        raise UsageError(
            f"not a netrc file: {error.msg}",
            where=f"{path}:{error.lineno}",
            remedy="correct the file, or set NETRC to another one",
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read: {error}", where=str(path), remedy="set NETRC to another file"
        ) from None


def _allowed(request: Request, root: Path) -> frozenset[str]:
    """The locations of ``allow_undated``, as written and as absolute places."""
    places: set[str] = set()
    for text in request.allow_undated:
        places.add(text)
        places.add(make_find_links(text, "allow-undated", base=root).location.rstrip("/"))
    return frozenset(places)


def _location(place: Index | FindLinks) -> str:
    location = place.url if isinstance(place, Index) else place.location
    return local_path(location).rstrip("/") or "/"


def _places(part: Settings) -> Iterable[str]:
    indexes = (*part.indexes, part.default, *part.extra_indexes, part.old_default)
    return (_location(place) for place in (*indexes, *part.find_links) if place is not None)


def _admit(
    places: Iterable[Index | FindLinks],
    *,
    allowed: frozenset[str],
    own: set[str],
    dated: bool,
    reporter: Reporter,
) -> list[Index | FindLinks]:
    """The places that may be used.

    Those that ``allow-undated`` names may. Of the other undated ones, the project's own are an
    error under a date; the machine's are set aside with a note when they are on its disk (a lock
    must not depend on one machine's disk) or when there is a date.
    """
    kept: list[Index | FindLinks] = []
    aside: dict[str, str] = {}
    for place in places:
        location = _location(place)
        local = not location.startswith(("http://", "https://"))
        undated = local or isinstance(place, FindLinks)
        if not undated or location in allowed:
            kept.append(place)
        elif location in own:
            if dated:
                raise UsageError(
                    f"files in {location} have no upload time, so that a date cannot bound them",
                    where=place.origin,
                    remedy=f'allow it by name: allow-undated = ["{location}"] in [tool.envlock]',
                )
            kept.append(place)
        elif local and isinstance(place, Index) and place.default:
            # Without it another index would answer, or none: neither is what was configured.
            raise UsageError(
                f"the default index {location} is on this machine only",
                where=place.origin,
                remedy=f'allow it by name: allow-undated = ["{location}"] in [tool.envlock],'
                " or name another default index",
            )
        elif local or dated:
            why = "on this machine only" if local else "without upload times"
            aside[location] = f"{location} ({why}; {place.origin})"
        else:
            kept.append(place)
    if aside:
        named = ", ".join(f'"{location}"' for location in aside)
        reporter.note(
            f"not used: {', '.join(aside.values())};"
            f" to use: allow-undated = [{named}] in [tool.envlock]"
        )
    return kept
