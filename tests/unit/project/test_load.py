"""Everything a project says becomes one Request: sources joined, Pythons chosen, dates fixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from envlock.errors import UsageError
from envlock.lock.builds import declared
from envlock.lock.hashing import request_digest
from envlock.lock.request import Request
from envlock.project.load import DefaultPython, allows, load_request, python_version_file
from envlock.project.locate import locate

Write = Callable[[str, str], Path]
NOW = datetime(2026, 6, 1, tzinfo=UTC)


def never(bound: str | None, base: str | None, as_of: object) -> str:
    raise AssertionError(f"no Python was to be chosen (bound {bound})")


def load(
    folder: Path,
    *,
    name: str | None = None,
    script: Path | None = None,
    default_python: DefaultPython = lambda bound, base, as_of: "3.11",
) -> Request:
    return load_request(
        locate(folder, name=name, script=script),
        platform="linux/arm64",
        default_python=default_python,
        now=NOW,
    )


def fail(folder: Path, **options: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        load(folder, name=options.get("name"))
    return caught.value


PYPROJECT = """[project]
name = "demo"
requires-python = ">=3.10"
dependencies = ["numpy>=2"]
[project.optional-dependencies]
plot = ["matplotlib"]
[dependency-groups]
dev = ["pytest"]
docs = ["sphinx"]
[tool.uv]
constraint-dependencies = ["scipy<2"]
[tool.envlock]
as-of = 2026-03-01
python = ["3.11", "3.12"]
targets = ["linux/amd64", "macos/arm64@3.13"]
groups = ["Dev"]
extras = ["plot"]
requirements = ["requirements.in", "environment.yml"]
constraints = ["Scipy>=1", "scipy<2"]
overrides = ["click"]
only-binary = ["numpy"]
allow-undated = ["./wheels/", "file:lib", "https://example.org/x/", "."]
prereleases = true
[tool.envlock.env.docs]
groups = ["docs"]
requirements = []
as-of = 2026-04-01
"""
IN = "-i https://a.example.org/simple/\n--extra-index-url https://b.example.org\nflask\nnumpy >=2\n"
YML = "dependencies:\n- python>=3.10\n- pip:\n  - rich\n  - --no-binary rich\n"


def write_full(write: Write) -> None:
    write("pyproject.toml", PYPROJECT)
    write("requirements.in", IN)
    write("environment.yml", YML)


def test_all_at_once(tmp_path: Path, write: Write) -> None:
    write_full(write)
    request = load(tmp_path, default_python=never)
    assert request.canonical() == {
        "requirements": ["flask", "matplotlib", "numpy>=2", "pytest", "rich"],
        "constraints": ["scipy<2", "scipy>=1"],
        "overrides": ["click"],
        "targets": ["linux/amd64@3.11", "linux/amd64@3.12", "macos/arm64@3.13"],
        "extras": ["plot"],
        "groups": ["dev"],
        "requires-python": ">=3.10",
        "prereleases": True,
        "only-binary": ["numpy"],
        "no-binary": ["rich"],
        "default-index": "https://a.example.org/simple",
        "index-urls": ["https://b.example.org"],
        "allow-undated": [".", "https://example.org/x/", "lib", "wheels"],
    }
    assert request.as_of == datetime(2026, 3, 1, tzinfo=UTC)
    origins = {wish.text: wish.origin for wish in request.wishes + request.constraints}
    assert origins == {
        "numpy>=2": "pyproject.toml:4",
        "matplotlib": "pyproject.toml:6",
        "pytest": "pyproject.toml:8",
        "flask": "requirements.in:3",
        "rich": "environment.yml:4",
        "scipy<2": "pyproject.toml:11",
        "scipy>=1": "pyproject.toml:19",
    }


def test_named_environment(tmp_path: Path, write: Write) -> None:
    write_full(write)
    request = load(tmp_path, name="docs")
    assert [w.text for w in request.wishes] == ["numpy>=2", "matplotlib", "sphinx"]
    assert request.as_of == datetime(2026, 4, 1, tzinfo=UTC)
    assert fail(tmp_path, name="dosc").what == 'there is no environment "dosc"'


def test_same_folder_elsewhere_same_digest(tmp_path: Path, write: Write) -> None:
    for place in ("one", "two/deep"):
        write(f"{place}/lib/pyproject.toml", '[project]\nname = "lib"\n')
        write(f"{place}/r/requirements.in", "-e ./lib\n-f ../wheels\n")
        write(f"{place}/wheels/x", "")
        write(f"{place}/envlock.toml", 'requirements = ["r/requirements.in"]\n')
    one, two = load(tmp_path / "one"), load(tmp_path / "two" / "deep")
    assert request_digest(one) == request_digest(two)
    assert str(tmp_path) not in str(one.canonical())
    assert one.find_links == ("wheels",)


def test_plain_files_need_no_settings(tmp_path: Path, write: Write) -> None:
    write("requirements.in", "flask\n")
    request = load(tmp_path)
    assert [w.text for w in request.wishes] == ["flask"]
    assert [t.key for t in request.targets] == ["linux/arm64@3.11"]
    assert request.as_of is None
    assert "run `envlock init`" in (fail(tmp_path, name="x").remedy or "")


def test_setup_cfg_with_files_and_extras(tmp_path: Path, write: Write) -> None:
    write("setup.cfg", "[options]\ninstall_requires = file: r.txt\n[options.extras_require]\nx = b")
    write("r.txt", "a")
    write("envlock.toml", 'requirements = ["setup.cfg"]\nextras = ["x"]\n')
    assert [(w.text, w.group) for w in load(tmp_path).wishes] == [("b", "extra:x"), ("a", None)]


def test_script(tmp_path: Path, write: Write) -> None:
    write(
        "t.py",
        '# /// script\n# requires-python = ">=3.12"\n# dependencies = ["rich"]\n'
        '# [tool.uv]\n# exclude-newer = "2025-05-01T00:00:00Z"\n'
        '# [tool.envlock]\n# targets = ["linux/amd64@3.12"]\n# ///\n',
    )
    request = load(tmp_path, script=Path("t.py"), default_python=never)
    assert [w.text for w in request.wishes] == ["rich"]
    assert [t.key for t in request.targets] == ["linux/amd64@3.12"]
    assert request.as_of == datetime(2025, 5, 1, tzinfo=UTC)


# --- which Python ------------------------------------------------------------------------------


def test_order_of_pythons(tmp_path: Path, write: Write) -> None:
    asked: list[str | None] = []

    def default(bound: str | None, base: str | None, as_of: object) -> str:
        asked.append(bound)
        return "3.14"

    def pythons() -> list[str]:
        return [t.python for t in load(tmp_path, default_python=default).targets]

    write("envlock.toml", 'requirements = ["environment.yml"]\n')
    write("environment.yml", "dependencies:\n- python>=3.10\n- pip: [a]\n")
    assert pythons() == ["3.14"]
    assert asked == [">=3.10"]
    write("environment.yml", "dependencies:\n- python=3.13\n- pip: [a]\n")
    assert pythons() == ["3.13"]
    write(".python-version", "3.12.4\n")
    assert pythons() == ["3.12.4"]
    write("envlock.toml", 'python = "3.11"\nrequirements = ["environment.yml"]\n')
    assert pythons() == ["3.11"]
    write("envlock.toml", 'targets = ["linux/amd64@3.9"]\nrequirements = ["environment.yml"]\n')
    assert pythons() == ["3.9"]
    assert asked == [">=3.10"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("3.11\n", "3.11"),
        ("# pinned\n\n 3.11.7  # here\n3.12\n", "3.11.7"),
        ("pypy3.10\n", None),
        ("my-env\n", None),
        ("3.13t\n", None),
        ("3\n", None),
        ("", None),
    ],
)
def test_python_version_file(tmp_path: Path, write: Write, text: str, expected: str | None) -> None:
    write(".python-version", text)
    assert python_version_file(tmp_path) == expected


def test_no_python_version_file(tmp_path: Path) -> None:
    assert python_version_file(tmp_path) is None


@pytest.mark.parametrize(
    ("bound", "python", "expected"),
    [
        (">=3.11", "3.11", True),
        (">=3.11.4", "3.11", True),
        (">=3.11.4", "3.11.3", False),
        (">=3.11.4", "3.11.4", True),
        ("<3.11", "3.11", False),
        ("<=3.11", "3.11", True),
        (">3.11.2,<3.11.4", "3.11", True),
        ("!=3.11.*", "3.11", False),
        ("==3.12.*", "3.12", True),
        (">=3.10,<4", "3.9", False),
    ],
)
def test_allows(bound: str, python: str, expected: bool) -> None:
    assert allows(bound, python) is expected


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ('python = "3.9"', "pyproject.toml:5"),
        ('targets = ["linux/amd64@3.9"]', "pyproject.toml:4"),
        ('python = "3.10.1"', "pyproject.toml:5"),
    ],
)
def test_python_outside_of_requires_python(
    tmp_path: Path, write: Write, line: str, where: str
) -> None:
    text = '[project]\nrequires-python = ">=3.10.2"\ndependencies = ["a"]\n[tool.envlock]\n'
    write("pyproject.toml", f"{text}{line}\n")
    error = fail(tmp_path)
    assert "3.9" in error.what or "3.10.1" in error.what
    assert ">=3.10.2" in error.what
    assert error.where == where


def test_a_patch_beside_its_series_is_refused(tmp_path: Path, write: Write) -> None:
    text = '[project]\ndependencies = ["a"]\n[tool.envlock]\ntargets = ["linux/amd64"]\n'
    write("pyproject.toml", f'{text}python = ["3.11", "3.11.7"]\n')
    error = fail(tmp_path)
    assert error.what == "linux/amd64@3.11.7 is already in linux/amd64@3.11"
    assert error.where == "pyproject.toml:5"


def test_python_version_file_outside_of_requires_python(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", '[project]\nrequires-python = ">=3.12"\ndependencies = ["a"]\n')
    write(".python-version", "3.11")
    assert fail(tmp_path).where == ".python-version"


# --- uv's date ---------------------------------------------------------------------------------


def test_uv_toml_hides_the_table(tmp_path: Path, write: Write) -> None:
    write(
        "pyproject.toml",
        '[project]\ndependencies = ["a"]\n[tool.uv]\nprerelease = "allow"\n'
        'index-url = "https://table.example.org"\nconstraint-dependencies = ["b<1"]\n',
    )
    assert load(tmp_path).prereleases
    write("uv.toml", 'exclude-newer = "2025-01-01T00:00:00+01:00"\n')
    request = load(tmp_path)
    assert not request.prereleases
    assert request.default_index is None
    assert [w.text for w in request.constraints] == ["b<1"]
    assert request.as_of == datetime(2024, 12, 31, 23, tzinfo=UTC)


@pytest.mark.parametrize("value", ["2025-01-01", "1 week", "P7D", "2025-01-01T00:00:00"])
def test_uvs_dates_that_move(tmp_path: Path, write: Write, value: str) -> None:
    text = f'[project]\ndependencies = ["a"]\n[tool.uv]\nexclude-newer = "{value}"\n'
    write("pyproject.toml", text)
    error = fail(tmp_path)
    assert "zone" in error.what
    write("pyproject.toml", text + "[tool.envlock]\nas-of = 2025-02-01\n")
    assert load(tmp_path).as_of == datetime(2025, 2, 1, tzinfo=UTC)


# --- what is refused ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("files", "what", "where", "remedy"),
    [
        ({"requirements.in": "# nothing\n"}, "asks for nothing", "requirements.in", "one req"),
        ({"envlock.toml": ""}, "envlock.toml asks for nothing", "envlock.toml", "requirements.in"),
        (
            {"envlock.toml": "", "requirements.txt": "a"},
            "asks for nothing, but requirements.txt is there",
            "envlock.toml",
            'requirements = ["requirements.txt"]',
        ),
        (
            {"pyproject.toml": "[project]\nname = 'x'", "requirements.txt": "a"},
            "pyproject.toml asks for nothing, but requirements.txt is there",
            "pyproject.toml",
            "requirements = []",
        ),
        (
            {"envlock.toml": '# c\nrequirements = ["none.txt"]'},
            "no such file: none.txt",
            "envlock.toml:2",
            "paths count from",
        ),
        (
            {"envlock.toml": 'requirements = ["x.py"]', "x.py": ""},
            "x.py is not a requirements file",
            "envlock.toml:1",
            "environment.yml",
        ),
        (
            {"envlock.toml": 'groups = ["dev"]\nrequirements = []'},
            "dependency groups stand in a pyproject.toml",
            "envlock.toml:1",
            "",
        ),
        (
            {"envlock.toml": 'extras = ["x"]\nrequirements = []'},
            "extras are declared by a pyproject.toml or setup.cfg",
            "envlock.toml:1",
            "",
        ),
        (
            {"envlock.toml": 'constraints = ["constraints.txt"]\nrequirements = []'},
            "'constraints.txt' constrains nothing",
            "envlock.toml:1",
            "-c constraints.txt",
        ),
        (
            {"envlock.toml": 'constraints = ["a[x]<2"]\nrequirements = []'},
            "'a[x]<2' names extras",
            "envlock.toml:1",
            "",
        ),
        (
            {"envlock.toml": 'overrides = ["a =>2"]\nrequirements = []'},
            "'a =>2' is not a requirement",
            "envlock.toml:1",
            ">=",
        ),
        (
            {
                "pyproject.toml": '[project]\ndependencies = ["a"]\n[tool.uv]\n'
                'index-url = "https://one.example.org"\n'
                '[tool.envlock]\nrequirements = ["r.txt"]',
                "r.txt": "-i https://two.example.org\n",
            },
            "two default indexes: https://two.example.org (r.txt:1) and https://one.example.org"
            " (pyproject.toml:4)",
            "pyproject.toml:4",
            "extra index",
        ),
        (
            {"pyproject.toml": "[project]\n[tool.envlock]\ngruops = []"},
            "unknown key tool.envlock.gruops",
            "pyproject.toml:3",
            '"groups"',
        ),
    ],
)
def test_refused(
    tmp_path: Path, write: Write, files: dict[str, str], what: str, where: str, remedy: str
) -> None:
    for name, text in files.items():
        write(name, text)
    error = fail(tmp_path)
    assert what in error.what
    assert error.where == where
    assert remedy in (error.remedy or "")


def test_several_files_bound_python_together(tmp_path: Path, write: Write) -> None:
    write("envlock.toml", '# c\nrequirements = ["a.yml", "b.yml"]\n')
    write("a.yml", "dependencies:\n- python>=3.10\n- pip: [x]\n")
    write("b.yml", "dependencies:\n- python<3.13\n")
    assert load(tmp_path).requires_python == "<3.13,>=3.10"
    write("a.yml", "dependencies:\n- python=3.11\n")
    write("b.yml", "dependencies:\n- python=3.12\n")
    error = fail(tmp_path)
    assert "3.11 and 3.12" in error.what
    assert error.where == "envlock.toml:2"


def test_no_dependencies_at_all_is_fine(tmp_path: Path, write: Write) -> None:
    write("pyproject.toml", "[project]\nname = 'x'\ndependencies = []\n")
    assert load(tmp_path).wishes == ()


def test_no_index_forgets_indexes(tmp_path: Path, write: Write) -> None:
    write("requirements.in", "-i https://a.example.org\n--no-index\n-f wheels\na\n")
    write("wheels/x", "")
    request = load(tmp_path)
    assert (request.no_index, request.default_index, request.find_links) == (
        True,
        None,
        ("wheels",),
    )


def test_sources_of_os_packages_are_asked_for(tmp_path: Path) -> None:
    body = '[project]\nname = "a"\nversion = "1"\ndependencies = ["x"]\n[tool.envlock]\n'
    os = '[tool.envlock.os]\nbase = "debian:bookworm"\n'
    file = tmp_path / "pyproject.toml"
    file.write_text(body + "sources = true\n" + os)
    asked = load(tmp_path)
    assert asked.sources
    file.write_text(body + "sources = false\n" + os)
    assert request_digest(load(tmp_path)) != request_digest(asked)
    file.write_text(body + os)
    assert load(tmp_path) == replace(asked, sources=False)
    file.write_text(body + os + "[tool.envlock.env.built]\nsources = true\n")
    assert not load(tmp_path).sources
    assert load(tmp_path, name="built") == asked


def test_what_builds_need_is_said_by_package(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    body = '[project]\ndependencies = ["x"]\n[tool.envlock]\nsources = true\n'
    table = "[tool.envlock.build-requires]\n"
    file.write_text(body + table + 'Psy_copg2 = []\nold = ["Cython >=1, <3", "a"]\n')
    asked = load(tmp_path)
    assert asked.build_requires == ("old: a", "old: cython<3,>=1", "psy-copg2:")
    assert request_digest(asked) != request_digest(replace(asked, build_requires=()))
    file.write_text(body.replace("true", "false") + table + "psycopg2 = []\n")
    assert load(tmp_path).build_requires == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('psycopg2 = "cython"', "a list of requirements"),
        ("psycopg2 = [1]", "a list of requirements"),
        ('psycopg2 = ["a @ https://example.org/a.whl"]', "no requirement by name and version"),
        ('psycopg2 = ["not a requirement"]', "no requirement by name and version"),
        ('"no name!" = []', "cannot be the name of a package"),
    ],
)
def test_what_builds_cannot_need(tmp_path: Path, line: str, said: str) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(
        '[project]\ndependencies = ["x"]\n[tool.envlock]\nsources = true\n'
        f"[tool.envlock.build-requires]\n{line}\n"
    )
    with pytest.raises(UsageError, match=said) as caught:
        load(tmp_path)
    assert caught.value.where is not None
    assert caught.value.where.endswith("pyproject.toml:6")


def test_sources_need_no_os_packages_and_have_exceptions(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    body = '[project]\ndependencies = ["x"]\n[tool.envlock]\n'
    file.write_text(body + 'sources = true\nbuild-exceptions = ["Tor_ch", "b", "b"]\n')
    asked = load(tmp_path)
    assert asked.sources
    assert asked.build_exceptions == ("b", "tor-ch")
    assert request_digest(asked) != request_digest(replace(asked, build_exceptions=()))
    table = '[tool.envlock.build-exceptions]\n"Tor_ch-*" = "needs  CUDA"\nb = ""\n'
    file.write_text(f"{body}sources = true\n{table}")
    asked = load(tmp_path)
    assert asked.build_exceptions == ("b", "tor-ch-*")
    assert asked.build_exception_reasons == ("tor-ch-*: needs  CUDA",)
    assert declared("tor-ch-cpu", asked) == "declared in build-exceptions: needs  CUDA"
    assert declared("b", asked) == "declared in build-exceptions"
    assert request_digest(asked) != request_digest(replace(asked, build_exception_reasons=()))
    for wrong in ('"a" = 1', '"a" = "two\\nlines"', '"a b" = ""'):
        file.write_text(f"{body}sources = true\n[tool.envlock.build-exceptions]\n{wrong}\n")
        with pytest.raises(UsageError, match=r"build-exceptions|'a b'"):
            load(tmp_path)
    file.write_text(body + 'build-exceptions = ["b"]\n')
    assert load(tmp_path).build_exceptions == ()
