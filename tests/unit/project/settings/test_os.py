"""[tool.envlock.os]: libraries that wheels need."""

from __future__ import annotations

import pytest

from envlock.errors import UsageError
from envlock.project.document import parse_toml
from envlock.project.settings.os import OsWishes, read_os

PATH = ("tool", "envlock", "os")


def read(body: str) -> OsWishes | None:
    text = f'[tool.envlock.os]\nbase = "debian:bookworm"\n{body}\n'
    document = parse_toml(text, "pyproject.toml")
    return read_os(document, PATH, document.table["tool"]["envlock"]["os"])


def test_libraries_are_looked_for_and_not_added() -> None:
    found = read("")
    assert found is not None
    assert (found.libraries, found.auto, found.ignore_libraries) == (True, False, ())
    found = read('auto = true\nignore-libraries = ["libcuda.so.1"]')
    assert found is not None
    assert (found.auto, found.ignore_libraries) == (True, ("libcuda.so.1",))
    assert read("libraries = false") != read("")


@pytest.mark.parametrize(
    ("body", "what", "line"),
    [
        ('libraries = "no"', "libraries: expected true or false", 3),
        ("auto = 1", "auto: expected true or false", 3),
        ('ignore-libraries = "libcuda.so.1"', "ignore-libraries: expected a list of texts", 3),
        ("libraries = false\nauto = true", "auto = true adds what libraries = false does not", 4),
        ("ignored-libraries = []", "unknown key tool.envlock.os.ignored-libraries", 3),
    ],
)
def test_refused(body: str, what: str, line: int) -> None:
    with pytest.raises(UsageError) as caught:
        read(body)
    assert what in caught.value.what
    assert caught.value.where == f"pyproject.toml:{line}"
