"""The process in which a repeat is run: ``envlock run``, told by a file what to run and where."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

from envlock.cli.quick_run import execute
from envlock.errors import EnvlockError
from envlock.runs.order import Order
from envlock.runs.place import Place


def main() -> int:
    """Run the job in the file that is named; the program's exit code."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - one file
        job = json.load(file)
    if job["processors"] is not None and hasattr(os, "sched_setaffinity"):
        usable = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, usable[: job["processors"]])
    os.chdir(job["directory"])
    # What the run was told there is not known: nobody waits for it.
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    try:
        return execute(order_of(job), quiet=True)
    except EnvlockError as error:
        from envlock.cli.app import show

        show(error)
        return error.exit_code


def order_of(job: dict[str, Any]) -> Order:
    """What is asked for, of a job (``runs.repeat.job``)."""
    order = Order(job["argv"])
    order.why, order.group = f"repeat of {job['repeats']}", job["group"]
    order.id, order.repeats = job["id"], job["repeats"]
    order.place = Place(job["root"], job["lock"], job["home"])
    order.params, order.params_files = job["params"], job["params-files"]
    order.metrics_files = job["metrics-files"]
    order.inputs, order.outputs = job["inputs"], job["outputs"]
    order.trace = job["trace"]
    return order


if __name__ == "__main__":
    sys.exit(main())
