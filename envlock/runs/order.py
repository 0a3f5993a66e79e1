"""What is asked of a run. Plain classes: dataclasses cost more to load than a run may."""

from __future__ import annotations

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from envlock.runs.place import Place


class Order:
    """A program to run, and what is said of it beforehand.

    ``argv`` is the program and its arguments; ``name`` the named environment; ``params`` are
    ``name=value``, ``params_files`` and ``metrics_files`` paths, as are ``inputs`` and ``outputs``.
    ``capture`` is ``auto``, ``always`` or ``never``, ``trace`` is ``auto``, ``scan``
    or ``never``.
    A repeat comes with the ``id`` that it gets, the run that it ``repeats``, and its ``place``.
    """

    def __init__(self, argv: list[str]) -> None:
        self.argv = argv
        self.why: str | None = None
        self.name: str | None = None
        self.group: str | None = None
        self.capture = "auto"
        self.trace = "auto"
        self.strict = False
        self.params: list[str] = []
        self.params_files: list[str] = []
        self.metrics_files: list[str] = []
        self.tags: list[str] = []
        self.inputs: list[str] = []
        self.outputs: list[str] = []
        self.id: str | None = None
        self.repeats: str | None = None
        self.place: Place | None = None


class Hooks:
    """What the command line gives: words for people, and what is too heavy to be loaded each time.

    ``valid`` examines a lockfile and gives its environment hash, or raises EnvlockError; ``drift``
    compares a lockfile with a virtual environment (None: there is none) and gives the differences.
    """

    def __init__(
        self,
        *,
        say: Callable[[str], None],
        valid: Callable[[str], str],
        drift: Callable[[str, str | None], list[dict[str, Any]]],
    ) -> None:
        self.say = say
        self.valid = valid
        self.drift = drift
