"""What building each locked sdist from source needs, as of the lock's date.

Per sdist: what its pyproject.toml requires is resolved; the build backend is asked in that
environment what it needs besides (``build_hook``); both together are resolved. Facts about an
sdist and answers of hooks are remembered by digest, so that only what is new is fetched and run.
"""

from __future__ import annotations

import json
import os
import platform
import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cache

from packaging.requirements import Requirement
from packaging.utils import parse_wheel_filename

from envlock.errors import EnvlockError, NoSolutionError, SourceError
from envlock.io.cache import DiskCache
from envlock.io.http.client import Http
from envlock.io.interpreters import Interpreter
from envlock.io.machine import machine_platform
from envlock.io.progress import Reporter
from envlock.io.unpack import OddArchiveError
from envlock.lock.builds import Build, Builds
from envlock.lock.hashing import digest
from envlock.lock.model import PythonPackage
from envlock.lock.request import Request
from envlock.lock.target import Target, wheel_tags
from envlock.resolve.python import build_hook
from envlock.resolve.python.build_graphs import BuildGraph, Graphs, Preference, World, all_files
from envlock.resolve.python.build_hook import HookFailedError, Surroundings
from envlock.resolve.python.build_programs import programs
from envlock.resolve.python.build_sdists import Sdist, Shelf, SourceTree, sdists_of
from envlock.resolve.python.generator import preference, read_generator
from envlock.resolve.python.sdist import BuildSystemError, SourceFacts, read_facts
from envlock.resolve.python.sources import Sources

_FACTS = "sdist-facts-v1"
_ANSWERS = "hook-answers-v1"


def lock_builds(
    request: Request,
    packages: Iterable[PythonPackage],
    world: World,
    *,
    kept: Builds,
    http: Http,
    reporter: Reporter,
) -> Builds:
    """Lock the build requirements of every sdist of ``packages`` but the declared exceptions.

    Args:
        request: its exceptions and targets count.
        packages: the lock's, with sizes.
        world: where and when to resolve.
        kept: of the existing lock, those that stay as they are while their sdist does.
        http: the client.
        reporter: told the phases.

    Raises:
        SourceError: a backend gives no answer, or an sdist cannot be read: all such packages are
            named, with what the backends said last.
        NoSolutionError: the same, where a requirement cannot be satisfied as of the date.
        VerificationError: an sdist is not what its digest says.
    """
    sdists = sdists_of(request, packages)
    stay = {build.key: build for build in kept.builds}
    builds = [stay[s.key] for s in sdists if s.key in stay and stay[s.key].sdist == s.sha256]
    left = [s for s in sdists if s.key not in {build.key for build in builds}]
    work = _Work(world, Graphs(world), http)
    made = work.run(left, reporter) if left else []
    pins = {(pin.name, pin.version) for build in builds for pin in build.pins}
    old = [p for p in kept.packages if (p.name, p.version or "") in pins]
    names = {f"{name}=={version}" for name, version in pins}
    repairs = {repair for repair in kept.repairs if repair.subject in names}
    return Builds(
        builds=tuple(sorted([*builds, *(b for b, _ in made)], key=lambda build: build.key)),
        packages=all_files([*old, *(p for _, graph in made for p in graph.packages)]),
        repairs=tuple(repairs.union(*(graph.repairs for _, graph in made))),
    )


class _FailedError(Exception):
    """What keeps one package from having a build."""

    def __init__(self, sdist: Sdist, cause: Exception) -> None:
        super().__init__(str(cause))
        self.sdist = sdist
        self.cause = cause

    @property
    def text(self) -> str:
        said = self.cause.what if isinstance(self.cause, EnvlockError) else str(self.cause)
        return f"{self.sdist.title}: {said}"


class _Work:
    """Makes builds, several at once."""

    def __init__(self, world: World, graphs: Graphs, http: Http) -> None:
        self._world = world
        self._graphs = graphs
        self._http = http
        self._shelf = Shelf(root=world.root, sources=world.sources, http=http)
        self._facts = DiskCache(_FACTS)
        self._answers = DiskCache(_ANSWERS)
        self._stop = threading.Event()
        self._surroundings = Surroundings(
            sources=world.sources, seconds=build_hook.hook_seconds(), stop=self._stop
        )
        self._python = cache(build_hook.find_python)

    def run(self, sdists: list[Sdist], reporter: Reporter) -> list[tuple[Build, BuildGraph]]:
        reporter.step("fetching sdists")
        new = [s for s in sdists if self._facts.get(_facts_key(s)) is None]
        self._shelf.fetch(new, reporter)
        reporter.step("asking build backends")
        made: list[tuple[Build, BuildGraph]] = []
        failures: list[_FailedError] = []
        with ThreadPoolExecutor((os.cpu_count() or 1) + 1, "envlock-builds") as pool:
            pending = [pool.submit(self._make, sdist) for sdist in sdists]
            try:
                for done, future in enumerate(as_completed(pending), 1):
                    try:
                        made.append(future.result())
                    except _FailedError as error:
                        failures.append(error)
                    reporter.progress(done, len(pending))
            except BaseException:
                self._stop.set()
                pool.shutdown(wait=False, cancel_futures=True)
                raise
        for text in self._graphs.notes.texts:
            reporter.note(text)
        if failures:
            raise _all_failed(failures)
        return made

    def _make(self, sdist: Sdist) -> tuple[Build, BuildGraph]:
        try:
            generator = self._generator(sdist)
            wish = preference(generator)
            with SourceTree(sdist, self._shelf) as tree:
                facts = self._read_facts(sdist, tree)
                index = sdist.package.index or _default_index(self._world.sources)
                prefer = ((*wish, index),) if wish else ()
                try:
                    return self._made(sdist, tree, facts, generator, prefer)
                except HookFailedError:
                    if not prefer:
                        raise
                    # A backend of the wheel's time may not run in a Python of today.
                    return self._made(sdist, tree, facts, generator, ())
        except (HookFailedError, BuildSystemError, OddArchiveError, NoSolutionError) as error:
            raise _FailedError(sdist, error) from None

    def _made(
        self,
        sdist: Sdist,
        tree: SourceTree,
        facts: SourceFacts,
        generator: str | None,
        prefer: tuple[Preference, ...],
    ) -> tuple[Build, BuildGraph]:
        graph = self._graphs.resolve(facts.requires, sdist.targets, prefer)
        answers = {
            python: self._answer(sdist, tree, facts, python, graph, prefer)
            for python in sorted({target.python for target in sdist.targets})
        }
        asked = {python: answer for python, answer in answers.items() if answer is not None}
        dynamic = _joined(asked, len(answers))
        if set(dynamic) - set(facts.requires):
            stay = [(p.name, p.version, p.index) for p in graph.packages if p.version is not None]
            wishes = {name: (name, version, index) for name, version, index in (*prefer, *stay)}
            graph = self._graphs.resolve(
                (*facts.requires, *dynamic), sdist.targets, wishes.values()
            )
        taken = {(pin.name, pin.version) for pin in graph.pins}
        build = Build(
            package=sdist.key[0],
            version=sdist.key[1],
            sdist=sdist.sha256,
            backend=facts.backend,
            backend_path=facts.backend_path,
            static=facts.requires,
            dynamic=dynamic,
            asked_on=tuple(sorted(f"{machine_platform()}@{python}" for python in asked)),
            pins=graph.pins,
            generator=generator,
            preferred=tuple(f"{n}=={v}" for n, v, _ in prefer if (n, v) in taken),
            programs=programs(facts, (*facts.requires, *dynamic), sdist.package.wheels),
        )
        return build, graph

    def _answer(
        self,
        sdist: Sdist,
        tree: SourceTree,
        facts: SourceFacts,
        python: str,
        graph: BuildGraph,
        prefer: tuple[Preference, ...],
    ) -> tuple[str, ...] | None:
        """The hook's answer in one Python; remembered by all that it follows from."""
        target = Target(platform=machine_platform(), python=python)
        if target not in sdist.targets:
            # The lock is for other machines; the hook runs on this one.
            graph = self._graphs.resolve(facts.requires, (target,), prefer)
        interpreter = self._python(python)
        files = sorted(file.sha256 for p in graph.packages for file in p.files)
        key = digest(
            [sdist.sha256, sdist.subdirectory, facts.backend, files, _identity(interpreter)]
        )
        known = self._answers.get(key)
        if known is not None:
            answer: list[str] | None = json.loads(known)
            return None if answer is None else tuple(answer)
        environment = self._graphs.environment(graph, target)
        found = build_hook.ask_backend(
            facts, tree.take(), environment, interpreter, self._surroundings
        )
        self._answers.put(key, json.dumps(found).encode())
        return found

    def _read_facts(self, sdist: Sdist, tree: SourceTree) -> SourceFacts:
        """What the sdist says; remembered by its digest."""
        known = self._facts.get(_facts_key(sdist))
        if known is not None:
            return SourceFacts.from_json(known)
        facts = read_facts(tree.read())
        self._facts.put(_facts_key(sdist), facts.to_json())
        return facts

    def _generator(self, sdist: Sdist) -> str | None:
        wheels = sdist.package.wheels
        tags = wheel_tags(sdist.targets[0])
        fitting = [w for w in wheels if not parse_wheel_filename(w.name)[3].isdisjoint(tags)]
        first = min(fitting or wheels, key=lambda wheel: wheel.name, default=None)
        if first is None:
            return None
        return read_generator(first, self._world.root, self._world.sources, self._http)


def _joined(answers: dict[str, tuple[str, ...]], pythons: int) -> tuple[str, ...]:
    """Answers of several Pythons as one: what some of them ask for gets their marker."""
    found: dict[str, list[str]] = {}
    for python, answer in answers.items():
        for text in answer:
            found.setdefault(text, []).append(python)
    joined = []
    for text, asking in found.items():
        if len(asking) == pythons:
            joined.append(text)
            continue
        tests = " or ".join(_is_python(python) for python in asking)
        requirement = Requirement(text)
        marker = f"({requirement.marker}) and ({tests})" if requirement.marker else tests
        requirement.marker = None
        joined.append(str(Requirement(f"{requirement} ; {marker}")))
    return tuple(sorted(joined))


def _is_python(python: str) -> str:
    variable = "python_full_version" if python.count(".") == 2 else "python_version"
    return f'{variable} == "{python}"'


def _identity(interpreter: Interpreter) -> str:
    """What an answer may depend on of the interpreter and the machine."""
    return f"{interpreter.version} {platform.system()} {platform.machine()}"


def _facts_key(sdist: Sdist) -> str:
    return f"{sdist.sha256} {sdist.subdirectory or ''}"


def _default_index(sources: Sources) -> str | None:
    return sources.indexes[-1].url if sources.indexes else None


def _all_failed(failures: list[_FailedError]) -> EnvlockError:
    """One error for all of them; says the line that declines to build these packages."""
    failures = sorted(failures, key=lambda failure: failure.sdist.key)
    names = ", ".join(f'"{name}"' for name in sorted({f.sdist.key[0] for f in failures}))
    unsolvable = all(isinstance(f.cause, NoSolutionError) for f in failures)
    kind = NoSolutionError if unsolvable else SourceError
    return kind(
        "build requirements cannot be locked for"
        f" {', '.join(failure.sdist.title for failure in failures)}\n"
        + "\n".join(failure.text for failure in failures),
        remedy="if these packages need not be built from source, say so in [tool.envlock]:\n"
        f"build-exceptions = [{names}]",
    )
