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
from contextlib import suppress
from dataclasses import replace
from functools import cache

from packaging.requirements import Requirement
from packaging.version import Version

from envlock.errors import EnvlockError, NoSolutionError, SourceError
from envlock.io.cache import DiskCache
from envlock.io.http.client import Http
from envlock.io.interpreters import Interpreter
from envlock.io.machine import machine_platform
from envlock.io.progress import Reporter
from envlock.io.unpack import OddArchiveError
from envlock.lock.bootstrap import wheel_rank
from envlock.lock.builds import Build, Builds, Key, declared_requires
from envlock.lock.canonical import digest
from envlock.lock.package import PythonPackage, Repair
from envlock.lock.request import Request
from envlock.lock.selection import applies
from envlock.lock.target import Target
from envlock.resolve.python.builds import hook as build_hook
from envlock.resolve.python.builds.bottom import Bottom, bootstrap
from envlock.resolve.python.builds.graphs import BuildGraph, Graphs, World, all_files
from envlock.resolve.python.builds.hook import HookFailedError, Surroundings
from envlock.resolve.python.builds.programs import programs
from envlock.resolve.python.builds.sdist import BuildSystemError, SourceFacts, read_facts
from envlock.resolve.python.builds.sdists import Sdist, Shelf, SourceTree, sdist_of
from envlock.resolve.python.builds.then import Past, Then

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
    """Lock the build requirements of every sdist of ``packages`` but the declared exceptions, those
    of the requirements' sdists, and so on to the bottom.

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
        NoSolutionError: the same, where a requirement cannot be satisfied as of the date; or
            requirements need one another, without wheels to begin with.
        VerificationError: an sdist is not what its digest says.
    """
    packages = tuple(packages)
    bottom = Bottom(request, packages)
    stay = {build.key: build for build in kept.builds}
    work = _Work(request, world, Graphs(world), http)
    files: tuple[PythonPackage, ...] = ()
    repairs: set[Repair] = set()
    while sdists := bottom.missing(files):
        same = [s for s in sdists if s.key in stay and stay[s.key].sdist == s.sha256]
        left = [s for s in sdists if s not in same]
        made, failures = work.run(left, reporter) if left else ([], [])
        failures = [f for f in failures if not bottom.give_up(f.sdist, anyway=f.unbuildable)]
        if failures:
            raise _all_failed(failures)
        made = [m for m in made if not (_known_to_fail(m[1]) and bottom.give_up(m[0]))]
        for sdist, build in [*((s, stay[s.key]) for s in same), *(m[:2] for m in made)]:
            bottom.add(sdist, build)
        files = all_files([*files, *kept.packages, *(p for *_, g in made for p in g.packages)])
        repairs = repairs.union(kept.repairs, *(graph.repairs for *_, graph in made))
    work.tell(reporter)
    builds = bottom.builds
    pins = {(pin.name, pin.version) for build in builds for pin in build.pins}
    files = tuple(p for p in files if (p.name, p.version or "") in pins)
    names = {f"{name}=={version}" for name, version in pins}
    return Builds(
        builds=builds,
        packages=files,
        bootstrap=bootstrap(request, builds, packages, files, bottom.unbuildable, reporter),
        repairs=tuple(repair for repair in repairs if repair.subject in names),
    )


class _FailedError(Exception):
    """What keeps one package from having a build."""

    def __init__(self, sdist: Sdist, cause: Exception) -> None:
        super().__init__(str(cause))
        self.sdist = sdist
        self.cause = cause

    @property
    def unbuildable(self) -> bool:
        """Whether it follows from the sdist and what the index had at the date, on any machine."""
        return isinstance(self.cause, NoSolutionError | BuildSystemError | OddArchiveError)

    @property
    def text(self) -> str:
        said = self.cause.what if isinstance(self.cause, EnvlockError) else str(self.cause)
        return f"{self.sdist.title}: {said}"


class _Work:
    """Makes builds, several at once."""

    def __init__(self, request: Request, world: World, graphs: Graphs, http: Http) -> None:
        self._request = request
        self._world = world
        self._graphs = graphs
        self._http = http
        self._past = Past(world, http)
        self._shelf = Shelf(root=world.root, sources=world.sources, http=http)
        self._facts = DiskCache(_FACTS)
        self._answers = DiskCache(_ANSWERS)
        self._stop = threading.Event()
        self._surroundings = Surroundings(
            sources=world.sources, seconds=build_hook.hook_seconds(), stop=self._stop
        )
        self._too_old: list[str] = []
        self._straight: set[tuple[Key, Target]] = set()
        self._python = cache(build_hook.find_python)

    def run(
        self, sdists: list[Sdist], reporter: Reporter
    ) -> tuple[list[tuple[Sdist, Build, BuildGraph]], list[_FailedError]]:
        reporter.step("fetching sdists")
        new = [s for s in sdists if self._facts.get(_facts_key(s)) is None]
        self._shelf.fetch(new, reporter)
        reporter.step("asking build backends")
        made: list[tuple[Sdist, Build, BuildGraph]] = []
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
        return made, failures

    def tell(self, reporter: Reporter) -> None:
        """What the engine had to say."""
        for text in self._graphs.notes.texts:
            reporter.note(text)
        if self._too_old:
            reporter.note(
                "what their wheels were made with is too old for them or this Python, so that they"
                f" are built as of the lock's date: {', '.join(sorted(self._too_old))}"
            )

    def _make(self, sdist: Sdist) -> tuple[Sdist, Build, BuildGraph]:
        try:
            with SourceTree(sdist, self._shelf) as tree:
                facts = self._read_facts(sdist, tree)
                then = self._past.of(sdist, facts)
                if then.as_of is not None:
                    # Backends of then may be too old for the sdist's own words, or for this Python.
                    with suppress(NoSolutionError, HookFailedError):
                        return self._made(sdist, tree, facts, then)
                    self._too_old.append(sdist.title)
                    then = replace(then, as_of=None)
                try:
                    return self._made(sdist, tree, facts, then)
                except HookFailedError:
                    if not then.prefer:
                        raise
                    return self._made(sdist, tree, facts, replace(then, prefer=()))
        except (HookFailedError, BuildSystemError, OddArchiveError, NoSolutionError) as error:
            raise _FailedError(sdist, error) from None

    def _made(
        self,
        sdist: Sdist,
        tree: SourceTree,
        facts: SourceFacts,
        then: Then,
    ) -> tuple[Sdist, Build, BuildGraph]:
        prefer = then.prefer
        graph = self._graphs.resolve(facts.requires, sdist.targets, prefer, as_of=then.as_of)
        dynamic = declared_requires(sdist.key[0], self._request)
        asked: dict[str, tuple[str, ...]] = {}
        if dynamic is None:
            answers = {
                python: self._answer(sdist, tree, facts, python, graph, then)
                for python in sorted({target.python for target in sdist.targets})
            }
            asked = {python: answer for python, answer in answers.items() if answer is not None}
            dynamic = _joined(asked, len(answers))
        if set(dynamic) - set(facts.requires):
            stay = [(p.name, p.version, p.index) for p in graph.packages if p.version is not None]
            wishes = {name: (name, version, index) for name, version, index in (*prefer, *stay)}
            graph = self._graphs.resolve(
                (*facts.requires, *dynamic), sdist.targets, wishes.values(), as_of=then.as_of
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
            generator=then.generator,
            as_of=then.as_of,
            preferred=tuple(f"{n}=={v}" for n, v, _ in prefer if (n, v) in taken),
            programs=programs(facts, (*facts.requires, *dynamic), sdist.package.wheels),
        )
        return sdist, build, graph

    def _answer(
        self,
        sdist: Sdist,
        tree: SourceTree,
        facts: SourceFacts,
        python: str,
        graph: BuildGraph,
        then: Then,
        above: tuple[Key, ...] = (),
    ) -> tuple[str, ...] | None:
        """The hook's answer in one Python; remembered by all that it follows from.

        ``above`` are those without wheels that wait for it, the first first.
        """
        target = Target(platform=machine_platform(), python=python)
        if target not in sdist.targets:
            # The lock is for other machines; the hook runs on this one.
            graph = self._graphs.resolve(facts.requires, (target,), then.prefer, as_of=then.as_of)
        interpreter = self._python(python)
        files = sorted(file.sha256 for p in graph.packages for file in p.files)
        key = digest(
            [sdist.sha256, sdist.subdirectory, facts.backend, files, _identity(interpreter)]
        )
        known = self._answers.get(key)
        if known is not None:
            answer: list[str] | None = json.loads(known)
            return None if answer is None else tuple(answer)
        self._no_circle(graph, target, (*above, sdist.key))
        environment = self._graphs.environment(graph, target)
        found = build_hook.ask_backend(
            facts, tree.take(), environment, interpreter, self._surroundings
        )
        self._answers.put(key, json.dumps(found).encode())
        return found

    def _no_circle(self, graph: BuildGraph, target: Target, above: tuple[Key, ...]) -> None:
        """Refuse what has no wheel and is built with itself: uv would wait for itself for ever.

        Raises:
            NoSolutionError: names the packages.
        """
        for package in graph.packages:
            key = (package.name, package.version or "")
            if not applies(package, target) or wheel_rank(package, (target,)) is not None:
                continue
            if key in above:
                circle = ", ".join(" ".join(one) for one in sorted(above[above.index(key) :]))
                raise NoSolutionError(
                    f"{circle} {'are' if above[-1] != key else 'is'} built with"
                    f" {'one another' if above[-1] != key else 'itself'}, and there are no wheels"
                    " to begin with"
                )
            sdist = sdist_of(package, (target,), deep=True)
            if sdist is not None and (key, target) not in self._straight:
                with SourceTree(sdist, self._shelf) as tree:
                    self._straight_down(sdist, tree, target, above)
                self._straight.add((key, target))

    def _straight_down(
        self, sdist: Sdist, tree: SourceTree, target: Target, above: tuple[Key, ...]
    ) -> None:
        """The same for all that building an sdist needs, its backend's answer included."""
        facts = self._read_facts(sdist, tree)
        below = self._graphs.resolve(facts.requires, (target,), ())
        asked = declared_requires(sdist.key[0], self._request)
        if asked is None and target.platform == machine_platform():
            asked = self._answer(sdist, tree, facts, target.python, below, Then(), above)
        if set(asked or ()) - set(facts.requires):
            below = self._graphs.resolve((*facts.requires, *(asked or ())), (target,), ())
        self._no_circle(below, target, (*above, sdist.key))

    def _read_facts(self, sdist: Sdist, tree: SourceTree) -> SourceFacts:
        """What the sdist says; remembered by its digest."""
        known = self._facts.get(_facts_key(sdist))
        if known is not None:
            return SourceFacts.from_json(known)
        facts = read_facts(tree.read())
        self._facts.put(_facts_key(sdist), facts.to_json())
        return facts


def _known_to_fail(build: Build) -> bool:
    """Whether the build fails for certain, though the hook answers.

    setuptools makes wheels itself since 70.1, and calls ``wheel`` in a way that it has since 0.34;
    in the sdist of an older one it finds that sdist's own modules.
    """
    if build.package != "wheel" or Version(build.version) >= Version("0.34"):
        return False
    return any(
        pin.name == "setuptools" and Version(pin.version) >= Version("70.1") for pin in build.pins
    )


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


def _all_failed(failures: list[_FailedError]) -> EnvlockError:
    """One error for all of them; says the line that declines to build these packages."""
    failures = sorted(failures, key=lambda failure: failure.sdist.key)
    names = ", ".join(f'"{name}"' for name in sorted({f.sdist.key[0] for f in failures}))
    silent = sorted({f.sdist.key[0] for f in failures if isinstance(f.cause, HookFailedError)})
    asked = "".join(f"\n{name} = []" for name in silent)
    if silent:
        asked = (
            "\nor, where you know what a build needs beyond its [build-system], say that:"
            f"\n[tool.envlock.build-requires]{asked}"
        )
    unsolvable = all(isinstance(f.cause, NoSolutionError) for f in failures)
    kind = NoSolutionError if unsolvable else SourceError
    return kind(
        "build requirements cannot be locked for"
        f" {', '.join(failure.sdist.title for failure in failures)}\n"
        + "\n".join(failure.text for failure in failures),
        remedy="if these packages need not be built from source, say so in [tool.envlock]:\n"
        f"build-exceptions = [{names}]{asked}",
    )
