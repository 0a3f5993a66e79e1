"""pip's requirements format, first half: bytes → text → logical lines → options and requirement.

The rules are those of https://pip.pypa.io/en/stable/reference/requirements-file-format/.
"""

from __future__ import annotations

import codecs
import os
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from envlock.errors import UsageError
from envlock.io.files import read_bytes
from envlock.project.direct import refuse_credentials
from envlock.project.document import nearest

_COMMENT = re.compile(r"(^|\s+)#.*$")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")
_QUOTING = re.compile(r"""['"\\]""")
_CODING = re.compile(rb"coding[:=]\s*([-\w.]+)")
# UTF-32's mark starts with UTF-16's: the longer one must be tried first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)

_SHORT = {"-r": "requirement", "-c": "constraint", "-e": "editable", "-i": "index-url"}
_SHORT |= {"-f": "find-links", "-C": "config-settings"}
_WITH_VALUE = {
    "requirement",
    "constraint",
    "editable",
    "index-url",
    "pypi-url",
    "extra-index-url",
    "find-links",
    "no-binary",
    "only-binary",
    "hash",
    "trusted-host",
    "use-feature",
    "config-settings",
    "config-setting",
    "global-option",
    "all-releases",
    "only-final",
}
_FLAGS = {"no-index", "pre", "prefer-binary", "require-hashes", "no-require-hashes"}

Option = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One logical line: a requirement with its options, or options alone.

    ``options`` are (long name without dashes, value); a flag's value is empty.
    """

    number: int
    requirement: str
    options: tuple[Option, ...]


def read_decoded(path: Path, shown: str, *, where: str | None = None) -> str:
    """The file's text: by its byte-order mark, its ``coding:`` comment, or UTF-8.

    ``where`` is the place that names the file, for a missing one.

    Raises:
        UsageError: missing, unreadable, or in another encoding.
    """
    try:
        data = read_bytes(path)
    except FileNotFoundError:
        raise UsageError(f"no such file: {shown}", where=where) from None
    except (OSError, ValueError) as error:  # ValueError: a null byte in the name
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(f"cannot read {shown!r}: {why}", where=where) from None
    encoding = "utf-8"
    for mark, name in _MARKS:
        if data.startswith(mark):
            data, encoding = data[len(mark) :], name
            break
    else:
        for line in data.split(b"\n")[:2]:
            if line.startswith(b"#") and (match := _CODING.search(line)):
                encoding = match[1].decode("ascii")
    try:
        return data.decode(encoding)
    except LookupError:
        raise UsageError(f"unknown encoding {encoding!r}", where=f"{shown}:1") from None
    except UnicodeDecodeError as error:
        raise UsageError(
            f"not {encoding} (byte {error.start})",
            where=shown,
            remedy="save the file as UTF-8, or name its encoding: # -*- coding: latin-1 -*-",
        ) from None


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined and comments gone; numbers are of the first line of each."""
    start = 0
    held: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        comment = _COMMENT.match(line) is not None
        if not held:
            start = number
        if line.endswith("\\") and not comment:
            held.append(line.strip("\\"))
            continue
        # A comment ends a continued line; the space lets the pattern see it as one.
        held.append(f" {line}" if comment else line)
        if stripped := _COMMENT.sub("", "".join(held)).strip():
            yield start, stripped
        held = []
    if stripped := _COMMENT.sub("", "".join(held)).strip():
        yield start, stripped


def parse_line(number: int, text: str, *, where: str) -> Line:
    """Split one logical line into its requirement and its options, ``${VARIABLES}`` filled in.

    Raises:
        UsageError: an unknown option, a missing value, a variable that is not set.
    """
    text = _VARIABLE.sub(lambda match: _variable(match[1], where), text)
    refuse_credentials(text, where=where)
    editable = re.fullmatch(r"(?:-e|--editable)(?:\s+|=)(?P<rest>.*)", text)
    if editable:
        # Not split as a shell would: a marker's own quotes must stay.
        rest = editable["rest"].strip()
        if rest[:1] in "\"'" and rest[:1] == rest[-1:]:
            rest = rest[1:-1]
        return Line(number=number, requirement="", options=(("editable", rest),))
    words = text.split(" ")
    first = next((i for i, word in enumerate(words) if word.startswith("-")), len(words))
    requirement = " ".join(words[:first]).strip()
    options = tuple(_options(" ".join(words[first:]), where))
    return Line(number=number, requirement=requirement, options=options)


def _variable(name: str, where: str) -> str:
    value = os.environ.get(name)
    if not value:
        raise UsageError(
            f"${{{name}}}: the environment variable {name} is not set",
            where=where,
            remedy=f"export {name}=…, or write the value",
        )
    return value


def _options(text: str, where: str) -> Iterator[Option]:
    try:
        # shlex goes letter by letter: a compiled file has thousands of hashes to split.
        words = shlex.split(text) if _QUOTING.search(text) else text.split()
    except ValueError as error:
        raise UsageError(f"{text!r}: {error}", where=where, remedy="close the quotes") from None
    position = 0
    while position < len(words):
        name, value = _option_word(words[position], where)
        position += 1
        if name in _WITH_VALUE and value is None:
            if position == len(words):
                raise UsageError(f"--{name}: expected a value after it", where=where)
            value = words[position]
            position += 1
        yield name, value or ""


def _option_word(word: str, where: str) -> tuple[str, str | None]:
    """(long name, value given in the same word) of one option word."""
    if not word.startswith("-"):
        raise UsageError(
            f"{word!r}: expected an option (--hash=…) or the end of the line", where=where
        )
    value: str | None = None
    if word.startswith("--"):
        name, equals, rest = word[2:].partition("=")
        value = rest if equals else None
    else:
        name = _SHORT.get(word[:2], word)
        value = word[2:].removeprefix("=") or None
    if name in _FLAGS and value is None:
        return name, None
    if name in _WITH_VALUE:
        return name, value
    raise UsageError(
        f"unknown option {word.partition('=')[0]}",
        where=where,
        remedy=nearest(name, _WITH_VALUE | _FLAGS),
    )
