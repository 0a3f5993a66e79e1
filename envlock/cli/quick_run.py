"""``envlock run …`` before anything heavy is loaded.

It stands before every program that a user runs, so the start of Python should be most of what it
costs. A command line that this does not understand as a whole goes to ``envlock.cli.run``, which
explains what is wrong with it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import Any

    from envlock.runs.order import Order

SINGLE = {"-m": "why", "--message": "why", "--name": "name", "--group": "group"}
"""Options with one value → the order's attribute."""
SEVERAL = {
    "--param": "params",
    "--params": "params_files",
    "--metrics": "metrics_files",
    "--tag": "tags",
    "--input": "inputs",
    "--output": "outputs",
}
"""Options that may be repeated."""
CAPTURE = ("auto", "always", "never")
TRACE = ("auto", "scan", "never")
_QUIET = ("-q", "--quiet")


def attempt(arguments: list[str]) -> int | None:
    """The exit code of ``run …``; None where that is for click to answer, and nothing was done."""
    parsed = parse(arguments)
    if parsed is None:
        return None
    order, quiet = parsed
    from envlock.errors import EnvlockError

    try:
        return execute(order, quiet=quiet)
    except EnvlockError as error:
        from envlock.cli.app import show

        show(error)
        return error.exit_code


def parse(arguments: list[str]) -> tuple[Order, bool] | None:
    """The order and whether to be quiet, of a command line that starts with ``run``."""
    rest = list(arguments)
    quiet = False
    while rest and rest[0] in _QUIET:
        quiet = True
        del rest[0]
    if not rest or rest.pop(0) != "run":
        return None
    values: dict[str, Any] = {name: [] for name in SEVERAL.values()}
    while rest and rest[0].startswith("-"):
        option = rest.pop(0)
        if option == "--":
            break
        if option in _QUIET:
            quiet = True
        elif option == "--strict":
            values["strict"] = True
        elif not _take_value(values, option, rest):
            return None
    if not rest:
        return None
    from envlock.runs.order import Order

    order = Order(rest)
    for name, value in values.items():
        setattr(order, name, value)
    return order, quiet


def _take_value(values: dict[str, Any], option: str, rest: list[str]) -> bool:
    """One option and its value, from behind ``=`` or from ``rest``; False where it is none."""
    name, equals, value = option.partition("=")
    if not equals:
        if not rest:
            return False
        value = rest.pop(0)
    elif not name.startswith("--"):
        return False
    if name in SINGLE:
        values[SINGLE[name]] = value
    elif name in SEVERAL:
        values[SEVERAL[name]].append(value)
    elif name == "--capture" and value in CAPTURE:
        values["capture"] = value
    elif name == "--trace" and value in TRACE:
        values["trace"] = value
    else:
        return False
    return True


def execute(order: Order, *, quiet: bool) -> int:
    """Perform the order; the program's exit code."""
    import gc

    gc.disable()  # nothing here goes in circles, and looking for that takes its time
    from envlock.runs.order import Hooks
    from envlock.runs.perform import perform

    def say(text: str) -> None:
        if not quiet or text.startswith("error"):
            sys.stderr.write(f"envlock: {text}\n")
            sys.stderr.flush()

    return perform(order, Hooks(say=say, valid=_valid, drift=_drift))


def _valid(path: str) -> str:
    from envlock.cli.environment import valid_lock

    return valid_lock(path)


def _drift(lock: str, prefix: str | None) -> list[dict[str, Any]]:
    from envlock.cli.environment import drift_of

    return drift_of(lock, prefix)
