"""conda's environment.yml: its Python and its ``pip:`` list; nothing else can be locked."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from envlock.errors import UsageError
from envlock.io.files import read_text

# [channel::]name[version[=build]], as conda writes it in these files.
_SPEC = re.compile(
    r"(?:[^\s:]+::)?(?P<name>[A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(?P<version>[=<>!~ ].*)?"
)
_EXACT = re.compile(r"={1,2}\s*(?P<version>3\.[0-9]+(?:\.[0-9]+)?)(?:\.?\*)?")
# These run the environment itself; pip's part needs neither to be locked.
_OWN = {"python", "pip"}


@dataclass(frozen=True, slots=True, kw_only=True)
class CondaEnvironment:
    """What an environment.yml says to a Python locker.

    ``pip`` are (line, text) of the pip list. ``python`` is a fixed Python (``3.11``),
    ``requires_python`` a bound, where the file gives one.
    """

    pip: tuple[tuple[int, str], ...]
    python: str | None
    requires_python: str | None


def read_environment(path: Path, *, shown: str, ignore: tuple[str, ...] = ()) -> CondaEnvironment:
    """Read the file; ``ignore`` names conda packages that need not be locked (normalized).

    Raises:
        UsageError: not YAML, another shape, or conda packages beside python and pip.
    """
    pip: list[tuple[int, str]] = []
    specs: list[tuple[int, str]] = []
    for node in _dependencies(_compose(read_text(path), shown), shown):
        line = node.start_mark.line + 1
        if node.id == "scalar":
            specs.append((line, str(node.value)))
        elif node.id == "mapping":
            pip += _pip_list(node, shown)
        else:
            raise _shape(shown, line, "a package, or `pip:` with a list")
    python, bound = _packages(specs, shown, ignore)
    return CondaEnvironment(pip=tuple(pip), python=python, requires_python=bound)


def _compose(text: str, shown: str) -> Any:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        return YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f":{mark.line + 1}" if mark else ""
        raise UsageError(
            f"not YAML: {error.problem or error.context}", where=f"{shown}{line}"
        ) from None
    except YAMLError as error:
        raise UsageError(f"not YAML: {str(error).splitlines()[0]}", where=shown) from None


def _dependencies(document: Any, shown: str) -> Iterator[Any]:
    if document is None or document.id != "mapping":
        raise _shape(shown, 1, "a mapping with `dependencies:`")
    for key, value in document.value:
        if key.value != "dependencies":
            continue
        if value.id == "scalar" and value.value in ("", "null", "~"):
            return
        if value.id != "sequence":
            raise _shape(shown, value.start_mark.line + 1, "a list of packages")
        yield from value.value


def _pip_list(node: Any, shown: str) -> Iterator[tuple[int, str]]:
    for key, value in node.value:
        line = key.start_mark.line + 1
        if key.value != "pip":
            raise _shape(shown, line, f"`pip:`, not `{key.value}:`")
        if value.id != "sequence" or any(item.id != "scalar" for item in value.value):
            raise _shape(shown, line, "a list of requirements under `pip:`")
        for item in value.value:
            yield item.start_mark.line + 1, str(item.value)


def _shape(shown: str, line: int, expected: str) -> UsageError:
    return UsageError(f"expected {expected}", where=f"{shown}:{line}")


def _packages(
    specs: list[tuple[int, str]], shown: str, ignore: tuple[str, ...]
) -> tuple[str | None, str | None]:
    """The Python and its bound; every other conda package is refused, all at once."""
    python: str | None = None
    bound: str | None = None
    refused: list[tuple[int, str]] = []
    for line, text in specs:
        match = _SPEC.fullmatch(text.strip())
        if match is None:
            raise UsageError(
                f"{text!r}: expected a package such as python=3.11", where=f"{shown}:{line}"
            )
        name = match["name"].lower()
        if name == "python":
            python, bound = _python((match["version"] or "").strip(), f"{shown}:{line}", text)
        elif name not in _OWN and canonicalize_name(name) not in ignore:
            refused.append((line, match["name"]))
    if refused:
        listed = ", ".join(f"{name} (line {line})" for line, name in refused)
        names = ", ".join(f'"{name}"' for _, name in refused)
        raise UsageError(
            f"conda packages cannot be locked from a Python index: {listed}",
            where=f"{shown}:{refused[0][0]}",
            remedy="move those that the index has too under `pip:`; for those that the machine"
            f" provides, say so:\n[tool.envlock]\nconda-ignore = [{names}]",
        )
    return python, bound


def _python(version: str, where: str, text: str) -> tuple[str | None, str | None]:
    if not version:
        return None, None
    if re.match(r"[0-9]", version):  # "python 3.11", conda's older form
        version = f"={version}"
    if exact := _EXACT.fullmatch(version):
        return exact["version"], None
    try:
        return None, str(SpecifierSet(version))
    except InvalidSpecifier:
        raise UsageError(
            f"{text!r}: expected a Python such as python=3.11 or python>=3.10",
            where=where,
            remedy="builds (python=3.11=h123_0) and alternatives (3.10|3.11) cannot be locked",
        ) from None
