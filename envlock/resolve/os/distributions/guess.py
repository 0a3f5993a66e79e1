"""Which release of a distribution a project of a date can have meant."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from envlock.errors import UsageError
from envlock.resolve.os.distributions.distribution import Base, Codename, distribution_named


def guess_base(name: str, as_of: datetime, pythons: Iterable[str] = ()) -> Base:
    """The newest release of ``debian`` or ``ubuntu`` that was stable at ``as_of`` (UTC).

    Where the project says its Python, the newest one that has it, if there is one.

    Raises:
        UsageError: no such distribution, or none that envlock knows was out then.
    """
    distribution = distribution_named(name)
    there = [c for c in distribution.codenames if c.released is not None and c.released <= as_of]
    if not there:
        first = next(c for c in distribution.codenames if c.released is not None)
        raise UsageError(
            f"no release of {name} that envlock knows was out on {as_of:%Y-%m-%d}: the first is"
            f" {first.name}, of {first.released:%Y-%m-%d}",
            remedy=f'take a later as-of, or say it: base = "{name}:{first.name}"',
        )
    series = {".".join(python.split(".")[:2]) for python in pythons}
    fitting = [codename for codename in there if codename.python in series]
    return Base(distribution=distribution, codename=_newest(fitting or there))


def _newest(codenames: list[Codename]) -> Codename:
    return max(codenames, key=lambda codename: codename.opened)
