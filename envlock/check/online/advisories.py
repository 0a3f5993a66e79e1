"""Security advisories against a lock: what it has, and what is known of that. Pure comparison."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from envlock.check.drift import Code, Drift, drift
from envlock.check.online.osv import PYPI, Advisory, Affected, Judgement, judge_version, normalized
from envlock.lock.model import Lock

_MALICIOUS = "MAL-"
_DISTRIBUTIONS = {"debian": "Debian", "ubuntu": "Ubuntu"}


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Subject:
    """A package of the lock, as advisories name it.

    ``ecosystem`` is ``PyPI``, ``Debian:12`` or ``Ubuntu:24.04``; of a distribution, ``name`` and
    ``version`` are those of the source package. ``commit`` is that of a repository, which has no
    released version.
    """

    ecosystem: str
    name: str
    version: str
    commit: str | None = None


def subjects_of(lock: Lock) -> tuple[Subject, ...]:
    """Every package that advisories can name, sorted; each source package once."""
    found = {
        Subject(ecosystem=PYPI, name=normalized(package.name), version=package.version or "")
        for package in lock.packages
        if package.version is not None and package.directory is None and package.vcs is None
    }
    found |= {
        Subject(ecosystem=PYPI, name=package.name, version=package.version or "", commit=vcs.commit)
        for package in lock.packages
        if (vcs := package.vcs) is not None
    }
    ecosystem = None if lock.os is None else ecosystem_of(lock.os.base)
    if lock.os is not None and ecosystem is not None:
        found |= {
            Subject(ecosystem=ecosystem, name=package.source, version=package.source_version)
            for package in lock.os.packages
        }
    return tuple(sorted(found, key=lambda s: (s.ecosystem, s.name, s.version, s.commit or "")))


def ecosystem_of(base: str) -> str | None:
    """OSV's name of a distribution's release: ``Debian:12``; None where it has no number yet."""
    from envlock.resolve.os.distributions.distribution import parse_base

    parsed = parse_base(base)
    number = parsed.codename.version
    return f"{_DISTRIBUTIONS[parsed.distribution.name]}:{number}" if number else None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Hit:
    advisory: Advisory
    judgement: Judgement
    severity: str | None


def compare_advisories(
    subjects: Iterable[Subject],
    advisories: Iterable[Advisory],
    *,
    said: Mapping[Subject, frozenset[str]] | None = None,
) -> tuple[Drift, ...]:
    """What the advisories say of the subjects; several that are one by their aliases are told once.

    Args:
        subjects: from ``subjects_of``.
        advisories: any; those of other packages, and withdrawn ones, say nothing.
        said: ids that a service gave for a subject: they apply, whatever their ranges say.
    """
    by_name: dict[tuple[str, str], list[Subject]] = {}
    for subject in subjects:
        by_name.setdefault((subject.ecosystem.partition(":")[0], subject.name), []).append(subject)
    hits: dict[Subject, dict[str, _Hit]] = {}
    for advisory in advisories:
        if advisory.withdrawn:
            continue
        for entry in advisory.affected:
            for subject in by_name.get((entry.ecosystem.partition(":")[0], entry.name), ()):
                if _is_of(entry, subject):
                    _note(hits, subject, advisory, entry)
        for subject, ids in (said or {}).items():
            if advisory.id in ids and advisory.id not in hits.get(subject, {}):
                one = _Hit(
                    advisory=advisory, judgement=Judgement(fixed=None), severity=advisory.severity
                )
                hits.setdefault(subject, {})[advisory.id] = one
    found = [
        _told(subject, group)
        for subject, of_subject in hits.items()
        for group in _groups(of_subject)
    ]
    return tuple(sorted(found, key=lambda d: (d.sort_key, d.ids)))


def _is_of(entry: Affected, subject: Subject) -> bool:
    """Whether the ecosystem is the subject's; one without a release is for all of them.

    ``Ubuntu:24.04:LTS`` is ``Ubuntu:24.04``; ``Ubuntu:Pro:…`` is what only customers get.
    """
    family, _, release = entry.ecosystem.partition(":")
    if subject.ecosystem == PYPI or not release:
        return True
    own = subject.ecosystem.partition(":")[2]
    return release == own or (family == "Ubuntu" and release == f"{own}:LTS")


def _note(
    hits: dict[Subject, dict[str, _Hit]], subject: Subject, advisory: Advisory, entry: Affected
) -> None:
    judgement = None if subject.commit else judge_version(entry, subject.version)
    if judgement is None:
        return
    one = _Hit(
        advisory=advisory,
        judgement=judgement,
        severity=entry.severity or advisory.severity,
    )
    known = hits.setdefault(subject, {}).get(advisory.id)
    if known is None or (not known.judgement.certain and judgement.certain):
        hits[subject][advisory.id] = one


def _groups(hits: Mapping[str, _Hit]) -> list[list[_Hit]]:
    """Those that share an id or alias, together."""
    groups: list[tuple[set[str], list[_Hit]]] = []
    for identity in sorted(hits):
        hit = hits[identity]
        names = {identity, *hit.advisory.aliases}
        members = [hit]
        rest = []
        for known, others in groups:
            if known.isdisjoint(names):
                rest.append((known, others))
            else:
                names |= known
                members = others + members
        groups = [*rest, (names, members)]
    # A notice of several matters says nothing more where each of them is told.
    told = {name for names, members in groups if not members[0].advisory.covers for name in names}
    return [
        members
        for _, members in groups
        if not members[0].advisory.covers or not told.issuperset(members[0].advisory.covers)
    ]


def _told(subject: Subject, group: list[_Hit]) -> Drift:
    """One difference for records of one matter; the one that says most comes first."""
    ordered = sorted(group, key=lambda h: (h.severity is None, h.advisory.id))
    first = ordered[0]
    own = [hit.advisory.id for hit in ordered]
    ids = tuple(dict.fromkeys([*own, *(sorted(a for h in ordered for a in h.advisory.aliases))]))
    fixed = next((h.judgement.fixed for h in ordered if h.judgement.fixed is not None), None)
    severity = next((h.severity for h in ordered if h.severity), None)
    summary = next((h.advisory.summary for h in ordered if h.advisory.summary), "")
    also = ", ".join([*ids[1:], *first.advisory.covers])
    also = f" ({also})" if also else ""
    rated = f", {severity}" if severity else ""
    unsure = "" if any(h.judgement.certain for h in group) else "; its range cannot be read"
    told = f": {' '.join(summary.split())}" if summary else ""
    code = Code.VULNERABLE if fixed else Code.VULNERABLE_NO_FIX
    if any(identity.startswith(_MALICIOUS) for identity in ids):
        code = Code.MALICIOUS
    found = drift(
        code,
        subject.name,
        expected=f"{fixed} or newer" if fixed else None,
        found=subject.version or f"commit {subject.commit}",
        cause=f"{first.advisory.id}{also}{rated}{unsure}{told}",
    )
    return replace(found, ids=ids)
