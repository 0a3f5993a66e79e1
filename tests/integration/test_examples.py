"""The examples, locked from the real index as of a past date through the command line.

Shown by an independent reading of the index and of the packages' own metadata: every file is old
enough, is the one that the index lists, and no newer version that all would accept was old enough;
the lock holds what is needed on each target and nothing else. Locking elsewhere, at another time
zone, locale and hash seed, gives the same bytes. One example is installed and checked.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version
from support import oracle, real_index
from support.tools import run, script

pytestmark = [pytest.mark.network, pytest.mark.xdist_group("examples")]

EXAMPLES = Path(__file__).parents[2] / "examples"
AS_OF = datetime(2026, 3, 1, tzinfo=UTC)
DATE = f"{AS_OF:%Y-%m-%d}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """An example's wishes, read by this test's own means."""

    direct: list[Requirement]
    constraints: list[Requirement]


def _pyproject(folder: Path) -> Wanted:
    table = tomllib.loads((folder / "pyproject.toml").read_text())
    lines = list(table["project"]["dependencies"])
    for group in table.get("tool", {}).get("envlock", {}).get("groups", ()):
        lines += table["dependency-groups"][group]
    return Wanted([Requirement(line) for line in lines], [])


def _requirements_in(folder: Path) -> Wanted:
    return Wanted(
        *(
            [
                Requirement(line)
                for line in (folder / name).read_text().splitlines()
                if line and not line.startswith(("#", "-"))
            ]
            for name in ("requirements.in", "constraints.txt")
        )
    )


def _script(folder: Path) -> Wanted:
    text = (folder / "report.py").read_text()
    block = re.search(r"^# /// script\n(.*?)^# ///$", text, re.S | re.M)
    assert block
    table = tomllib.loads(re.sub(r"^# ?", "", block[1], flags=re.M))
    return Wanted([Requirement(line) for line in table["dependencies"]], [])


@dataclass(frozen=True, slots=True)
class Example:
    """One folder of examples/: how it is locked, and how its wishes are read."""

    options: tuple[str, ...]
    lockfile: str
    wanted: Callable[[Path], Wanted]
    least: int


CASES = {
    "quickstart": Example(("--as-of", DATE), "pylock.toml", _pyproject, 10),
    "data-science": Example(("--as-of", DATE), "pylock.toml", _pyproject, 100),
    "nix": Example(("--as-of", DATE), "pylock.toml", _pyproject, 5),
    "requirements-in": Example((), "pylock.toml", _requirements_in, 20),
    "script": Example(("--script", "report.py", "--as-of", DATE), "pylock.report.toml", _script, 3),
}


def _lock(name: str, folder: Path, **environment: str) -> Path:
    """Lock a copy of an example; gives the lockfile."""
    shutil.copytree(
        EXAMPLES / name, folder, ignore=shutil.ignore_patterns(".venv", "pylock*", "*.png")
    )
    case = CASES[name]
    run([script("envlock"), "lock", *case.options], cwd=folder, env=environment, timeout=300)
    return folder / case.lockfile


@pytest.fixture(scope="module")
def caches(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Caches that this module's tests share; nothing of the machine's configuration."""
    root = tmp_path_factory.mktemp("caches")
    with pytest.MonkeyPatch.context() as patch:
        for variable in list(os.environ):
            if variable.startswith(("UV_", "PIP_", "ENVLOCK_")):
                patch.delenv(variable)
        yield {
            "HOME": str(root),
            "UV_CACHE_DIR": str(root / "uv"),
            "ENVLOCK_CACHE_DIR": str(root / "envlock"),
            "XDG_CONFIG_HOME": str(root / "config"),
            "XDG_CONFIG_DIRS": str(root / "config"),
            "PIP_CONFIG_FILE": os.devnull,
        }


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory, caches: dict[str, str]) -> dict[str, Path]:
    """Every example's lockfile, by the example's name."""
    root = tmp_path_factory.mktemp("examples")
    return {name: _lock(name, root / name, **caches) for name in CASES}


def test_every_example_is_covered() -> None:
    folders = {path.name for path in EXAMPLES.iterdir() if path.is_dir()}
    # No project of its own: jobs for other projects. And one with packages of Debian: see
    # test_docker_build. And projects of past years: see e2e/test_years.
    assert folders == set(CASES) | {"ci", "docker", "years"}


@pytest.mark.parametrize("name", CASES)
def test_files_are_those_of_the_index_and_old_enough(name: str, locked: dict[str, Path]) -> None:
    lock = oracle.read(locked[name])
    assert lock.as_of == AS_OF
    assert len(lock.packages) >= CASES[name].least
    oracle.fetch([entry["name"] for entry in lock.packages], [])
    for entry in lock.packages:
        listed = {file.name: file for file in real_index.page(entry["name"])}
        for file in oracle.files(entry):
            seen = listed[file["name"]]
            assert file["hashes"]["sha256"] == seen.sha256
            assert file["url"] == seen.url
            # uv keeps milliseconds of what the index says to the microsecond.
            stated = file["upload-time"].astimezone(UTC)
            assert timedelta() <= seen.uploaded - stated < timedelta(milliseconds=1)
            assert seen.uploaded <= AS_OF, f"{file['name']} is from the future"
            assert seen.version == Version(entry["version"])
            assert file["size"] > 0


@pytest.mark.parametrize("name", CASES)
def test_every_installable_file_of_the_version_is_kept(name: str, locked: dict[str, Path]) -> None:
    lock = oracle.read(locked[name])
    oracle.fetch([entry["name"] for entry in lock.packages], [])
    for entry in lock.packages:
        there = {
            file.name
            for file in real_index.page(entry["name"])
            if file.version == Version(entry["version"])
            and file.uploaded <= AS_OF
            and not file.yanked
            and (not file.wheel or any(oracle.fits(file, target) for target in lock.targets))
        }
        assert {file["name"] for file in oracle.files(entry)} == there


@pytest.mark.parametrize("name", CASES)
def test_needed_packages_are_locked_and_no_newer_one_was_possible(
    name: str, locked: dict[str, Path]
) -> None:
    assert not _outdated(name, oracle.read(locked[name]), locked[name].parent, AS_OF)


def test_the_date_matters(locked: dict[str, Path]) -> None:
    """The test above can fail: half a year later, the same lock is not the newest any more."""
    folder = locked["quickstart"].parent
    later = AS_OF + timedelta(days=180)
    assert _outdated("quickstart", oracle.read(locked["quickstart"]), folder, later)


def _outdated(name: str, lock: oracle.Locked, folder: Path, as_of: datetime) -> list[str]:
    """Locked packages that a newer one, which all would accept, had replaced by ``as_of``.

    On the way: what is locked for each target is what the packages' own metadata needs there.
    """
    wanted = CASES[name].wanted(folder)
    oracle.fetch(
        [entry["name"] for entry in lock.packages],
        [oracle.metadata_wheel(entry) for entry in lock.packages],
    )
    found = []
    for target in lock.targets:
        pins = lock.on(target)
        asked = oracle.walk(wanted.direct, pins, target)
        assert set(pins) == set(asked), f"needed and locked differ on {target}"
        for bound in wanted.constraints:
            if (constrained := canonicalize_name(bound.name)) in asked:
                asked[constrained].specifier &= bound.specifier
        for package, question in asked.items():
            version = Version(pins[package]["version"])
            assert question.specifier.contains(version, prereleases=True), question.by
            newer = oracle.newer_and_possible(package, version, asked, target, as_of)
            if newer is not None:
                found.append(f"{package} {version}: {newer} was there on {target}")
    return found


@pytest.mark.parametrize("name", CASES)
def test_locking_elsewhere_gives_the_same_bytes(
    name: str, locked: dict[str, Path], caches: dict[str, str], tmp_path: Path
) -> None:
    environment = caches | {
        "TZ": "Pacific/Kiritimati",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "4711",
        "ENVLOCK_CACHE_DIR": str(tmp_path / "cold"),
    }
    again = _lock(name, tmp_path / "an other place", **environment)
    assert again.read_bytes() == locked[name].read_bytes()


def test_the_other_engine_agrees_on_dates_and_versions(
    locked: dict[str, Path], caches: dict[str, str], tmp_path: Path
) -> None:
    """pip's resolver, through the dated view: the same packages, from the same files."""
    folder = tmp_path / "pip-tools"
    shutil.copytree(locked["quickstart"].parent, folder, ignore=shutil.ignore_patterns(".venv"))
    (folder / "pylock.toml").unlink()
    engine = ("--engine", "pip-tools")
    run([script("envlock"), "lock", "--as-of", DATE, *engine], cwd=folder, env=caches, timeout=300)
    theirs, ours = oracle.read(folder / "pylock.toml"), oracle.read(locked["quickstart"])
    assert theirs.table["tool"]["envlock"]["engine"] == "pip-tools"
    assert not _outdated("quickstart", theirs, folder, AS_OF)

    def content(lock: oracle.Locked) -> dict[str, set[str]]:
        return {
            f"{entry['name']} {entry['version']}": {f["url"] for f in oracle.files(entry)}
            for entry in lock.packages
        }

    assert content(theirs) == content(ours)


def test_quickstart_is_installed_and_checked(
    locked: dict[str, Path], caches: dict[str, str]
) -> None:
    folder = locked["quickstart"].parent
    envlock = script("envlock")
    run([envlock, "sync"], cwd=folder, env=caches, timeout=300)
    run([envlock, "check"], cwd=folder, env=caches)
    python = folder / ".venv" / "bin" / "python"
    listing = run(
        [
            python,
            "-c",
            "import json, importlib.metadata as m;"
            "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))",
        ]
    )
    installed = {canonicalize_name(n): v for n, v in json.loads(listing.stdout).items()}
    lock = oracle.read(locked["quickstart"])
    (target,) = lock.targets
    assert installed == {name: entry["version"] for name, entry in lock.on(target).items()}
    shown = run([python, "hello.py"], cwd=folder)
    assert f"{len(installed)} packages" in shown.stdout

    # The check is no rubber stamp: take one package away.
    shutil.rmtree(next((folder / ".venv").glob("lib/python3*/site-packages/click")))
    for path in (folder / ".venv").glob("lib/python3*/site-packages/click-*"):
        shutil.rmtree(path)
    drifted = run([envlock, "check"], cwd=folder, env=caches, check=False)
    assert drifted.returncode == 1
    assert "click" in drifted.stdout + drifted.stderr


def test_the_pythons_of_a_lock_are_within_its_requires_python(locked: dict[str, Path]) -> None:
    for path in locked.values():
        lock = oracle.read(path)
        bound = SpecifierSet(lock.table["requires-python"])
        for target in lock.targets:
            assert bound.contains(target.partition("@")[2] + ".0")
