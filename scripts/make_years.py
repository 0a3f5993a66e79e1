"""Write docs/years.md: old projects, locked as of their day and as they would be today.

``python scripts/make_years.py [NAME…]`` locks every project of ``examples/years`` as of its date,
rebuilds the environment from that lock, and runs the project's check in it. Beside that, what
its requirements give without a date. Needs the index, and the Pythons 3.7 to 3.13 on this machine;
with names, these projects alone are tried and the page is printed instead.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECTS = ROOT / "examples" / "years"
PAGE = ROOT / "docs" / "years.md"
TODAY = "3.13"
PROGRAMS = Path(sys.executable).parent

_HEAD = """\
# Old projects, then and today

{count} small projects in [examples/years](../examples/years), each with the loose requirements that
were usual in its year, and a check that uses them as their manuals said then. Each was

- locked as of its date (`envlock lock`, one line in its `envlock.toml`), brought back from the lock
  (`envlock rebuild`), and its check run there;
- installed by `uv pip install -r requirements.txt` without a date, with the same Python and with
  Python {today}, and its check run there.

Of {count}, {then} work as of their date. Without a date, {same} work with the same Python, and
{new} with Python {today}. They were written to use what has changed since: they show what happens,
not how often.

Made by `scripts/make_years.py` on {day}. The Pythons are those of the machine; a year's own
release of the distribution is not part of it, since no snapshot service was in reach.

| project | asks for | as of, Python | locked | then | today, same Python | today, Python {today} |
|---|---|---|---|---|---|---|
"""


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


def attempt(folder: Path) -> Row:
    """Lock, rebuild and check the project in ``folder``, which is written to; then undated."""
    settings = tomllib.loads((folder / "envlock.toml").read_text())
    wishes = (folder / "requirements.txt").read_text().split()
    python = settings["python"]
    then = _first_failure(
        folder,
        [str(PROGRAMS / "envlock"), "-q", "lock"],
        [str(PROGRAMS / "envlock"), "-q", "rebuild", "--into", "then"],
        ["then/bin/python", "check.py"],
    )
    same = _undated(folder, python)
    return Row(
        name=folder.name,
        asks=", ".join(wishes),
        day=settings["as-of"],
        python=python,
        locked=_locked(folder, wishes),
        then=then,
        same=same,
        new=same if python == TODAY else _undated(folder, TODAY),
    )


def _undated(folder: Path, python: str) -> str:
    uv = str(PROGRAMS / "uv")
    place = f"today-{python}"
    return _first_failure(
        folder,
        [uv, "venv", "-q", "--python", python, place],
        [uv, "pip", "install", "-q", "--python", place, "-r", "requirements.txt"],
        [f"{place}/bin/python", "check.py"],
    )


def _first_failure(folder: Path, *steps: list[str]) -> str:
    environment = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    for step in steps:
        done = subprocess.run(
            step, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            print(done.stderr, file=sys.stderr)
            return _reason(step, done.stderr)
    return "works"


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


def page(rows: list[Row]) -> str:
    """The whole text."""
    works = {key: sum(getattr(r, key) == "works" for r in rows) for key in ("then", "same", "new")}
    day = subprocess.run(
        ["date", "-u", "+%Y-%m-%d"], capture_output=True, text=True, check=True
    ).stdout.strip()
    head = _HEAD.format(count=len(rows), today=TODAY, day=day, **works)
    return head + "".join(
        f"| {' | '.join((r.name, r.asks, when, r.locked, r.then, r.same, r.new))} |\n"
        for r in rows
        for when in [f"{r.day}, {r.python}"]
    )


def main(names: list[str]) -> None:
    """Try the projects, one after another; then write the page, or print it."""
    rows = []
    with tempfile.TemporaryDirectory() as scratch:
        for project in sorted(PROJECTS.iterdir()):
            if not (project / "check.py").exists() or (names and project.name not in names):
                continue
            folder = Path(scratch) / project.name
            shutil.copytree(project, folder)
            rows.append(attempt(folder))
            row = rows[-1]
            print(f"{row.name}: {row.then} | {row.same} | {row.new}", file=sys.stderr)
            shutil.rmtree(folder)
    if names:
        print(page(rows))
    else:
        PAGE.write_text(page(rows))


if __name__ == "__main__":
    main(sys.argv[1:])
