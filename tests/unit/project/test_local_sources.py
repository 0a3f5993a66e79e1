"""What local paths hold, as far as a lock's answer depends on it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.lock.request import Wish
from envlock.project.local_sources import local_sources

Write = Callable[[str, str], Path]
STATIC = '[project]\nname = "lib"\nversion = "1"\ndependencies = ["deep"]\n'
DYNAMIC = '[project]\nname = "lib"\ndynamic = ["dependencies", "version"]\n'
FROM_FILE = DYNAMIC + '[tool.setuptools.dynamic]\ndependencies = { file = "needs.txt" }\n'


def seen(root: Path, text: str = "lib @ file:lib") -> tuple[str, ...]:
    return local_sources([Wish(text=text)], root)


@pytest.mark.parametrize(
    ("before", "path", "after", "asks_other"),
    [
        (STATIC, "lib/pyproject.toml", STATIC.replace('"1"', '"2"'), False),
        (STATIC, "lib/pyproject.toml", STATIC + "[tool.ruff]\n", False),
        (STATIC, "lib/src/lib.py", "x = 1\n", False),
        (STATIC, "lib/pyproject.toml", STATIC.replace("deep", "deep>=2"), True),
        (STATIC, "lib/pyproject.toml", STATIC + '[project.optional-dependencies]\nx=["y"]', True),
        (STATIC, "lib/pyproject.toml", STATIC + 'requires-python = ">=3.9"\n', True),
        (STATIC, "lib/pyproject.toml", STATIC + '[tool.uv.sources]\ndeep={path="../d"}', True),
        (DYNAMIC, "lib/src/lib.py", "x = 1\n", False),
        (DYNAMIC, "lib/setup.py", "x = 1\n", True),
        (DYNAMIC, "lib/setup.cfg", "[options]\n", True),
        (DYNAMIC, "lib/requirements-base.txt", "deep\n", True),
        (FROM_FILE, "lib/needs.txt", "deep\n", True),
        (FROM_FILE, "lib/README.txt", "deep\n", False),
    ],
)
def test_what_a_tree_asks_for(
    tmp_path: Path, write: Write, before: str, path: str, after: str, asks_other: bool
) -> None:
    write("lib/pyproject.toml", before)
    first = seen(tmp_path)
    write(path, after)
    assert (seen(tmp_path) != first) is asks_other


def test_a_tree_without_pyproject(tmp_path: Path, write: Write) -> None:
    write("lib/setup.py", "setup()\n")
    first = seen(tmp_path)
    write("lib/setup.py", "setup(install_requires=['deep'])\n")
    assert seen(tmp_path) != first


def test_paths_are_named_as_wishes_have_them(tmp_path: Path, write: Write) -> None:
    write("a b/sub/pyproject.toml", STATIC)
    [one] = seen(tmp_path, "lib @ file:a%20b#subdirectory=sub")
    assert one.startswith("a b#sub sha256:")
    assert seen(tmp_path, "lib>=1") == seen(tmp_path, "lib @ https://example.org/lib.whl") == ()


def test_archives_of_no_stated_digest(tmp_path: Path, write: Write) -> None:
    path = write("lib-1.0-py3-none-any.whl", "wheel")
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert seen(tmp_path, f"lib @ file:{path.name}") == (f"{path.name} sha256:{digest}",)
    assert seen(tmp_path, f"lib @ file:{path.name}#sha256={digest}") == ()


def test_a_broken_tree_is_named(tmp_path: Path, write: Write) -> None:
    path = write("lib/pyproject.toml", "[project\n")
    with pytest.raises(UsageError, match="not TOML") as caught:
        seen(tmp_path)
    assert caught.value.where == str(path)
