"""What is to be rebuilt, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from envlock.cli.rebuilding.subject import Subject
from envlock.lock.artifacts import UsedFiles
from envlock.lock.package import PythonPackage
from envlock.lock.target import Target
from envlock.realise.rebuild.choose import Chosen
from envlock.realise.rebuild.gather import Gathered, Places

if TYPE_CHECKING:
    from envlock.check.drift import Drift
    from envlock.cli.build_root import Surroundings
    from envlock.realise.rebuild.realised import Realised
    from envlock.realise.source.perform import Built
    from envlock.realise.source.plan import Key, Requirement


BUILT, WHEELS = "built", "wheels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What to rebuild, into which folder (absolute), and where its files may be had.

    ``target``: None for the one of the run's Python, else the newest for this machine.
    ``build_with``: whether builds from source use requirements that were ``built``, too, or the
    locked ``wheels``. ``build_root``: in what they happen, see ``build_root.choose_root``.
    """

    subject: Subject
    folder: Path
    target: Target | None
    places: Places
    recreate: bool = False
    from_source: bool = False
    build_with: str = BUILT
    build_root: str | None = None
    jobs: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What came of it.

    ``files`` are those that the environment is made of, ``gathered`` says where each came from
    (by digest). ``python`` is the interpreter's version, None where there is none. ``drift`` is
    how the environment differs from the lock, ``realised`` how from the run's record. ``taken`` are
    the build requirements that were used as wheels, ``surroundings`` in what was built (None:
    nothing had to be). ``mended`` are packages that were there and
    were installed anew, as their files were not the locked ones.
    """

    order: Order
    target: Target
    files: UsedFiles
    gathered: dict[str, Gathered]
    chosen: Chosen
    python: str | None = None
    drift: tuple[Drift, ...] = ()
    realised: tuple[Realised, ...] = ()
    built: tuple[Built, ...] = ()
    not_built: tuple[tuple[PythonPackage, str], ...] = ()
    mended: tuple[str, ...] = ()
    taken: Mapping[Key, tuple[Requirement, ...]] = field(default_factory=dict)
    surroundings: Surroundings | None = None

    @property
    def failed(self) -> tuple[Built, ...]:
        """Builds that gave no wheel."""
        return tuple(one for one in self.built if one.wheel is None)

    @property
    def missing(self) -> tuple[str, ...]:
        """The digests of the files that nobody has."""
        return tuple(sha256 for sha256, one in self.gathered.items() if one.origin is None)

    @property
    def same(self) -> bool:
        """Whether it is the same environment, as far as can be told."""
        fine = ("identical", "content-equal", "not-a-file")
        return (
            not self.missing
            and not self.failed
            and not any(d.severity == "error" for d in self.drift)
            and all(one.state in fine for one in self.realised)
        )
