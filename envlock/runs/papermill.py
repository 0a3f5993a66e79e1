"""What the command line of papermill says: which notebook is read and which is written, and the
parameters that it gets (``papermill IN [OUT] -p NAME VALUE -r NAME TEXT -f FILE``)."""

from __future__ import annotations

import os

from envlock.runs.parameters import from_file, typed

TYPE_CHECKING = False  # typing's own costs its import
if TYPE_CHECKING:
    from typing import Any

_PAIRS = {"-p": True, "--parameters": True, "-r": False, "--parameters_raw": False}
"""Options with a name and a value, and whether the value is more than text."""
_FILES = ("-f", "--parameters_file")
_SINGLE = (
    *("-y", "--parameters_yaml", "-b", "--parameters_base64", "-k", "--kernel", "-l", "--language"),
    *("--engine", "--cwd", "--execution-timeout", "--start-timeout", "--execution_timeout"),
    *("--start_timeout", "--prepare-execution", "--autosave-cell-every", "--stdout-file"),
    *("--stderr-file", "--request-save-on-cell-execute"),
)
"""Options with one value, which is no notebook."""


class Papermill:
    """``params``, and the notebooks' paths as given: None where it is none, or not on this disk."""

    def __init__(self, arguments: list[str]) -> None:
        self.params: dict[str, Any] = {}
        self._notebooks: list[str] = []
        rest = list(arguments)
        while rest:
            self._take(rest.pop(0), rest)
        one, two = (*self._notebooks, "", "")[:2]
        self.input, self.output = _local(one), _local(two)

    def _take(self, argument: str, rest: list[str]) -> None:
        name, equals, value = argument.partition("=")
        if argument in _PAIRS and len(rest) > 1:
            named, text = rest.pop(0), rest.pop(0)
            self.params[named] = typed(text) if _PAIRS[argument] else text
        elif name in _FILES and (equals or rest):
            path = value if equals else rest.pop(0)
            if _local(path) and os.path.isfile(path):
                self.params |= from_file(path)
        elif argument in _SINGLE and rest:
            del rest[0]
        elif argument == "-" or not argument.startswith("-"):
            self._notebooks.append(argument)


def papermill(argv: list[str]) -> Papermill | None:
    """What the command says; None where it is not papermill's."""
    for start in range(len(argv)):
        if os.path.basename(argv[start]) == "papermill" and (
            start == 0 or argv[start - 1] == "-m" or argv[start - 1].rpartition("/")[2] in _RUNNERS
        ):
            return Papermill(argv[start + 1 :])
    return None


_RUNNERS = ("run", "python", "python3")
"""What may stand before it: ``uv run papermill``, ``python path/to/papermill``."""


def _local(path: str) -> str | None:
    return None if not path or path == "-" or "://" in path else path
