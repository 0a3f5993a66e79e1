"""pip's requirements format, second half: lines → wishes, constraints and indexes.

Local paths count from the project's folder (pip: from the folder it is started in), nested files
from the file that names them, ``--find-links`` as pip does. What pip would do and a lock cannot
keep is an error, never dropped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.lock.request import Wish
from envlock.project.direct import is_url
from envlock.project.document import absolute, shown_path
from envlock.project.formats.requirements_lines import (
    Line,
    Option,
    logical_lines,
    parse_line,
    read_decoded,
)
from envlock.project.indexes import find_links, index_url
from envlock.project.part import Part
from envlock.project.wishes import is_direct, make_direct_wish, make_wish, parse_requirement

_HASH = re.compile(r"sha256:[0-9a-f]{64}")

_REFUSED = {
    "prefer-binary": (
        "would choose an older wheel over a newer sdist, which a dated lock does not do",
        "take it away, or write --only-binary NAME",
    ),
    "trusted-host": (
        "would switch certificate checks off; what a lock holds is verified",
        "take it away, and name the host's CA with SSL_CERT_FILE or pip's `cert` setting",
    ),
    "use-feature": ("is a switch of pip's own workings", "take it away"),
    "config-settings": (
        "cannot be kept in a lock yet",
        "take it away, or lock a wheel built with it",
    ),
    "all-releases": ("is not supported", "write --pre, or name the pre-release: name>=2.0rc1"),
    "only-final": ("is not supported", "take it away; pre-releases are off unless asked for"),
    "no-require-hashes": ("is not supported", "take it away; the lock always holds hashes"),
}
_REFUSED |= dict.fromkeys(("config-setting", "global-option"), _REFUSED["config-settings"])


def read_requirements(path: Path, *, root: Path, where: str | None = None) -> Part:
    """Everything that a requirements file and the files it names ask for.

    Args:
        path: the file.
        root: the project's folder.
        where: the place that names the file, for the error when it is missing.

    Raises:
        UsageError: a line that cannot be read or honoured, named as ``file:line``.
    """
    reader = _Reader(root)
    reader.file(path, constraint=False, where=where)
    return reader.part()


def read_lines(lines: Iterable[tuple[int, str]], *, path: Path, root: Path) -> Part:
    """The same for lines that stand in another file (conda's ``pip:`` list) at given numbers."""
    reader = _Reader(root)
    reader.stack.append(absolute(path))
    shown = shown_path(path, root)
    for number, text in lines:
        reader.line(number, text, path=path, shown=shown, constraint=False)
    return reader.part()


class _Reader:
    """Collects what a tree of requirements files says."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stack: list[Path] = []
        self.wishes: list[Wish] = []
        self.constraints: list[Wish] = []
        self.default_index: tuple[str, str] | None = None
        self.extra_indexes: list[str] = []
        self.find_links: list[str] = []
        self.no_index = False
        self.prereleases = False
        self.formats: dict[str, list[str]] = {"only-binary": [], "no-binary": []}
        self.require_hashes: str | None = None

    def file(self, path: Path, *, constraint: bool, where: str | None) -> None:
        full = absolute(path)
        shown = shown_path(full, self.root)
        if full in self.stack:
            chain = [*self.stack[self.stack.index(full) :], full]
            names = " → ".join(shown_path(p, self.root) for p in chain)
            raise UsageError(
                f"requirements files name each other in a circle: {names}",
                where=where,
                remedy="take one of these -r or -c lines away",
            )
        text = read_decoded(full, shown, where=where)
        self.stack.append(full)
        for number, line in logical_lines(text):
            self.line(number, line, path=full, shown=shown, constraint=constraint)
        self.stack.pop()

    def line(self, number: int, text: str, *, path: Path, shown: str, constraint: bool) -> None:
        where = f"{shown}:{number}"
        line = parse_line(number, text, where=where)
        if line.requirement:
            self._requirement(line, constraint=constraint, where=where)
            return
        for name, value in line.options:
            self._option(name, value, path=path, constraint=constraint, where=where)

    def _requirement(self, line: Line, *, constraint: bool, where: str) -> None:
        hashes = tuple(dict.fromkeys(_hash(option, where) for option in line.options))
        if is_direct(line.requirement):
            wish = make_direct_wish(line.requirement, where=where, root=self.root, hashes=hashes)
        else:
            wish = make_wish(line.requirement, where=where, root=self.root, hashes=hashes)
        if hashes:
            _check_pinned(wish)
        self._add(wish, constraint=constraint)

    def _add(self, wish: Wish, *, constraint: bool) -> None:
        if not constraint:
            self.wishes.append(wish)
            return
        if wish.editable or parse_requirement(wish.text, where=wish.origin).extras:
            kind = "be editable" if wish.editable else "name extras"
            raise UsageError(
                f"a constraint cannot {kind}: {wish.text}",
                where=wish.origin,
                remedy="move the line to a requirements file",
            )
        self.constraints.append(wish)

    def _option(self, name: str, value: str, *, path: Path, constraint: bool, where: str) -> None:
        if name in _REFUSED:
            why, remedy = _REFUSED[name]
            raise UsageError(f"--{name} {why}", where=where, remedy=remedy)
        if name in ("requirement", "constraint"):
            nested = _nested(value, path.parent, where)
            # pip's rule: what a file named by -r asks for is asked for, wherever -r stands.
            self.file(nested, constraint=name == "constraint", where=where)
        elif name == "editable":
            wish = self._editable(value, where)
            self._add(wish, constraint=constraint)
        elif name == "hash":
            raise UsageError(
                "--hash without a requirement before it",
                where=where,
                remedy="end the line before with a backslash",
            )
        elif name in self.formats:
            self._format(name, value)
        else:
            self._index_option(name, value, folder=path.parent, where=where)

    def _index_option(self, name: str, value: str, *, folder: Path, where: str) -> None:
        if name in ("index-url", "pypi-url"):
            self.default_index = (index_url(value, where=where), where)
        elif name == "extra-index-url":
            self.extra_indexes.append(index_url(value, where=where))
        elif name == "find-links":
            self.find_links.append(find_links(value, folder=folder, root=self.root, where=where))
        elif name == "no-index":
            self.no_index = True
        elif name == "pre":
            self.prereleases = True
        else:
            self.require_hashes = where

    def _editable(self, text: str, where: str) -> Wish:
        if not text:
            raise UsageError("-e: expected a folder after it", where=where)
        if not is_direct(text) and re.match(r"[A-Za-z0-9][A-Za-z0-9._\[\],-]*\s*@", text):
            text = text.partition("@")[2].strip()
        return make_direct_wish(text, where=where, root=self.root, editable=True)

    def _format(self, name: str, value: str) -> None:
        """pip's rule: the last word on a package wins; ``:none:`` forgets what was said."""
        other = "no-binary" if name == "only-binary" else "only-binary"
        for item in value.split(","):
            if item == ":none:":
                self.formats[name].clear()
            elif item == ":all:":
                self.formats[other].clear()
                self.formats[name][:] = [":all:"]
            elif item:
                package = canonicalize_name(item)
                if package in self.formats[other]:
                    self.formats[other].remove(package)
                self.formats[name].append(package)

    def part(self) -> Part:
        """What was collected.

        Raises:
            UsageError: ``--require-hashes`` is there and a requirement has none.
        """
        if self.require_hashes is not None:
            for wish in self.wishes:
                if not wish.hashes and "#sha256=" not in wish.text.replace("&", "#"):
                    raise UsageError(
                        f"{wish.text} has no --hash, but {self.require_hashes} says"
                        " --require-hashes",
                        where=wish.origin,
                        remedy="add --hash=sha256:…, or take --require-hashes away: the lock"
                        " holds hashes in any case",
                    )
        default, origin = self.default_index or (None, "")
        return Part(
            wishes=tuple(dict.fromkeys(self.wishes)),
            constraints=tuple(dict.fromkeys(self.constraints)),
            prereleases=self.prereleases,
            only_binary=tuple(dict.fromkeys(self.formats["only-binary"])),
            no_binary=tuple(dict.fromkeys(self.formats["no-binary"])),
            default_index=default,
            index_origin=origin,
            extra_indexes=tuple(dict.fromkeys(self.extra_indexes)),
            find_links=tuple(dict.fromkeys(self.find_links)),
            no_index=self.no_index,
        )


def _nested(value: str, folder: Path, where: str) -> Path:
    if value.lower().startswith("file:"):
        value = unquote(urlsplit(value).path)
    elif is_url(value):
        raise UsageError(
            f"{value}: a requirements file on the network may say something else tomorrow",
            where=where,
            remedy="save it in the project and name the file",
        )
    return folder / Path(value)


def _hash(option: Option, where: str) -> str:
    name, value = option
    if name in _REFUSED:
        why, remedy = _REFUSED[name]
        raise UsageError(f"--{name} {why}", where=where, remedy=remedy)
    if name != "hash":
        raise UsageError(
            f"--{name} after a requirement", where=where, remedy="give it a line of its own"
        )
    if not _HASH.fullmatch(value.lower()):
        raise UsageError(
            f"--hash={value}: expected sha256: and 64 hex digits",
            where=where,
            remedy="only sha256 can be locked; `pip hash FILE` prints it",
        )
    return value.lower()


def _check_pinned(wish: Wish) -> None:
    """pip's rule: files can only be limited where the version is fixed."""
    requirement = parse_requirement(wish.text, where=wish.origin)
    if requirement.url is not None:
        return
    pins = [s for s in requirement.specifier if s.operator in ("==", "===")]
    if not any(not pin.version.endswith(".*") for pin in pins):
        raise UsageError(
            f"{wish.text} has a --hash but no fixed version",
            where=wish.origin,
            remedy="pin it with ==, or take the --hash away",
        )
