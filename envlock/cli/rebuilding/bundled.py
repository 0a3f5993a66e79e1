"""The lock that `envlock rebuild` takes out of a bundle, where the user has no other."""

from __future__ import annotations

from pathlib import Path

from envlock.cli.context import Context
from envlock.cli.rebuilding.subject import Subject, subject_of_text
from envlock.errors import UsageError
from envlock.lock.hashing import environment_hash, shorten
from envlock.realise.bundle.source import open_whole


def bundled_subject(context: Context, bundles: tuple[Path, ...], wanted: str | None) -> Subject:
    """The one lock in these bundles, or the one whose environment hash begins with ``wanted``.

    Raises:
        UsageError: there is none, or there are several.
        VerificationError: a bundle or lock is not what it must be.
    """
    found: dict[str, Subject] = {}
    for place in bundles:
        bundle = open_whole(place)
        for path, text in bundle.locks() if bundle is not None else ():
            name = path.rpartition("/")[2]
            subject = subject_of_text(
                text,
                name,
                f"{name} in {place.name}",
                root=context.directory,
                where=f"{place}: {path}",
            )
            root = environment_hash(subject.lock).root
            if wanted is None or root.startswith(wanted):
                found.setdefault(root, subject)
    if len(found) == 1:
        return next(iter(found.values()))
    where = ", ".join(map(str, bundles))
    if not found:
        what = (
            f"no lock {wanted} in it" if wanted else "no lock here, and none in what --from names"
        )
        raise UsageError(what, where=where, remedy="name a lockfile: envlock rebuild pylock.toml")
    names = ", ".join(shorten(root) for root in sorted(found))
    raise UsageError(
        f"there are {len(found)} locks in it: {names}",
        where=where,
        remedy=f"name one of them: envlock rebuild {shorten(min(found))} --from …",
    )
