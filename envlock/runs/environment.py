"""The environment of a run: what the lock says, and what is really installed.

What was looked at once is remembered with the stamps of the files that it was made from, so that
a run in an unchanged environment costs some calls of ``stat``.
"""

from __future__ import annotations

import json
import os
import re

from envlock.io import once
from envlock.io.cache import DiskCache
from envlock.io.child import find_program
from envlock.io.sha256 import hex_of
from envlock.runs.data import shown_path

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

_KIND = "run-environments-1"
_DPKG = "/var/lib/dpkg/status"
_PYTHON = r"(?:python|pypy)[0-9.]*"
# Patterns are texts: a run compiles only those that it needs.
_HASH = rb'(?m)^environment-hash = "(env1-[0-9a-f]{64})"$'
_SEPARATORS = r"[-_.]+"
# How installers begin a script: with the path of Python, or with a shell where that is too long.
_SCRIPT = (
    rb"#!(?:(/[^\n]*)/bin/python[0-9.]*\n"
    rb"|/bin/sh\n'''exec' '?(/[^\n']*)/bin/python[0-9.]*')"
)
_START = 8192


class LockFacts:
    """The lockfile as it is before the run: its text's digest and its environment hash."""

    __slots__ = ("environment_hash", "path", "problem", "sha256", "text")

    def __init__(self, path: str, *, valid: Callable[[str], str]) -> None:
        """Read it.

        Args:
            path: the lockfile.
            valid: examines the lock there as a whole and gives its environment hash; it is asked
                once for each content, and raises EnvlockError for what is no lock.
        """
        from envlock.errors import EnvlockError

        self.path = path
        self.problem: str | None = None
        self.environment_hash: str | None = None
        self.text: bytes | None = None
        self.sha256: str | None = None
        try:
            self.text = once.read(path)
        except FileNotFoundError:
            self.problem = "there is no lock"
            return
        except OSError as error:
            self.problem = f"cannot be read: {error.strerror}"
            return
        self.sha256 = hex_of(self.text)
        said = re.search(_HASH, self.text)
        known = DiskCache(_KIND).get(f"lock {self.sha256}")
        if known is not None and said is not None and known == said[1]:
            self.environment_hash = known.decode("ascii")
            return
        try:
            self.environment_hash = valid(path)
        except EnvlockError as error:
            self.problem = error.what
            return
        DiskCache(_KIND).put(f"lock {self.sha256}", self.environment_hash.encode())

    def facts(self, root: str) -> dict[str, str]:
        """For the record; the path is relative to ``root``."""
        found = {"path": shown_path(self.path, root)}
        if self.sha256 is not None:
            found["sha256"] = self.sha256
        if self.problem is not None:
            found["problem"] = self.problem
        return found


class Realised:
    """What is installed where the command runs; ``how`` says why it is that environment.

    ``own`` is where the project's environment is, or would be.
    """

    def __init__(self, argv: list[str], environment: Mapping[str, str], own: str) -> None:
        self.program = find_program(argv[0], environment)
        self.own = own
        self.prefix, self.how = _prefix(self.program, argv[0], environment, own)
        self.python = None if self.prefix is None else _version(self.prefix)
        sites = [] if self.prefix is None else _site_packages(self.prefix)
        self._packages = _Listed(sites, _distributions)
        self._os = _Listed([_DPKG] if os.path.exists(_DPKG) else [], _dpkg)

    @property
    def key(self) -> str:
        """Another one when anything of this has changed."""
        parts = [self.prefix, self.how, self.python, self._packages.key, self._os.key]
        return hex_of(json.dumps(parts).encode())

    @property
    def foreign(self) -> bool:
        """Whether it is another environment than the project's."""
        if self.prefix is None:
            return self.how == "another-python"
        return os.path.realpath(self.prefix) != os.path.realpath(self.own)

    @property
    def way_home(self) -> str:
        """What to type to be in the project's environment."""
        if not _is_venv(self.own):
            return "envlock sync makes the project's"
        import shlex

        activate = os.path.join(os.path.relpath(self.own), "bin", "activate")
        return f"to use the project's: . {shlex.quote(activate)}"

    def facts(
        self, keep: Callable[[bytes], str], has: Callable[[str], bool] | None = None
    ) -> dict[str, Any]:
        """For the record; lists of packages are kept by digest, as many runs share them.

        Args:
            keep: takes content, gives its digest.
            has: whether a digest's content is kept already; what is, is not made again.
        """
        python: dict[str, Any] = {"found-by": self.how}
        if self.prefix is not None:
            python |= {"prefix": self.prefix, "version": self.python}
            named = _scripts_prefix(self.prefix)
            if named not in (None, self.prefix):
                python["scripts-prefix"] = named
            python |= self._packages.facts(keep, has)
        facts: dict[str, Any] = {"program": self.program, "python": python}
        of_os = self._os.facts(keep, has)
        if of_os["packages"]:
            facts["os"] = of_os
        blas = sorted(_blas(self.prefix)) if self.prefix is not None else []
        return facts | ({"blas": blas} if blas else {})


class _Listed:
    """A list of packages, from memory where all stamps are as they were."""

    def __init__(self, paths: list[str], look: Callable[[str], list[list[str]]]) -> None:
        self._paths, self._look = paths, look
        self._keys = [f"{path!a} {_stamps(path)}" for path in paths]
        self.key = hex_of("\n".join(self._keys).encode())

    def facts(
        self, keep: Callable[[bytes], str], has: Callable[[str], bool] | None
    ) -> dict[str, Any]:
        """How many there are, and the digest of their list."""
        cache = DiskCache(_KIND)
        known = cache.get(f"list {self.key}")
        if known is not None and has is not None:
            facts: dict[str, Any] = json.loads(known)
            if has(facts["packages-sha256"]):
                return facts
        rows = sorted(
            row for one in zip(self._paths, self._keys, strict=True) for row in self._rows(*one)
        )
        facts = {"packages": len(rows), "packages-sha256": keep(_lines(rows))}
        cache.put(f"list {self.key}", json.dumps(facts).encode())
        return facts

    def _rows(self, path: str, key: str) -> list[list[str]]:
        cache = DiskCache(_KIND)
        known = cache.get(key)
        if known is not None:
            rows: list[list[str]] = json.loads(known)
            return rows
        rows = self._look(path)
        cache.put(key, json.dumps(rows).encode())
        return rows


def has_package(name: str, argv: list[str], environment: Mapping[str, str], own: str) -> bool:
    """Whether the virtual environment that a command uses has a package of that name to import."""
    prefix, _ = _prefix(find_program(argv[0], environment), argv[0], environment, own)
    return prefix is not None and any(
        os.path.isdir(os.path.join(folder, name)) for folder in _site_packages(prefix)
    )


def _lines(rows: list[list[str]]) -> bytes:
    """A JSON list with one row a line: plain to read, small to compare."""
    rows_ = (json.dumps(row, ensure_ascii=False, separators=(",", ":")) for row in rows)
    return ("[\n" + ",\n".join(rows_) + "\n]\n").encode("utf-8", "backslashreplace")


def _prefix(
    program: str | None, name: str, environment: Mapping[str, str], own: str
) -> tuple[str | None, str]:
    """The virtual environment that a command uses: its own one, the active one, the project's."""
    if program is not None:
        folder = os.path.dirname(os.path.dirname(os.path.abspath(program)))
        if _is_venv(folder):
            return folder, "program"
        if re.fullmatch(_PYTHON, os.path.basename(name)):
            return None, "another-python"
    active = environment.get("VIRTUAL_ENV")
    if active and _is_venv(active):
        return os.path.abspath(active), "VIRTUAL_ENV"
    return (own, "project") if _is_venv(own) else (None, "none")


def _is_venv(folder: str) -> bool:
    return os.path.isfile(os.path.join(folder, "pyvenv.cfg"))


def _version(prefix: str) -> str | None:
    try:
        text = once.read(os.path.join(prefix, "pyvenv.cfg")).decode("utf-8", "replace")
    except OSError:
        return None
    found = re.search(r"^version(?:_info)?\s*=\s*([0-9]+\.[0-9]+\.[0-9]+\S*)", text, re.M)
    return found[1] if found else None


def _site_packages(prefix: str) -> list[str]:
    found = []
    for lib in ("lib", "lib64"):
        folder = os.path.join(prefix, lib)
        if lib == "lib64" and os.path.islink(folder):
            continue
        try:
            names = sorted(os.listdir(folder))
        except OSError:
            continue
        found += [
            os.path.join(folder, name, "site-packages")
            for name in names
            if name.startswith(("python3", "pypy3"))
            and os.path.isdir(os.path.join(folder, name, "site-packages"))
        ]
    return found


def _scripts_prefix(prefix: str) -> str | None:
    """The environment's folder as its scripts name it: it was moved since, or this is a link."""
    folder = os.path.join(prefix, "bin")
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return None
    for name in names:
        try:
            with open(os.path.join(folder, name), "rb") as file:
                found = re.match(_SCRIPT, file.read(_START))
        except OSError:
            continue
        if found is not None:
            return os.fsdecode(found[1] or found[2])
    return None


def _stamps(path: str) -> str:
    """A digest of the stamps of a file, or of all RECORDs in a folder."""
    if not os.path.isdir(path):
        return _stamp(path)
    names = sorted(n for n in os.listdir(path) if n.endswith((".dist-info", ".egg-info")))
    text = "\n".join(f"{n!a} {_stamp(os.path.join(path, n, 'RECORD'))}" for n in names)
    return hex_of(text.encode())


def _stamp(path: str) -> str:
    try:
        found = os.stat(path)
    except OSError:
        return "-"
    return f"{found.st_size} {found.st_mtime_ns} {found.st_ctime_ns} {found.st_ino}"


def _distributions(folder: str) -> list[list[str]]:
    """Name, version and the SHA-256 of RECORD (empty where there is none) of each."""
    found = []
    for entry in sorted(os.listdir(folder)):
        stem, dot, kind = entry.rpartition(".")
        if not dot or kind not in ("dist-info", "egg-info"):
            continue
        name, _, version = stem.partition("-")
        try:
            digest = hex_of(once.read(os.path.join(folder, entry, "RECORD")))
        except OSError:
            digest = ""
        found.append([re.sub(_SEPARATORS, "-", name).lower(), version.partition("-py3")[0], digest])
    return found


def _dpkg(path: str) -> list[list[str]]:
    """Name, architecture, version and state of each package that dpkg has."""
    found = []
    for paragraph in once.read(path).decode("utf-8", "replace").split("\n\n"):
        fields = dict(
            line.split(": ", 1)
            for line in paragraph.split("\n")
            if line.startswith(("Package: ", "Status: ", "Version: ", "Architecture: "))
        )
        state = fields.get("Status", "").rpartition(" ")[2]
        if state not in ("", "not-installed", "config-files"):
            names = ("Package", "Architecture", "Version")
            found.append([*(fields.get(name, "") for name in names), state])
    return found


def _blas(prefix: str) -> list[str]:
    """The libraries of linear algebra that wheels brought along, by file name."""
    found = []
    for folder in _site_packages(prefix):
        for package in ("numpy.libs", "scipy.libs", "mkl"):
            path = os.path.join(folder, package)
            if os.path.isdir(path):
                names = os.listdir(path)
                found += [f"{package}/{n}" for n in names if "blas" in n or "mkl_rt" in n]
    return found
