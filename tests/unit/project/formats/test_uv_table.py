"""[tool.uv], uv.toml and [tool.uv.sources]: what is honoured, what is refused by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.project.document import parse_toml
from envlock.project.formats.pyproject import read_project
from envlock.project.formats.uv_table import (
    PYPROJECT_BASE,
    exclude_newer,
    read_uv_dependencies,
    read_uv_options,
)
from envlock.project.part import Part, merge

Write = Callable[[str, str], Path]
Read = Callable[[str], Part]


@pytest.fixture
def read(tmp_path: Path, write: Write) -> Read:
    write("wheels/x", "")
    write("lib/pyproject.toml", '[project]\nname = "lib"\n')
    write("foo-1.0-py3-none-any.whl", "")

    def read_uv(body: str) -> Part:
        document = parse_toml(f"[tool.uv]\n{body}\n", "pyproject.toml")
        return merge(
            [
                read_project(document, root=tmp_path),
                read_uv_dependencies(document, root=tmp_path),
                read_uv_options(document, PYPROJECT_BASE, root=tmp_path),
            ]
        )

    return read_uv


def test_nothing(read: Read) -> None:
    assert read("") == Part()


def test_constraints_overrides_formats(read: Read) -> None:
    part = read(
        'constraint-dependencies = ["Numpy<3", "scipy>=1"]\n'
        'override-dependencies = ["lib>=9"]\n'
        'prerelease = "allow"\n'
        'no-build-package = ["My_A"]\n'
        "no-binary = true\n"
        '[tool.uv.sources]\nlib = { path = "lib" }\n'
    )
    assert [w.text for w in part.constraints] == ["numpy<3", "scipy>=1"]
    assert part.constraints[1].origin == "pyproject.toml:2"
    assert [w.text for w in part.overrides] == ["lib @ file:lib"]
    assert part.prereleases
    assert (part.only_binary, part.no_binary) == (("my-a",), (":all:",))


def test_indexes_in_uvs_order(read: Read) -> None:
    part = read(
        'index-url = "https://old.example.org/simple"\n'
        'extra-index-url = ["https://x.example.org/simple/"]\n'
        'find-links = ["./wheels", "https://f.example.org/"]\n'
        '[[tool.uv.index]]\nurl = "https://a.example.org/simple"\n'
        '[[tool.uv.index]]\nurl = "https://d.example.org/simple"\ndefault = true\n'
        '[[tool.uv.index]]\nurl = "https://e.example.org/simple"\nexplicit = true\nname = "e"\n'
        '[[tool.uv.index]]\nurl = "wheels"\nformat = "flat"\n'
    )
    assert part.default_index == "https://d.example.org/simple"
    assert part.index_origin == "pyproject.toml:8"
    assert part.extra_indexes == ("https://a.example.org/simple", "https://x.example.org/simple")
    assert part.find_links == ("wheels", "https://f.example.org/")


def test_old_keys(read: Read) -> None:
    part = read('index-url = "https://old.example.org/simple"\n')
    assert part.default_index == "https://old.example.org/simple"
    part = read("no-index = true\n")
    assert part.no_index


def test_keys_of_uvs_own_are_left_alone(read: Read) -> None:
    body = (
        'managed = true\npackage = false\ndefault-groups = ["dev"]\nresolution = "highest"\n'
        'environments = ["sys_platform == \'linux\'"]\nprerelease = "if-necessary-or-explicit"\n'
        '[tool.uv.pip]\nno-deps = true\n[tool.uv.workspace]\nmembers = ["a"]\n'
    )
    assert read(body) == Part()


def test_a_uv_toml_may_hold_credentials_since_its_indexes_are_read_elsewhere(
    tmp_path: Path,
) -> None:
    text = 'prerelease = "allow"\n[[index]]\nurl = "https://user:pw@example.org/simple"\n'
    part = read_uv_options(parse_toml(text, "uv.toml"), (), root=tmp_path)
    assert part == Part(prereleases=True)


def test_exclude_newer() -> None:
    document = parse_toml('[tool.uv]\nexclude-newer = "2025-01-01T00:00:00Z"', "p.toml")
    assert exclude_newer(document, PYPROJECT_BASE) == ("2025-01-01T00:00:00Z", "p.toml:2")
    with pytest.raises(UsageError, match="expected a text"):
        exclude_newer(parse_toml("[tool.uv]\nexclude-newer = 2025-01-01", "p"), PYPROJECT_BASE)


@pytest.mark.parametrize(
    ("body", "what", "line"),
    [
        ('resolution = "lowest"', "tool.uv.resolution cannot be honoured", 2),
        ('prerelease = "disallow"', "tool.uv.prerelease = 'disallow' cannot", 2),
        ("dependency-metadata = [{name = 'x'}]", "tool.uv.dependency-metadata cannot", 2),
        ("exclude-newer-package = {x = '2025-01-01'}", "exclude-newer-package cannot", 2),
        ("build-constraint-dependencies = ['x']", "build-constraint-dependencies cannot", 2),
        ("config-settings = {a = 'b'}", "tool.uv.config-settings cannot", 2),
        ("no-build-isolation = true", "tool.uv.no-build-isolation cannot", 2),
        ("constraint-dependencies = 'x'", "expected a list of texts", 2),
        ("constraint-dependencies = ['x =>1']", "is not a requirement", 2),
        ("no-index = 1", "tool.uv.no-index: expected true or false", 2),
        ("no-build = 1", "tool.uv.no-build: expected true or false", 2),
        ("index = 1", "tool.uv.index: expected a list of tables", 2),
        ("[[tool.uv.index]]\nname = 'x'", "expected a table with a url", 2),
        (
            "[[tool.uv.index]]\nurl = 'https://x.example.org'\nignore-error-codes = [403]",
            "tool.uv.index[0].ignore-error-codes cannot be honoured",
            4,
        ),
        ("index-url = 1", "tool.uv.index-url: expected a text", 2),
        ("index-url = 'https://u:secret@x.example.org'", "a URL with credentials", 2),
        ("[[tool.uv.index]]\nurl = 'https://u:secret@x.example.org'", "with credentials", 3),
        ("find-links = ['nowhere']", "no such file or folder: nowhere", 2),
    ],
)
def test_refused(read: Read, body: str, what: str, line: int) -> None:
    with pytest.raises(UsageError) as caught:
        read(body)
    assert what in caught.value.what
    assert "secret" not in str(caught.value)
    assert caught.value.where == f"pyproject.toml:{line}"


def wishes_with(read: Read, source: str, requirement: str = "Foo[X]>=2; os_name == 'nt'") -> Part:
    return read(
        f'[project]\nname = "p"\ndependencies = ["{requirement}"]\n'
        f"[tool.uv.sources]\nunused = {{ workspace = true }}\n{source}\n"
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (
            'FOO = { git = "https://example.org/o/foo", tag = "v1", subdirectory = "py" }',
            'foo[x] @ git+https://example.org/o/foo@v1#subdirectory=py ; os_name == "nt"',
        ),
        (
            'foo = { git = "ssh://git@example.org/o/foo", rev = "0a1b" }',
            'foo[x] @ git+ssh://git@example.org/o/foo@0a1b ; os_name == "nt"',
        ),
        (
            'foo = { git = "https://example.org/o/foo" }',
            'foo[x] @ git+https://example.org/o/foo ; os_name == "nt"',
        ),
        (
            'foo = { url = "https://example.org/foo-1.tar.gz", subdirectory = "s" }',
            'foo[x] @ https://example.org/foo-1.tar.gz#subdirectory=s ; os_name == "nt"',
        ),
        (
            'foo = [{ path = "foo-1.0-py3-none-any.whl" }]',
            'foo[x] @ file:foo-1.0-py3-none-any.whl ; os_name == "nt"',
        ),
    ],
)
def test_sources(read: Read, source: str, text: str) -> None:
    (wish,) = wishes_with(read, source).wishes
    assert wish.text == text
    assert not wish.editable


def test_editable_source(read: Read) -> None:
    (wish,) = wishes_with(read, 'Lib = { path = "./lib/", editable = true }', "lib").wishes
    assert (wish.text, wish.editable) == ("lib @ file:lib", True)


@pytest.mark.parametrize(
    ("source", "what", "remedy"),
    [
        ("foo = { workspace = true }", "tool.uv.sources.foo.workspace: uv workspaces", "path"),
        ('foo = { index = "x" }', "tool.uv.sources.foo.index: a package cannot be tied", "index"),
        ('foo = [{ path = "a" }, { path = "b" }]', "foo.marker: sources under a marker", "URL"),
        ('foo = { path = "lib", marker = "os_name" }', "sources under a marker", "name @ URL"),
        ('foo = { path = "lib", extra = "e" }', "sources for one extra", ""),
        ('foo = { path = "lib", group = "e" }', "sources for one group", ""),
        ('foo = { path = "lib", package = false }', "folders that are not packages", ""),
        ('foo = { git = "https://example.org/f", lfs = true }', "Git LFS", ""),
        ('foo = { git = "https://example.org/f", depth = "1" }', "foo.depth: is not known", ""),
        ('foo = { git = "https://example.org/f", rev = "a", tag = "b" }', "rev and tag at", ""),
        ('foo = { git = "https://u:secret@example.org/f" }', "a URL with credentials", "netrc"),
        ('foo = { git = "git@example.org:o/f" }', "short form", "git+ssh"),
        ('foo = { url = "lib", path = "lib" }', "tool.uv.sources.foo", ""),
        ('foo = { rev = "x" }', "tool.uv.sources.foo.rev: is not known", ""),
        ("foo = {}", "expected one of git, url and path", ""),
        ("foo = 1", "expected a table such as", ""),
        ("foo = { git = 1 }", "tool.uv.sources.foo.git: expected a text", ""),
        ('foo = { path = "lib", editable = 1 }', "editable: expected true or false", ""),
        ('foo = { path = "none" }', "no such file or folder: none", ""),
        ('foo = { path = "foo-1.0-py3-none-any.whl", editable = true }', "is a file; only", ""),
    ],
)
def test_sources_refused(read: Read, source: str, what: str, remedy: str) -> None:
    with pytest.raises(UsageError) as caught:
        wishes_with(read, source)
    assert what in caught.value.what
    assert "secret" not in str(caught.value)
    assert remedy in (caught.value.remedy or "")
    assert (caught.value.where or "").startswith("pyproject.toml:")


def test_a_url_and_a_source(read: Read) -> None:
    with pytest.raises(UsageError, match=r"and one in tool\.uv\.sources"):
        wishes_with(read, 'foo = { path = "lib" }', "foo @ https://example.org/foo-1.tar.gz")


def test_sources_must_be_a_table(read: Read) -> None:
    with pytest.raises(UsageError, match=r"tool\.uv\.sources: expected a table"):
        read('sources = 1\n[project]\ndependencies = ["x"]')
