"""What `envlock rebuild --os-package` says in the end."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from envlock.cli.context import Context
from envlock.cli.output import say
from envlock.cli.rebuilding.debian import Delivered
from envlock.cli.style import style
from envlock.cli.sync import shown_path
from envlock.errors import EXIT_DRIFT, EXIT_SOURCE
from envlock.io.store import stored
from envlock.lock.hashing import environment_hash
from envlock.realise.difference import diffoscope

if TYPE_CHECKING:
    from envlock.cli.rebuilding.order import Order
    from envlock.realise.debian.perform import Held

_SAME = ("identical", "content-equal", "metadata-only")
_SHOWN = 6


def exit_code(done: tuple[Delivered, ...]) -> int:
    """That of an error where there is one, 3 where a build failed, 1 where a package came out
    different or not at all."""
    errors = [one.error.exit_code for one in done if one.error]
    if errors:
        return max(errors)
    if any(one.failure for one in done):
        return EXIT_SOURCE
    states = [held.comparison.state for held in _all_held(done)]
    return 0 if all(state in _SAME for state in states) else EXIT_DRIFT


def _all_held(done: tuple[Delivered, ...]) -> list[Held]:
    return [held for one in done if one.built for held in one.built.held]


def packages_json(order: Order, done: tuple[Delivered, ...]) -> dict[str, Any]:
    """For ``--json``: docs/json.md."""
    subject = order.subject
    return {
        "subject": subject.as_json(),
        "environment-hash": environment_hash(subject.lock).root,
        "builds": [_build(one) for one in done],
    }


def _build(one: Delivered) -> dict[str, Any]:
    built = one.built
    return {
        "source": one.job.source,
        "version": one.job.version,
        "kind": one.job.kind,
        "source-files": {f.name: f.sha256 for f in built.source.files} if built else {},
        "build-dependencies": len(built.needs) if built else None,
        "cached": built is not None and built.cached,
        "failure": one.failure,
        "log": str(built.log) if built else None,
        "folder": None if one.folder is None else str(one.folder),
        "files": dict(built.files) if built else {},
        "packages": [_held(held) for held in built.held] if built else [],
    }


def _held(held: Held) -> dict[str, Any]:
    return {
        "name": held.package.name,
        "version": held.package.version,
        "published": held.package.sha256,
        "sha256": held.sha256,
        "state": held.comparison.state,
        "differences": list(held.comparison.files),
        "first": held.comparison.first,
        "diffoscope": _diffoscope(held),
    }


def _diffoscope(held: Held) -> str | None:
    if held.sha256 is None or held.comparison.state == "identical":
        return None
    name = held.package.file_name.rpartition("/")[2]
    files = stored(held.sha256), stored(held.package.sha256)
    return diffoscope(*files, name, ("built", "published"))


def tell_packages(context: Context, order: Order, done: tuple[Delivered, ...]) -> None:
    """For people, on stderr."""
    for one in done:
        if one.failure is not None:
            _tell_failure(context, one)
        elif one.built is not None and one.folder is not None:
            for held in one.built.held:
                _tell(context, held)
            if one.built.others and context.verbose:
                say(context, f"  not locked, not compared: {', '.join(one.built.others)}")
            how = "before" if one.built.cached else f"with {len(one.built.needs)} packages"
            place = shown_path(context, one.folder)
            say(context, f"      {one.job.title}, built {how}: {place}")
    held_ = _all_held(done)
    if any(held.comparison.state != "identical" for held in held_):
        say(
            context,
            f"{style('note', 'bold cyan')}: published packages were built with the archive as it"
            f" was then, these with that of {order.subject.lock.as_of:%Y-%m-%d}: compilers and"
            " helpers may be others",
        )
    states = Counter(held.comparison.state for held in held_)
    told = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    failed = sum(one.failure is not None for one in done)
    more = f"; {failed} build{'s' if failed > 1 else ''} failed" if failed else ""
    say(context, f"beside the published packages of {order.subject.title}: {told or 'none'}{more}")


def _tell_failure(context: Context, one: Delivered) -> None:
    say(context, f"{style('error', 'bold red')}: {one.job.title} was not built:")
    say(context, "\n".join(f"    {line}" for line in (one.failure or "").splitlines()))
    if one.error is not None and one.error.remedy:
        say(context, f"  {style('help', 'bold')}: {one.error.remedy}")
    if one.built is not None:
        say(context, f"  {style('log', 'bold')}: {one.built.log}")


def _tell(context: Context, held: Held) -> None:
    found = held.comparison
    colour = "green" if found.state in _SAME else "red"
    say(context, f"  {style(found.state, colour)}  {held.package.name} {held.package.version}")
    for line in found.files[:_SHOWN]:
        first = f" ({found.first})" if found.first and line == found.files[0] else ""
        say(context, f"      {line}{first}")
    if len(found.files) > _SHOWN:
        say(context, f"      and {len(found.files) - _SHOWN} more")
    report = _diffoscope(held)
    if report:
        say(context, "\n".join(f"      {line}" for line in report.splitlines()))
