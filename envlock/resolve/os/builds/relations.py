"""Relations of source packages (Debian Policy §7.1): those of an architecture, without profiles."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from envlock.errors import UsageError

_RESTRICTED = re.compile(
    r"\s*([^\s(\[<,|]+(?:\s*\([^)]*\))?)"  # name and version
    r"\s*(?:\[([^\]]*)\])?"  # architectures
    r"\s*((?:<[^<>]*>\s*)*)"  # formulas of build profiles
)
_FORMULA = re.compile(r"<([^<>]*)>")
_TUPLES = {"armel": "eabi-gnu-linux-arm", "armhf": "eabihf-gnu-linux-arm"}
_KINDS = {
    "any": ("", "-arch"),
    "all": ("", "-indep"),
    "binary": ("", "-arch", "-indep"),
}


def build_relations(
    fields: Mapping[str, str], kind: str, architecture: str, where: str
) -> tuple[str, str]:
    """What a build depends on and conflicts with, as fields of a binary package would say it.

    Args:
        fields: those of a ``.dsc``, names in lower case.
        kind: what is built, as for ``dpkg-buildpackage --build``: ``any``, ``all`` or ``binary``.
        architecture: Debian's name, ``amd64``; it builds for itself.
        where: the ``.dsc``, for messages.

    Raises:
        UsageError: a relation cannot be read.
    """

    def both(field: str) -> str:
        texts = (fields.get(f"{field}{part}", "") for part in _KINDS[kind])
        try:
            return ", ".join(filter(None, (restricted(text, architecture) for text in texts)))
        except UsageError as error:
            raise UsageError(error.what, where=where) from None

    return both("build-depends"), both("build-conflicts")


def restricted(field: str, architecture: str) -> str:
    """A field without the alternatives that are for other architectures or some build profile.

    Raises:
        UsageError: a relation cannot be read.
    """
    clauses = []
    for clause in field.split(","):
        if not clause.strip():
            continue
        kept = [text for part in clause.split("|") if (text := _kept(part, architecture))]
        if kept:
            clauses.append(" | ".join(kept))
    return ", ".join(clauses)


def _kept(text: str, architecture: str) -> str | None:
    match = _RESTRICTED.fullmatch(text)
    if match is None:
        raise UsageError(f"cannot read the build relation {text.strip()!r}")
    relation, architectures, formulas = match.groups()
    if architectures is not None and not _for_architecture(architectures.split(), architecture):
        return None
    # No profile is active: a term holds when it is denied, a formula when all its terms hold.
    profiles = [terms.split() for terms in _FORMULA.findall(formulas)]
    if profiles and not any(all(term[:1] == "!" for term in terms) for terms in profiles):
        return None
    return relation


def _for_architecture(listed: Sequence[str], architecture: str) -> bool:
    if listed and listed[0].startswith("!"):
        return not any(is_architecture(architecture, name.removeprefix("!")) for name in listed)
    return any(is_architecture(architecture, name) for name in listed)


def is_architecture(architecture: str, pattern: str) -> bool:
    """Whether a name or wildcard (Policy §11.1: ``any``, ``linux-any``, ``any-arm``) means it."""
    if pattern == architecture:
        return True
    parts = pattern.split("-")
    if "any" not in parts or len(parts) > 4:
        return False
    own = _TUPLES.get(architecture, f"base-gnu-linux-{architecture}").split("-")
    wanted = [*["any"] * (4 - len(parts)), *parts]
    return all(want in ("any", have) for want, have in zip(wanted, own, strict=True))
