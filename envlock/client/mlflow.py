"""MLflow's runs get the tags ``envlock.hash`` and ``envlock.run``: a provider of run context.

MLflow finds it by its entry point, ``mlflow.run_context_provider``, and asks it when a run of its
own starts. Nothing of MLflow is imported: what it asks for are these two methods.
"""

from __future__ import annotations

import contextlib

from envlock import client
from envlock.errors import EnvlockError


class RunContext:
    """What MLflow calls a ``RunContextProvider``."""

    def in_context(self) -> bool:
        """Whether there is anything to tell."""
        return bool(self.tags())

    def tags(self) -> dict[str, str]:
        """Of the environment and the run that the program is part of."""
        found = {}
        with contextlib.suppress(EnvlockError, OSError):  # there is no lock: nothing to tell
            found["envlock.hash"] = client.hash()
        session = client.current()
        if session is not None:
            found["envlock.run"] = session.id
        return found
