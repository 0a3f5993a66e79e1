"""Write docs/years.md: old projects, locked as of their day and as they would be today.

``python scripts/make_years.py [NAME…]`` locks every project of ``examples/years`` as of its date,
rebuilds the environment from that lock, and runs the project's check in it. Beside that, what
its requirements give without a date. Needs the index and Debian's archive, as apt has it: Pythons
3.9, 3.11 and 3.13 are those of bullseye, bookworm and trixie, which `envlock rebuild` unpacks; the
others (3.7, 3.8, 3.10, 3.12) are the machine's. With names, these projects alone are tried and the
page is printed instead. Takes some five minutes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import tomllib
from dataclasses import astuple, dataclass
from pathlib import Path

from envlock.io.interpreters import pyenv_folders

ROOT = Path(__file__).parents[1]
PROJECTS = ROOT / "examples" / "years"
PAGE = ROOT / "docs" / "years.md"
TODAY = "3.13"
RELEASES = {"3.9": "bullseye", "3.11": "bookworm", "3.13": "trixie"}
PROGRAMS = Path(sys.executable).parent
ENVLOCK = str(PROGRAMS / "envlock")
UV = str(PROGRAMS / "uv")

_TRIES = 4
# The network's faults are no news of a project.
_NETWORK = re.compile(
    r"dns|failed to lookup|timed? ?out|error sending request|connection (?:reset|refused|closed)"
    r"|\b50[0-9] |network",
    re.IGNORECASE,
)
_HEAD = """\
# Old projects, then and today

{count} small projects in [examples/years](../examples/years), each with the loose requirements that
were usual in its year, and a check that uses them as their manuals said then. Each was

- locked as of its date (`envlock lock`, one line in its `envlock.toml`), brought back from the lock
  by `envlock rebuild`, which verifies every file of it, and its check run there;
- installed by `uv pip install -r requirements.txt` without a date, with the same Python and with
  Python {today}, and its check run there.

Of {count}, {then} work as of their date. Without a date, {same} work with the same Python, and
{new} with Python {today}. They were written to use what has changed since: they show what happens,
not how often.

Pythons {pythons}
are those of Debian's releases: `envlock rebuild` unpacked them from the .debs, without root, the
machine's own Pythons being hidden from it. The .debs are what a mirror of the archive has of these
releases today; as they were on the projects' dates they would come from a snapshot service, and
none was in reach. The other Pythons are the machine's.

Made by `scripts/make_years.py` on {day}; the last column by hand.

"""
_COLUMNS = (
    *("project", "asks for", "as of", "Python", "locked", "then"),
    *("today, same Python", f"today, Python {TODAY}", "what changed of it"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """An interpreter: ``release`` says whose it is, None: the machine's; ``folder`` holds it."""

    series: str
    version: str
    release: str | None
    folder: Path

    @property
    def program(self) -> str:
        """Its path."""
        return str(self.folder / f"python{self.series}")

    @property
    def variables(self) -> dict[str, str]:
        """With these, it is the one that is found."""
        found = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
        others = "/usr/local/bin:/usr/bin:/bin"
        return found | {"PATH": f"{self.folder}:{others}", "PYENV_ROOT": "/nonexistent"}

    @property
    def shown(self) -> str:
        """For the table."""
        return self.series if self.release is None else f"{self.series} of {self.release}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What became of one project; the outcomes are "works", or what failed."""

    name: str
    asks: str
    day: str
    python: str
    locked: str
    then: str
    same: str
    new: str
    since: str


class Pythons:
    """Each Python that is asked for, made once."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self.known: dict[str, Python] = {}

    def get(self, series: str) -> Python:
        """The Python of a series (``3.11``): its release's, or else the machine's."""
        if series not in self.known:
            release = RELEASES.get(series)
            found = self._of_release(series, release) if release else _of_machine(series)
            self.known[series] = found
            print(f"Python {found.version}: {release or 'the machine'}", file=sys.stderr)
        return self.known[series]

    def _of_release(self, series: str, release: str) -> Python:
        folder = self._scratch / f"python{series}"
        (folder / "empty").mkdir(parents=True)
        (folder / "envlock.toml").write_text(
            f'python = "{series}"\ntargets = ["linux/amd64"]\nrequirements = ["none.txt"]\n'
            f'[os]\nbase = "debian:{release}"\npackages = []\n'
        )
        (folder / "none.txt").write_text("")
        # Nothing on the PATH is a Python, so that envlock has to bring one.
        none = {"PATH": str(folder / "empty"), "PYENV_ROOT": str(folder / "empty")}
        for step in ([ENVLOCK, "-q", "lock"], [ENVLOCK, "-q", "rebuild", "--into", "made"]):
            done = _run(step, folder, {**os.environ, **none})
            if done.returncode:
                raise SystemExit(f"no Python of {release}: {done.stderr}")
        settings = (folder / "made" / "pyvenv.cfg").read_text()
        [home] = re.findall(r"^home = (.+)$", settings, re.MULTILINE)
        return _asked(Path(home), series, release)


def _of_machine(series: str) -> Python:
    folders = [*pyenv_folders(), *os.get_exec_path()]
    for folder in map(Path, folders):
        if (folder / f"python{series}").exists() and folder.name != "shims":
            return _asked(folder, series, None)
    raise SystemExit(f"there is no Python {series} on this machine")


def _asked(folder: Path, series: str, release: str | None) -> Python:
    code = "import platform; print(platform.python_version())"
    argv = [str(folder / f"python{series}"), "-I", "-c", code]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()
    return Python(series=series, version=said, release=release, folder=folder)


def attempt(folder: Path, pythons: Pythons, since: str) -> Row:
    """Lock, rebuild and check the project in ``folder``, which is written to; then undated."""
    settings = tomllib.loads((folder / "envlock.toml").read_text())
    wishes = (folder / "requirements.txt").read_text().split()
    python = pythons.get(settings["python"])
    then = _first_failure(
        folder,
        python,
        [ENVLOCK, "-q", "lock"],
        [ENVLOCK, "-q", "rebuild", "--into", "then"],
        ["then/bin/python", "check.py"],
    )
    if then == "works":
        _hold_to(python, folder / "then")
    same = _undated(folder, python)
    return Row(
        name=folder.name,
        asks=", ".join(wishes),
        day=settings["as-of"],
        python=python.shown,
        locked=_locked(folder, wishes),
        then=then,
        same=same,
        new=same if python.series == TODAY else _undated(folder, pythons.get(TODAY)),
        since=since,
    )


def _hold_to(python: Python, environment: Path) -> None:
    """The environment is of this Python and of no other one that the machine has."""
    settings = (environment / "pyvenv.cfg").read_text()
    if f"home = {python.folder}\n" not in settings:
        raise SystemExit(f"{environment} is not of {python.folder}:\n{settings}")


def _undated(folder: Path, python: Python) -> str:
    place = f"today-{python.series}"
    return _first_failure(
        folder,
        python,
        [UV, "venv", "-q", "--no-python-downloads", "--python", python.program, place],
        [UV, "pip", "install", "-q", "--python", place, "-r", "requirements.txt"],
        [f"{place}/bin/python", "check.py"],
    )


def _first_failure(folder: Path, python: Python, *steps: list[str]) -> str:
    for step in steps:
        done = _run(step, folder, python.variables)
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return _reason(step, done.stderr)
    return "works"


def _run(
    step: list[str], folder: Path, variables: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run it; where the network failed, again, and in the end not at all."""
    for number in range(_TRIES):
        done = subprocess.run(
            step, cwd=folder, env=variables, capture_output=True, text=True, check=False
        )
        if done.returncode == 0 or step[-1] == "check.py" or not _NETWORK.search(done.stderr):
            return done
        time.sleep(5 * (number + 1))
    raise SystemExit(f"the network fails, which says nothing of {folder.name}:\n{done.stderr}")


def _reason(step: list[str], stderr: str) -> str:
    """The last line of a traceback; of an installer, which step failed: its words name hosts."""
    if step[-1] != "check.py":
        words = [word for word in step[1:] if word != "-q"]
        return f"`{Path(step[0]).name} {' '.join(words[: 1 + (words[0] == 'pip')])}` fails"
    lines = [line for line in stderr.splitlines() if re.match(r"[\w.]+(Error|Exception)\b", line)]
    last = (lines or stderr.splitlines() or ["fails"])[-1]
    last = re.sub(r"\S*/\S*", "…", last).replace("|", "\\|").replace("`", "'")
    return f"`{last if len(last) <= 80 else last[:79] + '…'}`"


def _locked(folder: Path, wishes: list[str]) -> str:
    path = folder / "pylock.toml"
    if not path.exists():
        return ""
    packages = tomllib.loads(path.read_text())["packages"]
    names = {re.split(r"[<>=]", wish)[0].lower() for wish in wishes}
    shown = [f"{p['name']} {p['version']}" for p in packages if p["name"] in names]
    others = len(packages) - len(shown)
    return ", ".join(shown) + (f" and {others} more" if others else "")


def page(rows: list[Row], pythons: Pythons) -> str:
    """The whole text."""
    works = {key: sum(getattr(r, key) == "works" for r in rows) for key in ("then", "same", "new")}
    released = [p for p in pythons.known.values() if p.release]
    named = [
        f"{p.version} ({p.release})"
        for p in sorted(released, key=lambda p: [int(part) for part in p.version.split(".")])
    ]
    head = _HEAD.format(
        count=len(rows),
        today=TODAY,
        day=time.strftime("%Y-%m-%d", time.gmtime()),
        pythons=", ".join(named) or "of none",
        **works,
    )
    cells = [_COLUMNS, ["---"] * len(_COLUMNS), *(astuple(row) for row in rows)]
    return head + "".join(f"| {' | '.join(line)} |\n" for line in cells)


def main(names: list[str]) -> None:
    """Try the projects, one after another; then write the page, or print it."""
    started = time.monotonic()
    since = tomllib.loads((PROJECTS / "since.toml").read_text())
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        pythons = Pythons(Path(scratch))
        for project in sorted(PROJECTS.iterdir()):
            if not (project / "check.py").exists() or (names and project.name not in names):
                continue
            folder = Path(scratch) / project.name
            shutil.copytree(project, folder)
            rows.append(attempt(folder, pythons, since[project.name]))
            row = rows[-1]
            print(f"{row.name}: {row.then} | {row.same} | {row.new}", file=sys.stderr)
            shutil.rmtree(folder)
    print(f"{time.monotonic() - started:.0f} seconds", file=sys.stderr)
    if names:
        print(page(rows, pythons))
    else:
        PAGE.write_text(page(rows, pythons))


if __name__ == "__main__":
    main(sys.argv[1:])
