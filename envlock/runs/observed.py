"""What a run read and wrote, in a person's terms: pure, from the trace of what its processes did.

An input was there before the run and was read before the run wrote it. An output was written and
is still there. What belongs to the environment (the system, the Python, installed distributions,
caches of compiled code) is counted as that, not listed.
"""

from __future__ import annotations

import re
from enum import Enum

from envlock.io.trace.kinds import Action
from envlock.io.value import value

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from envlock.io.trace.kinds import Method
    from envlock.io.trace.model import Connection, Event, FileState, Trace

# The file system hierarchy's places of packages; what a run writes there is its output all the
# same, but for stores and caches.
_SYSTEM = (
    "/bin/", "/boot/", "/etc/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/nix/", "/gnu/store/",
    "/sbin/", "/usr/", "/var/cache/", "/var/lib/",
)  # fmt: skip
_KEPT = ("/nix/", "/gnu/store/", "/var/cache/")
# Each folder in it is of one piece of software, or of somebody's data.
_ADDED = re.compile(r"/opt/[^/]+/")
_KERNEL = ("/dev/", "/proc/", "/run/", "/sys/")
_MEMORY_AND_DISKS = ("/dev/shm/", "/run/media/")  # noqa: S108 - no file is made there
# An installed Python's modules and those of distributions, wherever the environment is; and pyenv,
# whose own scripts start the Python that is asked for.
_PYTHON = re.compile(r"/lib(?:64)?/(?:python3\.\d+t?|pypy3\.\d+)/|/pyvenv\.cfg$|\._pth$|/\.pyenv/")
# Compiled code that Python keeps, and version control's own files.
_OF_TOOLS = re.compile(r"/__pycache__/|\.pyc$|/\.(?:git|hg|svn)/")
_COMPILED = re.compile(r"(.*/)__pycache__/([^/.]+)\.[^/]+\.pyc", re.DOTALL)
_VENV = "/pyvenv.cfg"
_LIBRARY = re.compile(r"\.(?:so(?:\.[0-9.]+)?|dylib)$")


@value
class Input:
    """A file that was there before the run; ``seen`` is its state when it was first opened.

    None: a module whose compiled form was read in its place.
    """

    path: str
    seen: FileState | None


@value
class Observed:
    """What was seen of one run; every tuple is sorted and without doubles.

    ``outputs`` are files (or links, or folders that were moved into place) still there at the end;
    ``removed`` were there before the run and are gone; ``folders`` were made by it, and are there.
    ``libraries`` and ``programs`` are paths wherever they are, ``environment`` every other path
    that was folded into the environment. ``complete`` and ``gaps`` are the trace's: what is not
    listed was not seen, and where ``complete`` is false it may have been there all the same.
    """

    method: Method
    complete: bool
    gaps: tuple[str, ...]
    inputs: tuple[Input, ...]
    outputs: tuple[str, ...]
    removed: tuple[str, ...]
    folders: tuple[str, ...]
    programs: tuple[str, ...]
    libraries: tuple[str, ...]
    environment: tuple[str, ...]
    network: tuple[Connection, ...]


class _File:
    __slots__ = ("compiled", "seen", "written")

    def __init__(self) -> None:
        self.seen: FileState | None = None
        self.written = False
        self.compiled = False


def observe(
    trace: Trace,
    *,
    still_there: Callable[[str], bool],
    work: Iterable[str] = (),
    aside: Iterable[str] = (),
    written: Iterable[str] = (),
) -> Observed:
    """Fold ``trace``.

    Args:
        trace: what the processes did, in order.
        still_there: whether a path exists now (a link that leads nowhere does).
        work: folders whose files are the user's even where the system keeps its own, programs and
            libraries, too: the project.
        aside: further folders whose files are not listed: the user's caches, envlock's own records.
    """
    files = _Files()
    programs: set[str] = set()
    libraries = set(trace.libraries)
    for event in trace.events:
        files.take(event)
        if event.action is Action.EXECUTE:
            programs.add(event.path)
        elif event.action is Action.READ and event.before and _LIBRARY.search(event.path):
            libraries.add(event.path)
    for path in written:
        files.write(path)
    files.add_modules()
    code = libraries | programs
    place = _Places(work, aside, files.known, code)
    environment: set[str] = set()
    inputs: list[Input] = []
    outputs: list[str] = []
    for path, file in files.known.items():
        where = place.of(path, written=file.written)
        if where is Place.ENVIRONMENT:
            environment.add(path)
        elif where is Place.WORK:
            if file.seen is not None or (file.compiled and still_there(path)):
                inputs.append(Input(path=path, seen=file.seen))
            if file.written and still_there(path):
                outputs.append(path)
    return Observed(
        method=trace.method,
        complete=trace.complete,
        gaps=trace.gaps,
        inputs=tuple(sorted(inputs, key=lambda one: one.path)),
        outputs=tuple(sorted(outputs)),
        removed=tuple(p for p in sorted(files.removed) if place.is_work(p) and not still_there(p)),
        folders=tuple(p for p in sorted(files.folders) if place.is_work(p) and still_there(p)),
        programs=tuple(sorted(programs)),
        libraries=tuple(sorted(libraries - programs)),
        environment=tuple(sorted(environment - code)),
        network=tuple(sorted(trace.connections)),
    )


class Place(Enum):
    """Whose a file is: the user's, the environment's, or nobody's (kernel, caches, git's own)."""

    WORK = "work"
    ENVIRONMENT = "environment"
    NOISE = "noise"


class _Places:
    def __init__(
        self, work: Iterable[str], aside: Iterable[str], known: Iterable[str], code: set[str]
    ) -> None:
        # In the file system's root, a project has no more of the system than elsewhere.
        self._work = tuple(folder for folder in _below(work) if folder != "/")
        self._aside = _below(aside)
        # A project in a cache is a project, one with a cache in it has a cache.
        self._aside_in_work = tuple(
            one for one in self._aside if not any(place.startswith(one) for place in self._work)
        )
        # A virtual environment says what it is when its Python starts.
        self._environments = _below(p.removesuffix(_VENV) for p in known if p.endswith(_VENV))
        self._code = code
        self._added = {found[0] for path in code if (found := _ADDED.match(path))}

    def of(self, path: str, *, written: bool = False) -> Place:
        if _OF_TOOLS.search(path):
            return Place.NOISE
        inside = path.startswith(self._work)
        if path.startswith(_KERNEL) and not inside and not path.startswith(_MEMORY_AND_DISKS):
            return Place.NOISE
        if _PYTHON.search(path) or path.startswith(self._environments):
            return Place.ENVIRONMENT  # also one in a cache
        if path.startswith(self._aside_in_work if inside else self._aside):
            return Place.NOISE
        if inside:
            return Place.WORK
        if written:
            return Place.ENVIRONMENT if path.startswith(_KEPT) else Place.WORK
        return Place.ENVIRONMENT if self._is_code(path) else Place.WORK

    def is_work(self, path: str) -> bool:
        """Whether what was done there (made, removed) is a result."""
        return self.of(path, written=True) is Place.WORK

    def _is_code(self, path: str) -> bool:
        if path.startswith(_SYSTEM) or path in self._code:
            return True
        added = _ADDED.match(path)
        return added is not None and added[0] in self._added


def _below(folders: Iterable[str]) -> tuple[str, ...]:
    return tuple(folder.rstrip("/") + "/" for folder in folders)


class _Files:
    """Follows files through names: who was read from outside, who was written by the run.

    What was once written stays so: whether it is still there is asked at the end.
    """

    def __init__(self) -> None:
        self.known: dict[str, _File] = {}
        self.removed: set[str] = set()
        self.folders: set[str] = set()
        self._inside: dict[str, set[str]] = {}

    def take(self, event: Event) -> None:
        """The next event, in order."""
        path = event.path
        match event.action:
            case Action.READ | Action.EXECUTE:
                self._read(path, event.before)
            case Action.WRITE | Action.UPDATE | Action.SYMLINK:
                self.write(path)
            case Action.LINK if event.target is not None:
                self.write(event.target)
            case Action.FOLDER:
                self.folders.add(path)
            case Action.REMOVE:
                self._remove(path, event.before)
            case Action.RENAME if event.target is not None:
                if path in self.folders:
                    self.folders.add(event.target)
                self._remove(path, event.before)
                if event.before is None:
                    self._move(path, event.target)
                self.write(event.target)
            case Action.EXCHANGE if event.target is not None:
                self._move(path, event.target)
                self._move(event.target, path)
                self.write(path)
                self.write(event.target)

    def add_modules(self) -> None:
        """The modules whose compiled code (PEP 3147) was there and was read in their place."""
        for path, file in list(self.known.items()):
            module = _COMPILED.fullmatch(path)
            if module is not None and file.seen is not None:
                self._file(f"{module[1]}{module[2]}.py").compiled = True

    def _file(self, path: str) -> _File:
        return self.known.setdefault(path, _File())

    def _read(self, path: str, before: FileState | None) -> None:
        file = self._file(path)
        if before is not None and file.seen is None and not file.written:
            file.seen = before

    def _remove(self, path: str, before: FileState | None) -> None:
        file = self._file(path)
        if before is not None and not file.written:
            self.removed.add(path)

    def write(self, path: str) -> None:
        """Written, and known to be inside of its folders."""
        self._file(path).written = True
        while path:
            folder = path.rpartition("/")[0]
            siblings = self._inside.setdefault(folder, set())
            if path in siblings:
                return
            siblings.add(path)
            path = folder

    def _move(self, folder: str, target: str) -> None:
        """What the run wrote below ``folder`` is now below ``target``."""
        waiting = [folder]
        below: list[str] = []
        while waiting:
            inside = self._inside.get(waiting.pop(), ())
            below += inside
            waiting += inside
        for path in below:
            if path in self.known and self.known[path].written:
                self.write(target + path[len(folder) :])
