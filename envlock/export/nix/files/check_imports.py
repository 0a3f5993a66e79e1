"""Import the top-level modules of distributions: check_imports.py NAME…"""

from __future__ import annotations

import importlib
import importlib.metadata
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import PurePosixPath


def modules(name: str) -> list[str]:
    """What can be imported of a distribution, without what is private."""
    found = set()
    for file in importlib.metadata.files(name) or ():
        path = PurePosixPath(file)
        suffixes = (*EXTENSION_SUFFIXES, ".py")
        if path.parts[0] == ".." or not path.name.endswith(suffixes):
            continue
        top = path.parts[0]
        for suffix in suffixes:
            if len(path.parts) == 1 and top.endswith(suffix):
                top = top[: -len(suffix)]
        if top.isidentifier() and not top.startswith("_"):
            found.add(top)
    return sorted(found)


def main(names: list[str]) -> None:
    """Import all; the first that fails ends it, with its own message."""
    for name in names:
        for module in modules(name):
            importlib.import_module(module)
            sys.stdout.write(f"{name} {importlib.metadata.version(name)}: {module}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
