"""`envlock init` as a program, judged by uv, pip and git.

Shown: uv still reads the files that init changed; pip asks for the same packages of a requirements
file as the request does; git counts days back to the same second; a full disk leaves everything as
it was; of two inits at once one writes.
"""

from __future__ import annotations

import json
import resource
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.packages import make_sdist, make_wheel, source_tree
from support.tools import PIP, UV, run, script

from envlock.project.dates import parse_as_of
from envlock.project.formats.requirements_file import read_requirements

ENVLOCK = script("envlock")
Result = subprocess.CompletedProcess[str]

PYPROJECT = """# A comment that stays.
[project]
name = "demo"
version = "1"   # aligned
requires-python = ">=3.11"
dependencies = []

[dependency-groups]
dev = []
"""


def envlock(folder: Path, *arguments: str, limit: Callable[[], None] | None = None) -> Result:
    return subprocess.run(
        [ENVLOCK, "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        preexec_fn=limit,
        check=False,
    )


def test_pyproject_stays_a_project_for_uv(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(PYPROJECT)
    done = envlock(tmp_path, "init", "--python", "3.12", "--platform", "linux/arm64")
    assert (done.returncode, done.stdout) == (0, "")
    assert file.read_text() == PYPROJECT + (
        '\n[tool.envlock]\npython = "3.12"\ntargets = ["linux/arm64"]\ngroups = ["dev"]\n'
    )
    for line in (
        "found  pyproject.toml: 0 dependencies, groups dev",
        "wrote  pyproject.toml: 0 requirements for linux/arm64@3.12",
        "next   envlock lock",
    ):
        assert line in done.stderr
    run([UV, "lock", "--offline", "--project", tmp_path])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pyproject.toml", "uv.lock"]


def test_script_stays_a_script_for_uv_and_python(tmp_path: Path) -> None:
    file = tmp_path / "tool.py"
    file.write_text("#!/usr/bin/env python\nprint('it runs')\n")
    done = envlock(tmp_path, "init", "--script", "tool.py")
    assert done.returncode == 0
    assert "envlock lock --script tool.py" in done.stderr
    ran = run([UV, "run", "--offline", "--no-python-downloads", "--script", file])
    assert ran.stdout == "it runs\n"
    again = envlock(tmp_path, "init", "--script", "tool.py")
    assert again.returncode == 2
    assert "there already" in again.stderr


def test_dry_run_shows_and_writes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(PYPROJECT)
    shown = envlock(tmp_path, "init", "--dry-run")
    assert file.read_text() == PYPROJECT
    assert "nothing was written" in shown.stderr
    copy = tmp_path / "copy"
    copy.mkdir()
    shutil.copy(file, copy)
    assert envlock(copy, "init").returncode == 0
    # git is the judge of the diff: applied, it gives what init writes.
    (tmp_path / "change.diff").write_text(shown.stdout)
    run(["git", "apply", "--unsafe-paths", "change.diff"], cwd=tmp_path)
    assert file.read_bytes() == (copy / "pyproject.toml").read_bytes()


def test_dry_run_of_a_new_file_shows_its_content(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("flask\n")
    shown = envlock(tmp_path, "init", "--dry-run")
    assert not (tmp_path / "envlock.toml").exists()
    assert envlock(tmp_path, "init").returncode == 0
    assert shown.stdout == (tmp_path / "envlock.toml").read_text()


def test_json(tmp_path: Path) -> None:
    (tmp_path / "requirements.in").write_text("Flask >=2\n")
    done = envlock(
        tmp_path, "-q", "init", "--json", "--python", "3.11", "--platform", "macos/arm64"
    )
    assert done.stderr == ""
    facts = json.loads(done.stdout)
    assert facts.pop("diff").startswith("--- /dev/null\n+++ b/envlock.toml\n")
    assert facts == {
        "created": True,
        "found": ["requirements.in"],
        "next": "envlock lock",
        "notes": [],
        "path": "envlock.toml",
        "requirements": ["flask>=2"],
        "targets": ["macos/arm64@3.11"],
        "written": True,
    }


def test_same_bytes_wherever_and_whenever(tmp_path: Path) -> None:
    texts = set()
    for number, seed in enumerate(("0", "1", "2")):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "requirements.in").write_text("b\na\n")
        run(
            [ENVLOCK, "-C", folder, "init"],
            env={"PYTHONHASHSEED": seed, "TZ": "Pacific/Auckland", "LC_ALL": "C"},
        )
        texts.add((folder / "envlock.toml").read_bytes())
    assert len(texts) == 1


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--python", "3"], "unknown Python '3'"),
        (["--platform", "linux/vax"], "unknown platform 'linux/vax'"),
        (["--script", "none.py"], "no such script"),
        (["--script", "none/none.py"], "no such folder"),
        ([], "nothing to lock here"),
    ],
)
def test_bad_input_is_one_message(tmp_path: Path, arguments: list[str], text: str) -> None:
    done = envlock(tmp_path, "init", *arguments)
    assert done.returncode == 2
    assert text in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_leaves_everything_as_it_was(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(PYPROJECT)

    def full() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20, 20))

    done = envlock(tmp_path, "init", limit=full)
    assert done.returncode == 3
    assert "cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert file.read_text() == PYPROJECT
    assert list(tmp_path.iterdir()) == [file]


def test_of_two_at_once_one_writes(tmp_path: Path) -> None:
    file = tmp_path / "pyproject.toml"
    file.write_text(PYPROJECT)
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda _: envlock(tmp_path, "init").returncode, range(4)))
    assert sorted(codes) == [0, 2, 2, 2]
    assert file.read_text().count("[tool.envlock]") == 1


# --- oracles for what is read ------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "now",
        "1 second ago",
        "90 minutes ago",
        "36.hours.ago",
        "yesterday",
        "1 day ago",
        "2 weeks ago",
        "100 days ago",
        "last week",
        "1 month ago",
        "7 months ago",
        "2 years ago",
    ],
)
def test_git_counts_back_to_the_same_second(text: str) -> None:
    now = datetime(2026, 3, 15, 10, 20, 30, tzinfo=UTC)
    said = run(
        ["git", "rev-parse", f"--since={text}"],
        env={"GIT_TEST_DATE_NOW": str(int(now.timestamp())), "TZ": "UTC"},
    ).stdout
    git = datetime.fromtimestamp(int(said.strip().removeprefix("--max-age=")), UTC)
    ours = parse_as_of(text, now=now)
    if text == "yesterday":
        # git keeps the time of day; here a day is its start, as it is for dates.
        assert ours == git.replace(hour=0, minute=0, second=0)
    else:
        assert ours == git


REQUIREMENTS = """\
--no-index
--find-links wheels
# a comment
Alpha_Pkg >=1, \\
    <2   # continued
beta[Extra.One]==1.0 --hash=sha256:{beta}
never ; python_version < "3"
gamma ; python_version >= "3"
-c sub/constraints.txt
-r sub/more.txt
./local_dir
wheels/delta-1.0-py3-none-any.whl
epsilon @ file://{root}/wheels/epsilon-1.0.tar.gz
"""


def test_pip_asks_for_the_same(tmp_path: Path) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    digests = {}
    for name in ("alpha-pkg", "beta", "gamma", "delta", "zeta"):
        for version in ("1.0", "2.0"):
            file_name, content = make_wheel(name, version, extras={"extra-one": []})
            (wheels / file_name).write_bytes(content)
    beta = wheels / "beta-1.0-py3-none-any.whl"
    digests["beta"] = run([*PIP, "hash", "--algorithm", "sha256", beta]).stdout.strip()[-64:]
    file_name, content = make_sdist("epsilon", "1.0")
    (wheels / file_name).write_bytes(content)
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "constraints.txt").write_text("gamma<2\nzeta==1.0\n")
    (tmp_path / "sub" / "more.txt").write_text("-r ../sub/last.txt\n")
    (tmp_path / "sub" / "last.txt").write_text("zeta\n")
    for path, data in source_tree("Local_Thing", "3.0").items():
        (tmp_path / "local_dir" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "local_dir" / path).write_bytes(data)
    file = tmp_path / "requirements.txt"
    file.write_text(REQUIREMENTS.format(root=tmp_path, **digests))

    part = read_requirements(file, root=tmp_path)
    ours = {}
    for wish in part.wishes:
        requirement = Requirement(wish.text)
        if requirement.marker is None or requirement.marker.evaluate():
            ours[requirement.name] = sorted(requirement.extras)
    assert part.no_index
    assert part.find_links == ("wheels",)
    assert [w.text for w in part.constraints] == ["gamma<2", "zeta==1.0"]

    # With one --hash, pip wants one for everything: its view is asked without.
    plain = tmp_path / "pip.txt"
    plain.write_text(file.read_text().replace(f"--hash=sha256:{digests['beta']}", ""))
    report = tmp_path / "report.json"
    options = ("--dry-run", "--ignore-installed", "--no-deps", "--quiet", "--report", report)
    run([*PIP, "install", *options, "-r", plain], cwd=tmp_path)
    theirs = {}
    for item in json.loads(report.read_text())["install"]:
        assert item["requested"]
        name = canonicalize_name(item["metadata"]["name"])
        theirs[name] = sorted(canonicalize_name(e) for e in item.get("requested_extras", []))
        asked = [r for r in map(Requirement, (w.text for w in part.wishes)) if r.name == name]
        assert asked
        for requirement in asked:
            assert requirement.url or requirement.specifier.contains(item["metadata"]["version"])
    assert ours == theirs
