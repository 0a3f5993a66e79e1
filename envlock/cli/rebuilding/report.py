"""What `envlock rebuild` says in the end."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from envlock.cli.context import Context
from envlock.cli.output import say
from envlock.cli.rebuilding.order import Report
from envlock.cli.style import style
from envlock.cli.sync import shown_path
from envlock.io.paths import cache_dir
from envlock.lock.bootstrap import why_taken
from envlock.lock.hashing import environment_hash
from envlock.lock.provider import provider

if TYPE_CHECKING:
    from envlock.lock.package import Artifact
    from envlock.realise.source.perform import Built

_SHOWN = 4
_COLOURS = {
    "identical": "green",
    "content-equal": "green",
    "metadata-only": "green",
    "missing": "red",
    "different": "red",
}


def report_json(report: Report) -> dict[str, Any]:
    """For ``--json``: docs/json.md."""
    subject = report.order.subject
    return {
        "subject": subject.as_json(),
        "prefix": str(report.order.folder),
        "target": report.target.key,
        "python": report.python,
        "environment-hash": environment_hash(subject.lock).root,
        "same": report.same,
        "artifacts": list(artifacts(report)),
        "built": [_built(one) for one in report.built],
        "build-root": None if report.surroundings is None else report.surroundings.as_json(),
        "not-built": [
            {"name": package.name, "version": package.version, "why": why}
            for package, why in report.not_built
        ],
        "taken-as-wheels": list(_taken(report)),
        "without-file": [package.name for package in report.chosen.without],
        "drift": [
            {"name": d.name, "subject": d.subject, "expected": d.expected, "found": d.found}
            for d in report.drift
        ],
        "installed-anew": list(report.mended),
        "recorded-digest": _recorded_digest(report),
        "realised": [
            {"name": one.name, "before": one.before, "after": one.after, "state": one.state}
            for one in report.realised
        ],
    }


def _built(one: Built) -> dict[str, Any]:
    found = one.comparison
    published = _published(one)
    return {
        "name": one.job.key[0],
        "version": one.job.key[1],
        "sdist": one.job.sdist.sha256,
        "only-to-build": one.job.deep,
        "file": one.wheel.name if one.wheel else None,
        "sha256": one.wheel.sha256 if one.wheel else None,
        "published": published.sha256 if published else None,
        "published-file": published.name if published else None,
        "state": None if found is None else found.state,
        "differences": [] if found is None else list(found.files),
        "in-words": [] if found is None else list(found.words),
        "bootstrap": [" ".join(r.key) for r in one.job.requirements if r.bootstrap],
        "cached": one.cached,
        "without-network": one.alone,
        "failure": one.failure,
        "log": None if one.log is None else str(one.log),
    }


def _published(one: Built) -> Artifact | None:
    """What the built wheel is held to."""
    return one.job.beside(one.wheel.name) if one.wheel else one.job.published


def _taken(report: Report) -> Iterator[dict[str, Any]]:
    """Build requirements that were used as published."""
    request = report.order.subject.lock.request
    for (name, version), used in report.taken.items():
        seed, wheel = used[0].seed, used[0].wheel
        yield {
            "name": name,
            "version": version,
            "file": wheel.name if wheel else None,
            "sha256": wheel.sha256 if wheel else None,
            "reason": None if seed is None else seed.reason,
            "cycle": [] if seed is None else list(seed.cycle),
            "why": None if seed is None else why_taken(seed, request),
        }


def artifacts(report: Report) -> Iterator[dict[str, Any]]:
    """Each file of the environment: whether it is there, from where, what was tried."""
    for build in report.files.interpreters:
        name = unquote(build.url.rpartition("/")[2])
        yield _artifact(report, "cpython", build.version, name, build.sha256)
    for deb in report.files.os:
        name = deb.file_name.rpartition("/")[2]
        yield _artifact(report, deb.name, deb.version, name, deb.sha256)
    for entry in report.files.python:
        package = entry.package
        yield _artifact(report, package.name, package.version, entry.file.name, entry.file.sha256)


def _artifact(
    report: Report, name: str, version: str | None, file: str, sha256: str
) -> dict[str, Any]:
    found = report.gathered[sha256]
    return {
        "name": name,
        "version": version,
        "file": file,
        "sha256": sha256,
        "state": "missing" if found.origin is None else "identical",
        "from": found.origin,
        "place": found.place,
        "tried": [{"place": one.place, "why": one.why} for one in found.tried],
    }


def tell(context: Context, report: Report) -> None:
    """For people, on stderr."""
    subject = report.order.subject
    files = list(artifacts(report))
    for one in files:
        if context.verbose or one["state"] != "identical" or one["tried"]:
            _tell_artifact(context, one)
    hash_ = environment_hash(subject.lock)
    counts = Counter(one["from"] for one in files if one["from"])
    told = origins_told(counts)
    if report.missing:
        _tell_missing(context, report, len(files), told)
        return
    _tell_built(context, report)
    if report.failed:
        return
    _tell_environment(context, report)
    if report.chosen.without:
        names = ", ".join(package.name for package in report.chosen.without)
        say(
            context,
            f"{style('note', 'bold cyan')}: {names}: a repository or folder, taken as it is now",
        )
    if subject.lock.os is not None:
        say(
            context,
            f"{style('note', 'bold cyan')}: packages of {subject.lock.os.base} are not part of a"
            " virtual environment: envlock build image makes them",
        )
    _tell_python(context, report)
    _tell_record(context, report)
    place, title = shown_path(context, report.order.folder), subject.title
    if not report.same:
        say(context, f"{place} is NOT the same as {title} ({hash_.short}): {_wrong(report)}")
        return
    if report.built:
        verdict, what = "from the sources of", _wheels_told(report)
    else:
        count = len(files)
        verdict = "the same as"
        what = f"{count} file{'s' if count != 1 else ''} as locked ({told or 'none'})"
    say(context, f"{place} holds {hash_.short} ({report.target.key}), {verdict} {title}: {what}")


def _tell_environment(context: Context, report: Report) -> None:
    """What of the environment was put right, and what differs from the lock and the record."""
    if report.mended:
        anew = style("installed anew", "yellow")
        say(context, f"  {anew}  {', '.join(report.mended)}: other files than the locked ones")
    for difference in report.drift:
        sides = (("expected", difference.expected), ("found", difference.found))
        told_ = ", ".join(f"{side} {text}" for side, text in sides if text is not None)
        subject_ = f"{difference.subject}{': ' if told_ else ''}{told_}"
        say(context, f"  {style(difference.name, 'red')} {subject_}")
    for row in report.realised:
        if context.verbose or row.state not in ("identical", "content-equal", "not-a-file"):
            say(context, f"  {row.name}: {_change(row.before, row.after)} {_state(row.state)}")


def _tell_missing(context: Context, report: Report, count: int, told: str) -> None:
    places = report.order.places
    looked = [f"the store ({cache_dir() / 'sha256'})", *map(str, places.bundles), "the project"]
    looked.append("folders that pip's and uv's configuration names")
    network = (
        "the network was not asked, as --offline says"
        if places.offline
        else "what the network answered is above"
    )
    say(
        context,
        f"{style('error', 'bold red')}: {len(report.missing)} of {count} files are"
        f" missing, so {shown_path(context, report.order.folder)} was not made"
        + (told and f"; the others are in the store ({told})"),
    )
    say(context, f"  {style('looked in', 'bold')}: {', '.join(looked)}; {network}")
    again = "leave --offline away" if places.offline else "run it again when their server answers"
    remedy = f"give a place that has them: --from DIR, --index URL; or {again}"
    say(context, f"  {style('help', 'bold')}: {remedy}")


def _tell_record(context: Context, report: Report) -> None:
    """How the environment stands to what the run's record says was installed."""
    if not report.realised:
        return
    counts = Counter(row.state for row in report.realised)
    told = ", ".join(
        f"{number} {state}{_STATES.get(state, '')}" for state, number in sorted(counts.items())
    )
    digest = (_recorded_digest(report) or "")[:12]
    same = counts.keys() <= {"identical", "content-equal"}
    verified = f"realised digest {digest} {'verified' if same else 'is another one now'}"
    say(context, f"  against the run's record: {told}; {verified}")


def _recorded_digest(report: Report) -> str | None:
    """The digest of the list of what the run had installed, as its record has it."""
    packages = report.order.subject.packages
    return None if packages is None else hashlib.sha256(packages).hexdigest()


_STATES = {
    "content-equal": " (but for the environment's path in programs)",
    "missing": " (installed then, not now)",
    "extra": " (not installed then)",
    "not-a-file": " (from a repository or folder: not comparable)",
}


def _wrong(report: Report) -> str:
    """What keeps it from being the same, in a line."""
    drift = sum(one.severity == "error" for one in report.drift)
    fine = ("identical", "content-equal", "not-a-file")
    rows = sum(row.state not in fine for row in report.realised)
    told = [f"{drift} difference{'s' if drift > 1 else ''} from the lock"] if drift else []
    if rows:
        other = f"{rows} distribution{'s are' if rows > 1 else ' is'}"
        told.append(f"{other} not what the record says (`envlock runs show` tells what was there)")
    return ", ".join(told)


def _wheels_told(report: Report) -> str:
    states = Counter(one.comparison.state for one in report.built if one.comparison)
    told = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    count = sum(not one.job.deep for one in report.built)
    deep = len(report.built) - count
    what = f"{count} wheel{'s' if count > 1 else ''} built"
    what += f" (beside the published ones: {told})" if told else " (none is published)"
    return what + (f", and {deep} to build them with" if deep else "")


def _tell_built(context: Context, report: Report) -> None:
    if report.surroundings is not None:
        say(context, f"  {style('built', 'cyan')}  {report.surroundings.told()}")
    for package, why in report.not_built:
        version = f" {package.version}" if package.version else ""
        say(context, f"  {style('locked', 'yellow')}  {package.name}{version}: {why}")
    for taken in _taken(report):
        if taken["reason"] is not None:
            circle = f": {', '.join(taken['cycle'])}" if taken["cycle"] else ""
            title, why = f"{taken['name']} {taken['version']}", taken["why"]
            say(context, f"  {style('wheel', 'yellow')}  {title}, to build with: {why}{circle}")
    deep = [one.job.title for one in report.built if one.job.deep and one.failure is None]
    if deep:
        say(context, f"  {style('built', 'green')}  to build with: {', '.join(deep)}")
    for one in report.built:
        if not one.job.deep or one.failure is not None:
            _tell_one(context, one)
    open_ = [one.job.title for one in report.built if one.wheel and not one.alone]
    if open_:
        say(
            context,
            f"{style('note', 'bold cyan')}: the network could not be taken away from the builds of"
            f" {', '.join(open_)}",
        )
    if report.failed:
        say(
            context,
            f"{style('error', 'bold red')}: {len(report.failed)} of {len(report.built)} wheels were"
            f" not built, so {shown_path(context, report.order.folder)} was not made; the others"
            " are kept",
        )


def _tell_one(context: Context, one: Built) -> None:
    """A wheel beside the published one, or why there is none."""
    if one.failure is not None:
        say(context, f"{style('error', 'bold red')}: {one.job.title} was not built:")
        say(context, "\n".join(f"    {line}" for line in one.failure.splitlines()))
        if one.log is not None:
            say(context, f"  {style('log', 'bold')}: {one.log}")
    elif one.comparison is None:
        told = "no published wheel to compare with"
        say(context, f"  {style('built', 'yellow')}  {one.job.title}: {told}")
    else:
        files = one.comparison.files
        shown = "" if not files else ": " + ", ".join(files[:_SHOWN])
        more = f", and {len(files) - _SHOWN} more" if len(files) > _SHOWN else ""
        pure = one.job.pure
        beside = f" (beside {pure.name})" if pure and pure == _published(one) else ""
        say(context, f"  {_state(one.comparison.state)}  {one.job.title}{beside}{shown}{more}")
        for words in one.comparison.words:
            say(context, f"    {words}")


def _tell_python(context: Context, report: Report) -> None:
    subject = report.order.subject
    says = provider(subject.lock, report.target)
    then = subject.python if subject.python != report.python else None
    if context.verbose or says is not None or then is not None:
        locked = "" if says is None else f"; the lock says {says}"
        had = "" if then is None else f"; the run had {then}"
        say(context, f"  CPython {report.python}{locked}{had}")


def origins_told(counts: Mapping[str, int]) -> str:
    """``3 from the cache, 1 from an index``."""
    return ", ".join(f"{number} from {_from(origin)}" for origin, number in sorted(counts.items()))


_ARTICLES = {"index": "an", "archive": "an", "address": "an"}


def _from(origin: str) -> str:
    own = origin in ("cache", "project", "publisher")
    return f"{'the' if own else _ARTICLES.get(origin, 'a')} {origin}"


def _state(state: str) -> str:
    return style(state, _COLOURS.get(state, "yellow"))


def _change(before: str | None, after: str | None) -> str:
    return f"{before or 'none'} → {after or 'none'}" if before != after else str(after)


def _tell_artifact(context: Context, one: dict[str, Any]) -> None:
    where = "" if one["place"] is None else f" {one['place']}"
    came = "" if one["from"] is None else f"  {one['from']}{where}"
    say(context, f"  {_state(one['state']):<10} {one['file']}{came}")
    for attempt in one["tried"]:
        say(context, f"      tried {attempt['place']}: {attempt['why']}")
