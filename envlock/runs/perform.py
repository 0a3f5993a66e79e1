"""One run: a first note, the program, and the record of it.

The program is started as soon as there is a note that it was; what describes its surroundings is
gathered while it runs. Nothing that goes wrong with the record may touch the program: it becomes
a sentence under ``problems``.
"""

from __future__ import annotations

import _thread
import json
import os
import signal
import sys

from envlock import __version__
from envlock.errors import StaleError, UsageError
from envlock.io.cache import DiskCache
from envlock.io.child import Child, streams
from envlock.io.content.digests import state
from envlock.io.host import host_facts
from envlock.io.signals import die_of
from envlock.runs import parameters
from envlock.runs.data import Declared, shown_path
from envlock.runs.ending import Clocks, elapsed, exit_facts, resource_facts
from envlock.runs.environment import LockFacts, Realised, has_package
from envlock.runs.folder import FolderStore
from envlock.runs.ids import FORMAT, instant, is_id, new_id
from envlock.runs.keeping import begin, dump, finish, recorder_facts
from envlock.runs.order import Hooks, Order
from envlock.runs.output import Listener, Metrics
from envlock.runs.place import find_place
from envlock.runs.secrets import Hider, has_secret

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any

    from envlock.io.trace.model import Supervised

_DRIFT = "run-drift-1"
VARIABLE = "ENVLOCK_NOTES"
_MLFLOW = "MLFLOW_RUN_CONTEXT"
_NOT_FOUND, _NOT_STARTED = 127, 126  # what shells and env(1) answer


def perform(order: Order, hooks: Hooks) -> int:
    """Run it, record it, and give the program's own exit code.

    Where a signal ended the program, the same one ends this process.

    Raises:
        UsageError: an input or parameter is not right; nothing was run.
        StaleError: the environment has drifted, and the order is strict; nothing was run.
        DiskError: no record can be kept anywhere; nothing was run.
    """
    run = Recording(order, hooks)
    status = run.to_its_end()
    code = os.waitstatus_to_exitcode(status)
    if code >= 0:
        return code
    sys.stdout.flush()
    sys.stderr.flush()
    die_of(-code)
    return 128 - code


class Recording:
    """The steps of ``perform``, and what they know of one another."""

    def __init__(self, order: Order, hooks: Hooks) -> None:
        self.order, self.hooks = order, hooks
        self.directory = os.getcwd()
        self.place = order.place or find_place(self.directory, order.name)
        self.problems: list[str] = []
        self.gathered: dict[str, Any] = {}
        self.variables = dict(os.environ)
        self.hider = Hider(self.variables)
        self.parameters = _parameters(order)
        self.inputs, self.outputs = Declared(order.inputs), Declared(order.outputs)
        self.inputs.require()
        if any(word.endswith("papermill") for word in order.argv[:4]):
            self._add_notebooks()
        self.lock = LockFacts(self.place.lock, valid=hooks.valid)
        self.realised: Realised | None = None
        self.drift: list[dict[str, Any]] | None = None
        if order.strict:
            self._look_at_environment()
            self._refuse_drift()
        parent = self.variables.get("ENVLOCK_RUN", "")
        self.parent = parent if is_id(parent) else None
        self.before = Clocks()
        self.id = order.id or new_id(self.before.day)
        self.traced = order.trace != "never" and sys.platform == "linux"
        self.metrics = Metrics()
        self.listeners: dict[str, Listener] = {}
        self.store = self._begin()

    # --- before ---

    def _add_notebooks(self) -> None:
        from envlock.runs.papermill import papermill

        told = papermill(self.order.argv)
        if told is None:
            return
        for name, value in told.params.items():
            self.parameters.setdefault(name, {"value": value, "from": "argv"})
        if told.input is not None and os.path.isfile(told.input):
            self.inputs.add(told.input, state(told.input))
        if told.output is not None:
            self.outputs.add(told.output, None)

    def _begin(self) -> FolderStore:
        note = dump(self._first() | {"state": "started"})
        store, problem = begin(self.place, self.id, note, self.hooks.say)
        if problem is not None:
            self.problems.append(problem)
        return store

    def _first(self) -> dict[str, Any]:
        """What is known before the program starts."""
        order = self.order
        command: dict[str, Any] = {
            "argv": self.hider.argv(order.argv),
            "directory": shown_path(self.directory, self.place.root),
        }
        if order.metrics_files:
            command["metrics-files"] = list(order.metrics_files)
        return {
            "command": command,
            "environment-hash": self.lock.environment_hash,
            "format": FORMAT,
            "group": order.group,
            "id": self.id,
            "lock": self.lock.facts(self.place.root),
            "parent": self.parent,
            "recorder": recorder_facts(self.place.root),
            "repeats": order.repeats,
            "started": instant(self.before.day),
            "tags": sorted(set(order.tags)),
            "why": order.why,
        }

    def _refuse_drift(self) -> None:
        said = [self.lock.problem] if self.lock.problem else []
        said += self.problems
        for one in self.drift or ():
            found = f"expected {one['expected'] or 'nothing'}, found {one['found'] or 'nothing'}"
            said.append(f"{one['subject']}: {found}")
        if said:
            more = f"\nand {len(said) - 5} more: envlock check" if len(said) > 5 else ""
            raise StaleError(
                "the environment is not what the lock says; nothing was run",
                where=self.place.lock,
                remedy="\n".join(said[:5]) + more,
            )

    @property
    def told(self) -> dict[str, str]:
        """The variables by which the program knows its run; without a lock, there is no hash."""
        found = {"ENVLOCK_RUN": self.id, VARIABLE: os.path.abspath(self.store.notes(self.id))}
        if self.lock.environment_hash is not None:
            found["ENVLOCK_HASH"] = self.lock.environment_hash
        if has_package("mlflow", self.order.argv, self.variables, self.place.venv):
            found[_MLFLOW] = self._mlflow()
        return found

    def _mlflow(self) -> str:
        """The tags that MLflow's runs get: what it was told already, and which run this is."""
        try:
            tags = json.loads(self.variables.get(_MLFLOW, ""))
        except ValueError:
            tags = {}
        own = {"envlock.hash": self.lock.environment_hash, "envlock.run": self.id}
        known = tags if isinstance(tags, dict) else {}
        return json.dumps(known | {name: tag for name, tag in own.items() if tag is not None})

    # --- the program ---

    def to_its_end(self) -> int:
        """Start the program, gather while it runs, wait, and write the record; its wait status."""
        passing = streams(self.order.capture, self._listen)
        variables = {n: v for n, v in self.variables.items() if n != "ENVLOCK_HASH"} | self.told
        seccomp = self.order.trace == "auto"
        try:
            child = Child(self.order.argv, variables, passing, trace=self.traced, seccomp=seccomp)
        except (OSError, ValueError) as error:
            return self._not_started(error)
        done = _thread.allocate_lock()
        done.acquire()
        _thread.start_new_thread(self._gather, (done,))
        status, usage = child.wait()
        after = Clocks()
        with done:
            pass
        facts = self._first() | elapsed(self.before, after) | self.gathered
        facts["state"] = "finished"
        facts["exit"] = exit_facts(status)
        seen = child.traced()
        if self.traced and seen is None:
            self.problems.append(
                "the process that watched the program was killed;"
                " how the program itself ended is not known"
            )
        facts["resources"] = resource_facts(seen.usage if seen else usage)
        facts["output"] = self._output(passing)
        facts |= self._data(child, seen)
        self._finish(facts)
        return status

    def _listen(self, name: str) -> Callable[[bytes], None]:
        self.listeners[name] = Listener(self.metrics)
        return self.listeners[name].take

    def _not_started(self, error: OSError | ValueError) -> int:
        reason = getattr(error, "strerror", None) or str(error)
        missing = isinstance(error, FileNotFoundError)
        facts = self._first() | elapsed(self.before, Clocks())
        facts |= {"state": "finished", "exit": {"error": reason}}
        self._finish(facts)
        self.hooks.say(f"error: cannot start {self.order.argv[0]}: {reason}")
        return (_NOT_FOUND if missing else _NOT_STARTED) << 8

    # --- meanwhile ---

    def _gather(self, done: _thread.LockType) -> None:
        try:
            for step in (self._look_at_environment, self._keep_lock, self._look_around):
                try:
                    step()
                except Exception as error:  # whatever it is, the record says so and is kept
                    self.problems.append(f"{step.__name__.strip('_')}: {_told(error)}")
            self.store.settle(self.id)
        finally:
            done.release()
        if self.traced:
            import envlock.runs.used  # noqa: F401 - what the end of the run takes, while it runs

    def _look_at_environment(self) -> None:
        if self.realised is not None:
            return
        self.realised = Realised(self.order.argv, self.variables, self.place.venv)
        lock, realised = self.lock, self.realised
        if realised.how == "another-python" and lock.sha256 is not None:
            told = f"{realised.program} is not of the project's environment"
            self._problem(told, f" ({realised.way_home})")
        elif lock.environment_hash is not None:
            key = f"{__version__} {lock.sha256} {realised.key}"
            known = DiskCache(_DRIFT).get(key)
            if known is None:
                known = json.dumps(self.hooks.drift(lock.path, realised.prefix)).encode()
                DiskCache(_DRIFT).put(key, known)
            self.drift = json.loads(known)
            if self.drift and not self.order.strict:
                self.hooks.say(f"note: {_told_drift(realised, self.drift)}")

    def _problem(self, text: str, remedy: str = "") -> None:
        self.problems.append(text)
        if not self.order.strict:
            self.hooks.say(f"note: {text}; the record says so{remedy}")

    def _keep_lock(self) -> None:
        if self.lock.text is not None:
            self.store.keep(self.lock.text)
        if self.realised is not None:
            facts = self.realised.facts(self.store.keep, self.store.has)
            if self.drift is not None:
                facts["drift"] = self.drift
            self.gathered["environment"] = facts

    def _look_around(self) -> None:
        from envlock.runs.code import code_facts  # the program has started: no hurry

        self.gathered["host"] = host_facts(self.variables)
        declared = {os.path.realpath(p) for p in (*self.inputs.paths, *self.outputs.paths)}
        self.gathered["code"] = code_facts(
            self.directory, started=self.before.day, leave=declared, keep=self.store.keep
        )

    # --- after ---

    def _output(self, passing: list[Any]) -> dict[str, Any]:
        facts: dict[str, Any] = {}
        for stream in passing:
            name = "both" if len(stream.names) == 2 else stream.names[0]
            facts[name] = self.listeners[name].facts(self.hider)
            if stream.problem is not None:
                facts[name]["problem"] = stream.problem
            if stream.open_after:
                facts[name]["problem"] = "another process still wrote when the program had ended"
        if "both" not in facts:
            why = "not asked for" if self.order.capture == "never" else "a terminal"
            for name in ("stdout", "stderr"):
                facts.setdefault(name, {"not-kept": why})
        return facts

    def _data(self, child: Child, seen: Supervised | None) -> dict[str, Any]:
        child.forget_signals()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT,))
        try:
            return self._read_data(seen)
        finally:
            signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT,))

    def _read_data(self, seen: Supervised | None) -> dict[str, Any]:
        """Digests take their time: Ctrl-C ends that, and the record is written without them."""
        facts: dict[str, Any] = {}
        try:
            facts |= self._notes()
            root, since = self.place.root, self.before.day
            facts["inputs"] = self.inputs.facts(root, inputs=True, since=since)
            facts["outputs"] = self.outputs.facts(root, inputs=False, since=since)
            self._add_used(facts, seen)
            for path in self.order.metrics_files:
                self._read_metrics(path)
        except KeyboardInterrupt:
            self.problems.append("interrupted while inputs and outputs were read")
        for fact in facts.get("outputs", ()):
            if "problem" in fact:
                self.hooks.say(f"note: output {fact['path']}: {fact['problem']}")
        return facts

    def _notes(self) -> dict[str, Any]:
        """What the program said of its run, beside metrics and files."""
        path = self.store.notes(self.id)
        if not os.path.exists(path):
            return {}
        from envlock.runs.notes import Notes

        notes = Notes()
        notes.read(path, self.metrics)
        self.problems += notes.problems
        for name, value in notes.params.items():
            self.parameters[name] = {"value": value, "from": "program"}
        for input_, seen in notes.inputs.items():
            self.inputs.add(input_, seen)
        for output in notes.outputs:
            self.outputs.add(output, None)
        facts: dict[str, Any] = {"tags": sorted({*self.order.tags, *notes.tags})}
        if notes.log:
            facts["log"] = notes.log
        if notes.cells:
            facts["cells"] = [self._cell(cell) for cell in notes.cells]
        return facts

    def _cell(self, cell: dict[str, Any]) -> dict[str, Any]:
        found: dict[str, Any] = {"number": cell["number"]} if "number" in cell else {}
        if has_secret(cell["source"]):
            return found | {"not-kept": "it holds what looks like a secret"}
        return found | {"sha256": self._keep(cell["source"].encode("utf-8", "backslashreplace"))}

    def _add_used(self, facts: dict[str, Any], seen: Supervised | None) -> None:
        if self.order.trace == "never":
            gaps = ["tracing was switched off"]
            facts["trace"] = {"method": "none", "complete": False, "gaps": gaps}
            return
        from envlock.runs.used import unwatched, used_facts

        declared = (*self.inputs.paths, *self.outputs.paths)
        since = self.before.day
        try:
            used = used_facts(
                seen.trace if seen else unwatched(self._untraced(), self._named(), since),
                root=self.place.root,
                declared=declared,
                records=self.place.records,
                since=since,
            )
        except OSError as error:
            self.problems.append(f"what it used: {_told(error)}")
            return
        facts["inputs"] += used["inputs"]
        facts["outputs"] += used["outputs"]
        facts["trace"] = used["trace"]
        if self.gathered.get("code") == {}:
            from envlock.runs.code import keep_programs

            keep_programs(facts["inputs"], self.place.root, self._keep)

    def _named(self) -> list[str]:
        """What is known to be read, where nobody watched."""
        return self.order.argv

    def _untraced(self) -> str:
        if self.traced:
            return "the process that watched it was killed"
        return f"no tracing on {sys.platform} yet"

    def _read_metrics(self, path: str) -> None:
        try:
            self.metrics.take(parameters.from_file(path))
        except UsageError as error:
            self._problem(f"metrics: {error}")

    def _finish(self, facts: dict[str, Any]) -> None:
        facts["parameters"] = self.parameters
        facts["metrics"] = self.metrics.last()
        series = self.metrics.series()
        if series:
            facts["series-sha256"] = self._keep(json.dumps(series, sort_keys=True).encode())
        if self.problems:
            facts["problems"] = self.problems
        parameters = facts.pop("parameters")
        facts = self.hider.tree(facts)
        facts["parameters"] = {
            self.hider.text(name): one | {"value": self.hider.value(name, one["value"])}
            for name, one in parameters.items()
        }
        if self.hider.hidden:
            facts["hidden"] = self.hider.hidden
        kept = finish(self.store, self.place, self.id, dump(facts), self.hooks.say)
        if kept and sys.stderr.isatty():
            self.hooks.say(f"recorded: {self.id}")

    def _keep(self, content: bytes) -> str | None:
        try:
            return self.store.keep(content)
        except OSError as error:
            self.problems.append(f"not kept: {error.strerror}")
            return None


def _parameters(order: Order) -> dict[str, dict[str, Any]]:
    """Name → value and where it was found; what is given counts more than what is guessed."""
    found: dict[str, dict[str, Any]] = {}
    sources: list[tuple[str, dict[str, Any]]] = [("argv", parameters.from_argv(order.argv))]
    sources += [(path, parameters.from_file(path)) for path in order.params_files]
    sources.append(("given", parameters.given(order.params)))
    for source, values in sources:
        for name, value in values.items():
            found[name] = {"value": value, "from": source}
    return found


def _told(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def _told_drift(realised: Realised, drift: list[dict[str, Any]]) -> str:
    if realised.foreign:
        return (
            f"this is not the project's environment but {realised.prefix}, which is not what the"
            f" lock says ({_counted(drift)}); the record says so ({realised.way_home})"
        )
    return (
        f"the environment has drifted from its lock ({_counted(drift)}: envlock check);"
        " the record says so"
    )


def _counted(drift: Sequence[Mapping[str, Any]]) -> str:
    """How many differences, and of what: ``3 differences, 2 of them in OS packages``."""
    count = len(drift)
    text = f"{count} difference{'s' if count > 1 else ''}"
    system = sum(one["layer"] == "os" for one in drift)
    if not system:
        return text
    return f"{text}, {'all' if system == count else f'{system} of them'} in OS packages"
