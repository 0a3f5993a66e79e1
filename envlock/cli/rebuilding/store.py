"""What `envlock rebuild --backend nix` and `guix` share: files handed over, what came verified."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envlock.check.drift import Drift
from envlock.check.python.wheel_content import Against, compare_wheels_with
from envlock.cli.context import Context
from envlock.cli.output import result, say
from envlock.cli.rebuilding.files import refuse_missing
from envlock.cli.rebuilding.order import Order
from envlock.cli.style import style
from envlock.cli.sync import shown_path
from envlock.errors import VerificationError
from envlock.io.files import read_text
from envlock.io.progress import Reporter
from envlock.io.store import stored
from envlock.lock import codec
from envlock.lock.artifacts import PythonFile, UsedFiles, used_files
from envlock.lock.hashing import environment_hash, shorten
from envlock.lock.target import Target
from envlock.realise.handed import Handed
from envlock.realise.rebuild.gather import Gathered, gather

_SHOWN = 4
_SAME = ("identical", "adapted")
_COLOURS = {"identical": "green", "adapted": "green", "metadata-only": "green"}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreReport:
    """What a store's program built of a lock, and what was found in it.

    ``digest`` is that of the store path's content as a Nix archive (SRI). ``against`` is each
    package beside its locked wheel; those in ``built`` were built from source, and may differ.
    ``hint`` tells people how to use it.
    """

    order: Order
    backend: str
    target: Target
    store_path: str
    digest: str
    gathered: Mapping[str, Gathered]
    against: tuple[Against, ...]
    built: frozenset[str]
    drift: tuple[Drift, ...]
    hint: str | None = None

    @property
    def same(self) -> bool:
        """Whether it is the locked environment, as far as can be told."""
        changed = [a for a in self.against if a.state not in _SAME and a.name not in self.built]
        return not changed and not any(d.severity == "error" for d in self.drift)


def gathered_for(
    order: Order, target: Target, names: Mapping[str, str], reporter: Reporter
) -> tuple[dict[str, Gathered], tuple[Handed, ...]]:
    """Bring the files that a build needs into envlock's store, and say what to hand over.

    Args:
        order: says where they may be had.
        target: of the lock.
        names: SHA-256 → the name in the other store.
        reporter: told of what comes.

    Raises:
        SourceError: files are missing; names them with what was tried.
    """
    lock = order.subject.lock
    known = used_files(lock, (target,), os=False, sources=True).python
    files = UsedFiles(python=tuple(f for f in known if f.file.sha256 in names))
    found = gather(lock, files, order.subject.root, order.places, reporter)
    refuse_missing(files, found)
    return found, tuple(
        Handed(name=names[f.file.sha256], sha256=f.file.sha256) for f in files.python
    )


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """What was exported, into a folder of ours that is thrown away."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def beside_wheels(
    order: Order, prefix: Path, site: Path, wheels: Iterable[PythonFile], reporter: Reporter
) -> tuple[Against, ...]:
    """Every package beside its published wheel; one whose wheel nobody has is left out."""
    files = UsedFiles(python=tuple(wheels))
    found = gather(order.subject.lock, files, order.subject.root, order.places, reporter)
    reporter.step("comparing")
    there = [f for f in files.python if found[f.file.sha256].origin is not None]
    return compare_wheels_with(prefix, site, [(f, stored(f.file.sha256)) for f in there])


def hold_to_lock(order: Order, prefix: Path) -> None:
    """The lock that the result carries must be this one.

    Raises:
        VerificationError: it is another, or there is none.
    """
    path = prefix / "share" / "envlock" / "lock"
    wanted = environment_hash(order.subject.lock).root
    if not path.is_file():
        raise VerificationError("what was built does not carry its lock", where=str(path))
    found = environment_hash(codec.load(read_text(path), where=str(path))).root
    if found != wanted:
        raise VerificationError(
            f"what was built is {shorten(found)}, and the lock is {shorten(wanted)}",
            where=str(path),
        )


def store_json(report: StoreReport) -> dict[str, Any]:
    """For ``--json``: docs/json.md."""
    return {
        "backend": report.backend,
        "digest": report.digest,
        "environment-hash": environment_hash(report.order.subject.lock).root,
        "output": str(report.order.folder),
        "store-path": report.store_path,
        "target": report.target.key,
        "same": report.same,
        "packages": [
            {
                "name": one.name,
                "version": one.version,
                "built": one.name in report.built,
                "wheel": one.wheel,
                "state": one.state,
                "differences": list(one.files),
            }
            for one in report.against
        ],
        "drift": [
            {"name": d.name, "subject": d.subject, "expected": d.expected, "found": d.found}
            for d in report.drift
        ],
        "fetched": {
            sha256: one.origin for sha256, one in sorted(report.gathered.items()) if one.origin
        },
    }


def tell_store(context: Context, report: StoreReport) -> None:
    """The store path on stdout, and for people what it is."""
    result(report.store_path)
    for one in report.against:
        if context.verbose or one.state not in _SAME or one.name in report.built:
            shown = ", ".join(one.files[:_SHOWN])
            more = f", and {len(one.files) - _SHOWN} more" if len(one.files) > _SHOWN else ""
            title = f"{one.name} {one.version}{': ' if shown else ''}{shown}{more}"
            say(context, f"  {style(one.state, _COLOURS.get(one.state, 'red'))}  {title}")
    for difference in report.drift:
        sides = (("expected", difference.expected), ("found", difference.found))
        told = ", ".join(f"{side} {text}" for side, text in sides if text is not None)
        say(context, f"  {style(difference.name, 'red')} {difference.subject}: {told}")
    states = Counter(one.state for one in report.against)
    counted = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    verdict = "the same as" if report.same else "NOT the same as"
    if report.built:
        verdict = "from the sources of" if report.same else verdict
    say(
        context,
        f"{shown_path(context, report.order.folder)} holds"
        f" {environment_hash(report.order.subject.lock).short} ({report.target.key}), {verdict}"
        f" {report.order.subject.title}; beside the locked wheels: {counted or 'none to compare'}",
    )
    if report.hint:
        say(context, f"  {style('help', 'bold')}: {report.hint}")
