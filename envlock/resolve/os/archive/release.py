"""The text of a verified Release file (Debian's repository format): read, and judged.

Judged against what was asked for: the suite, and the instant. A Release is only ever parsed after
its signature was verified (``trust``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from envlock.errors import VerificationError
from envlock.resolve.os.archive.trust import Verified

CLOCKS_APART = timedelta(minutes=10)
"""How far an archive's clock may be ahead of this machine's when locking now."""

_LISTED = re.compile(r"\s+([0-9a-f]{64})\s+([0-9]{1,15})\s+(\S+)\s*")
_DATE = re.compile(
    r"(?:[A-Z][a-z]{2}, )?([0-9]{1,2}) ([A-Z][a-z]{2}) ([0-9]{4}) ([0-9]{2}:[0-9]{2}:[0-9]{2})"
    r" (?:UTC|GMT|Z|[+-]0000)"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A file that a Release vouches for: path relative to the suite, sha256, size in bytes."""

    path: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """What a suite says of itself. Times are UTC.

    ``components`` are without a prefix (``updates/main`` of the security suites is ``main``).
    ``priority`` is apt's default for the suite: 500, 100 (ButAutomaticUpgrades) or 1
    (NotAutomatic). ``files`` are digest and size by path. ``verified`` is where it comes from.
    """

    suite: str
    codename: str
    date: datetime
    valid_until: datetime | None
    components: tuple[str, ...]
    architectures: tuple[str, ...]
    by_hash: bool
    priority: int
    origin: str
    files: Mapping[str, tuple[str, int]]
    verified: Verified

    def file(self, path: str) -> Listed | None:
        """The entry for ``path``, or None."""
        found = self.files.get(path)
        return None if found is None else Listed(path=path, sha256=found[0], size=found[1])


def parse_release(verified: Verified, where: str) -> Release:
    """Take a verified Release apart.

    Raises:
        VerificationError: it lacks what makes it a chain of trust: a date, a name, SHA256 digests;
            or says something twice.
    """
    fields, listing = _fields(verified.payload, where)
    suite, codename = fields.get("suite", ""), fields.get("codename", "")
    if not (suite or codename):
        raise _broken("it has neither Suite nor Codename", where)
    if "date" not in fields:
        raise _broken("it has no Date", where)
    return Release(
        suite=suite,
        codename=codename,
        date=_time(fields["date"], where),
        valid_until=_time(fields["valid-until"], where) if "valid-until" in fields else None,
        components=tuple(name.rpartition("/")[2] for name in fields.get("components", "").split()),
        architectures=tuple(fields.get("architectures", "").split()),
        by_hash=fields.get("acquire-by-hash", "").lower() == "yes",
        priority=_priority(fields),
        origin=fields.get("origin", ""),
        files=_files(listing, where),
        verified=verified,
    )


def judge_release(
    release: Release,
    name: str,
    *,
    where: str,
    as_of: datetime | None,
    now: datetime,
    floor: datetime | None = None,
) -> Release:
    """The release, if it is the suite ``name`` as it may be seen at ``as_of`` (None: now).

    A dated archive is not stopped by ``Valid-Until``: what was valid then has expired since.

    Args:
        floor: the Date of an earlier (or as early) state of this suite, known from a lock; an
            older Release is an attempt to bring old packages back.

    Raises:
        VerificationError: another suite, newer than ``as_of``, older than ``floor``, or, without
            ``as_of``, expired or from the future.
    """
    if not _is_called(release, name):
        said = release.suite or release.codename
        raise VerificationError(
            f"Release of {name}: it says that it is {said}",
            where=where,
            remedy="do not use this archive; it answers with another suite",
        )
    limit = as_of if as_of is not None else now + CLOCKS_APART
    if release.date > limit:
        bound = "as-of" if as_of is not None else "this machine's clock says"
        raise VerificationError(
            f"Release of {name} is of {_shown(release.date)}, {bound} {_shown(as_of or now)}",
            where=where,
            remedy="the archive does not keep to the date; use another snapshot mirror"
            if as_of is not None
            else "set this machine's clock",
        )
    if as_of is None and release.valid_until is not None and release.valid_until < now:
        raise VerificationError(
            f"Release of {name} was valid until {_shown(release.valid_until)}",
            where=where,
            remedy="use a mirror that is up to date, or lock for the past with --as-of",
        )
    if floor is not None and release.date < floor:
        raise VerificationError(
            f"Release of {name} is of {_shown(release.date)}, older than {_shown(floor)}, "
            "which was seen before",
            where=where,
            remedy="do not use this archive; it brings old packages back",
        )
    return release


def _is_called(release: Release, name: str) -> bool:
    # Debian writes the name as Codename (Suite is "stable"), Ubuntu as Suite (Codename is "jammy"
    # in jammy-updates, too).
    if release.suite.startswith(f"{release.codename}-"):
        return name == release.suite
    return name in (release.codename, release.suite)


def _shown(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _broken(what: str, where: str) -> VerificationError:
    return VerificationError(
        f"the signed Release cannot be used: {what}", where=where, remedy="use another mirror"
    )


def _fields(payload: bytes, where: str) -> tuple[dict[str, str], list[str]]:
    """Single-line fields by lower-case name, and the lines of ``SHA256``."""
    fields: dict[str, str] = {}
    listing: list[str] = []
    current = ""
    try:
        lines = payload.decode().split("\n")
    except UnicodeDecodeError as error:
        raise _broken(f"it is not UTF-8 (byte {error.start})", where) from None
    for number, line in enumerate(lines, 1):
        if line[:1] in (" ", "\t"):
            if current == "sha256":
                listing.append(line)
            continue
        if not line.strip():
            if any(rest.strip() for rest in lines[number:]):
                raise _broken(f"line {number} is empty", where)
            break
        name, colon, value = line.partition(":")
        current = name.lower()
        if not colon:
            raise _broken(f"line {number} is no field", where)
        if current in fields:
            raise _broken(f"it says {name} twice", where)
        fields[current] = value.strip()
    return fields, listing


def _files(listing: list[str], where: str) -> dict[str, tuple[str, int]]:
    files: dict[str, tuple[str, int]] = {}
    # A Release lists thousands of files, of which a few are wanted: little is done for each.
    for line in listing:
        match = _LISTED.fullmatch(line)
        if match is None:
            raise _broken(f"not a digest, a size and a path: {line.strip()!r}", where)
        digest, size, path = match.groups()
        if path[0] == "/" or (".." in path and ".." in path.split("/")):
            raise _broken(f"a path that leads out of the suite: {path!r}", where)
        entry = (digest, int(size))
        if files.setdefault(path, entry) != entry:
            raise _broken(f"two digests for {path}", where)
    if not files:
        raise _broken("it lists no SHA256 digests", where)
    return files


def _priority(fields: Mapping[str, str]) -> int:
    if fields.get("notautomatic", "").lower() != "yes":
        return 500
    return 100 if fields.get("butautomaticupgrades", "").lower() == "yes" else 1


def _time(text: str, where: str) -> datetime:
    """A time as RFC 5322 has it; archives write it in UTC (Debian's repository format)."""
    match = _DATE.fullmatch(text)
    try:
        if match is not None:
            month = _MONTHS.index(match[2]) + 1
            day = f"{match[3]}-{month:02}-{int(match[1]):02}"
            return datetime.fromisoformat(f"{day}T{match[4]}+00:00")
        # Everything else that the standard allows; slow to load.
        from email.utils import parsedate_to_datetime

        moment = parsedate_to_datetime(text)
    except ValueError:
        raise _broken(f"not a time: {text!r}", where) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
