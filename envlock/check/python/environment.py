"""An environment as it is: interpreter, packages and content, read once and then remembered.

The second look costs the stamps of its files (``io.index``): while none of them moved, what was
said the first time holds, word for word.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from envlock.check.drift import Code, drift
from envlock.check.python.content import Content, compare_content
from envlock.check.python.observe import DirectUrl, Distribution, Observed, observe_interpreter
from envlock.check.python.owned import Finding, Origin, Place, read_installed
from envlock.check.reader import Reader
from envlock.io.content import index
from envlock.io.content.beside import Beside
from envlock.io.content.scan import Scan, scan
from envlock.io.interpreters import Interpreter
from envlock.lock.installed import BuiltWheel, Note

_KIND = "environment-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What an environment is; ``build`` is that of a Python of python-build-standalone.

    ``record`` is that in ``io.index`` of what was looked at: its key, and when it was made.
    """

    interpreter: Interpreter
    build: str | None
    observed: Observed
    content: Content
    record: tuple[str, int]


def remembered(python: Path) -> Environment | None:
    """The virtual environment of an interpreter, where nothing moved since the last ``look``."""
    key = key_of(python)
    kept = index.load(key)
    if not kept.holds():
        return None
    try:
        return _from_json(kept.verdict, (key, kept.since))
    except (KeyError, TypeError, ValueError):
        return None


@contextmanager
def _without_collecting() -> Iterator[None]:
    """Python looks for garbage the more often, the more there is; here hardly any is made."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


class Walk:
    """The scan of folders, which a process beside this one makes."""

    def __init__(self, *roots: str) -> None:
        self.since = time.time_ns()
        self.roots = roots
        self._work = Beside(lambda: scan(roots).packed())

    def scan(self, others: tuple[str, ...]) -> Scan:
        """What was found, and single paths; to be asked for once."""
        found = Scan.unpacked(self._work.result())
        for path in others:
            found.add(path)
        return found

    def forget(self) -> None:
        """Nobody needs it."""
        self._work.forget()


@_without_collecting()
def look(
    interpreter: Interpreter, *, virtual: bool, paranoid: bool = False, walk: Walk | None = None
) -> Environment:
    """Read the environment of an interpreter; of files that did not move, what is known of them.

    Args:
        interpreter: just asked.
        virtual: whether it is of a virtual environment, which is nobody else's.
        paranoid: read every file again.
        walk: of the environment's folder, where it has begun already.
    """
    key = key_of(interpreter.executable)
    place = _place(interpreter, virtual=virtual)
    roots = (place.prefix,) if virtual else place.sites
    if virtual and not all(site.startswith(place.prefix + "/") for site in place.sites):
        roots = (*roots, *(s for s in place.sites if not s.startswith(place.prefix + "/")))
    if walk is None or walk.roots != roots:
        walk = Walk(*roots)
    observed = observe_interpreter(interpreter)
    recorded = read_installed(observed.distributions)
    before = index.Index() if paranoid else index.load(key)
    found = walk.scan(_of_base(interpreter))
    reader = Reader(before.facts(found))
    content = compare_content(
        place,
        recorded,
        found,
        reader.read,
        base=interpreter.base_prefix,
        siphash13=_newer(interpreter.series),
    )
    environment = Environment(
        interpreter=interpreter,
        build=_build(interpreter),
        observed=observed,
        content=content,
        record=(key, walk.since),
    )
    index.keep(
        key,
        found,
        reader.said,
        verdict=_to_json(environment),
        since=walk.since,
        whole=not reader.failed,
    )
    return environment


def key_of(python: Path) -> str:
    """The environment's key in ``io.index``."""
    return f"{_KIND}\0{python}"


def _place(interpreter: Interpreter, *, virtual: bool) -> Place:
    sites: dict[str, str] = {}
    for folder in (interpreter.purelib, interpreter.platlib):
        sites.setdefault(os.path.realpath(folder), str(folder))
    prefix = str(interpreter.prefix)
    programs = os.path.join(prefix, "bin") if virtual else None
    return Place(prefix=prefix, sites=tuple(sites.values()), programs=programs)


def _of_base(interpreter: Interpreter) -> tuple[str, ...]:
    """Files below the environment that change when its Python is another one."""
    base = interpreter.base_prefix
    real = os.path.realpath(interpreter.executable)
    library = base / "lib"
    paths = (real, str(library), str(library / f"python{interpreter.series}"), str(base / "BUILD"))
    return tuple(dict.fromkeys(paths))


def _build(interpreter: Interpreter) -> str | None:
    """The release of python-build-standalone, which uv writes beside what it unpacks."""
    try:
        return (interpreter.base_prefix / "BUILD").read_text("ascii").strip() or None
    except (OSError, UnicodeDecodeError):
        return None


def _newer(series: str) -> bool:
    return tuple(int(part) for part in series.split(".")) >= (3, 11)


def _to_json(found: Environment) -> dict[str, Any]:
    python = found.interpreter
    return {
        "interpreter": {
            "executable": str(python.executable),
            "version": python.version,
            "implementation": python.implementation,
            "platform": python.platform,
            "prefix": str(python.prefix),
            "base_prefix": str(python.base_prefix),
            "purelib": str(python.purelib),
            "platlib": str(python.platlib),
        },
        "build": found.build,
        "distributions": [
            [d.name, d.version, str(d.path), d.problem, _url_to_json(d.direct_url)]
            for d in found.observed.distributions
        ],
        "findings": [
            [f.package, f.drift.code, f.drift.subject, f.drift.expected, f.drift.found]
            for f in found.content.findings
        ],
        "origins": [
            [o.name, o.note and _note_to_json(o.note), o.tags] for o in found.content.origins
        ],
    }


def _note_to_json(note: Note) -> list[str]:
    built = note.built
    more = [] if built is None else [built.file, built.sha256, built.inputs]
    return [note.file, note.sha256, note.record, *more]


def _note_from_json(file: str, sha256: str, record: str, *more: str) -> Note:
    built = None
    if more:
        name, digest, inputs = more
        built = BuiltWheel(file=name, sha256=digest, inputs=inputs)
    return Note(file=file, sha256=sha256, record=record, built=built)


def _url_to_json(url: DirectUrl | None) -> list[object] | None:
    if url is None:
        return None
    return [url.kind, url.url, url.commit, url.sha256, url.editable, url.subdirectory]


def _from_json(table: Any, record: tuple[str, int]) -> Environment:
    paths = ("executable", "prefix", "base_prefix", "purelib", "platlib")
    python: dict[str, Any] = {
        key: Path(value) if key in paths else value for key, value in table["interpreter"].items()
    }
    interpreter = Interpreter(**python)
    distributions = tuple(
        Distribution(
            name=name,
            version=version,
            path=Path(path),
            problem=problem,
            direct_url=None if url is None else _url_from_json(url),
        )
        for name, version, path, problem, url in table["distributions"]
    )
    observed = Observed(
        prefix=interpreter.prefix,
        version=interpreter.version,
        implementation=interpreter.implementation,
        distributions=distributions,
    )
    findings = tuple(
        Finding(package, drift(Code(code), subject, expected=expected, found=there))
        for package, code, subject, expected, there in table["findings"]
    )
    origins = tuple(
        Origin(
            name=name,
            note=None if note is None else _note_from_json(*note),
            tags=tuple(tags),
        )
        for name, note, tags in table["origins"]
    )
    return Environment(
        interpreter=interpreter,
        build=table["build"],
        observed=observed,
        content=Content(findings=findings, origins=origins),
        record=record,
    )


def _url_from_json(url: list[Any]) -> DirectUrl:
    kind, text, commit, sha256, editable, subdirectory = url
    return DirectUrl(
        kind=kind,
        url=text,
        commit=commit,
        sha256=sha256,
        editable=editable,
        subdirectory=subdirectory,
    )
