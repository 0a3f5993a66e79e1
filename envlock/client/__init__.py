"""What ``import envlock`` offers to a program or notebook: its environment's name, and its run.

This needs none of envlock's dependencies. Under ``envlock run``, all that is said is added to the
running record; elsewhere ``run`` starts a record of its own.
"""

from __future__ import annotations

import os

from envlock.client.session import Session, begin, running

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any


def hash() -> str:
    """The environment hash: what ``ENVLOCK_HASH`` says, else that of the lock of this folder.

    Raises:
        EnvlockError: there is no lock, or it is none; or it has not been examined yet, and neither
            envlock's dependencies nor an ``envlock`` program are here to do it.
    """
    told = os.environ.get("ENVLOCK_HASH")
    if told:
        return told
    from envlock.client.lock import locked_hash

    return locked_hash()


def run(
    params: Mapping[str, Any] | None = None,
    *,
    why: str | None = None,
    tags: Iterable[str] = (),
    group: str | None = None,
    name: str | None = None,
    inputs: Iterable[str | os.PathLike[str]] = (),
    outputs: Iterable[str | os.PathLike[str]] = (),
) -> Session:
    """A run: ``with envlock.run(params={"lr": 0.1}) as run: run.metric(loss=0.25)``.

    Where a run is being recorded already (``envlock run``, an outer ``with``), it is that one.

    Args:
        params: names and values.
        why: why it is run; of a run of its own.
        tags: words to find it by.
        group: what several runs are parts of; of a run of its own.
        name: the named environment; of a run of its own.
        inputs: files and folders that are read.
        outputs: files and folders that are written.

    Raises:
        EnvlockError: no record can be kept anywhere.
    """
    session = running() or begin(why=why, group=group, name=name)
    return session.say(params=params, tags=tags, inputs=inputs, outputs=outputs)


def current() -> Session | None:
    """The run that this program is part of; None where nothing is recorded."""
    return running()
