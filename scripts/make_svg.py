"""Runs the quickstart for real and keeps what it said as ``docs/images/quickstart.svg``.

    .venv/bin/python scripts/make_svg.py

The commands run in a temporary copy of ``examples/quickstart``; the picture is refused when it
would show a path or a host of the machine it was made on.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import TerminalTheme
from rich.text import Text

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "quickstart"
OUTPUT = ROOT / "docs" / "images" / "quickstart.svg"
WIDTH = 102
THEME = TerminalTheme(
    (24, 26, 32),
    (222, 224, 230),
    [
        (60, 64, 74),
        (235, 100, 100),
        (120, 200, 120),
        (225, 190, 100),
        (110, 160, 235),
        (200, 130, 220),
        (90, 200, 210),
        (222, 224, 230),
    ],
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One command of the story: what is shown, what runs, and the exit code that is right."""

    shown: str
    argv: tuple[str, ...]
    code: int = 0


def story(envlock: str, python: str, uv: str) -> tuple[Step, ...]:
    """Lock, install, check; then something changes behind the lock's back."""
    return (
        Step(
            shown="envlock lock --as-of 2026-03-01", argv=(envlock, "lock", "--as-of", "2026-03-01")
        ),
        Step(shown="envlock sync", argv=(envlock, "sync")),
        Step(shown="envlock check", argv=(envlock, "check")),
        Step(
            shown="uv pip install -q rich==13.9.4   # someone is in a hurry",
            argv=(uv, "pip", "install", "-q", "--python", python, "rich==13.9.4"),
        ),
        Step(shown="envlock check", argv=(envlock, "check"), code=1),
        Step(shown="envlock sync && envlock check", argv=(envlock, "sync")),
        Step(shown="", argv=(envlock, "check")),
    )


def record(folder: Path) -> Text:
    """Run the story in ``folder`` and give all that it showed, with its colours."""
    programs = Path(sys.executable).parent
    steps = story(
        str(programs / "envlock"), str(folder / ".venv" / "bin" / "python"), str(programs / "uv")
    )
    # pip's configuration is the machine's own; nothing of it belongs into the picture.
    environment = {
        k: v
        for k, v in os.environ.items()
        if k not in ("NO_COLOR", "VIRTUAL_ENV") and not k.startswith("PIP_")
    }
    environment["PIP_CONFIG_FILE"] = os.devnull
    environment |= {"FORCE_COLOR": "1", "COLUMNS": str(WIDTH), "TERM": "xterm-256color"}
    shown = Text()
    for step in steps:
        done = subprocess.run(
            step.argv,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode != step.code:
            sys.exit(f"error: {step.shown or step.argv}: exit {done.returncode}\n{done.stdout}")
        if step.shown:
            shown.append("$ ", style="bold green").append(step.shown + "\n", style="bold")
        if done.stdout.strip():
            shown.append_text(Text.from_ansi(done.stdout.rstrip("\n"))).append("\n")
    return shown


def draw(shown: Text) -> str:
    """The picture, without fonts from elsewhere."""
    console = Console(record=True, width=WIDTH, file=io.StringIO(), force_terminal=True)
    console.print(shown, end="")
    picture = console.export_svg(title="envlock", theme=THEME, unique_id="quickstart")
    picture = re.sub(r"@font-face \{.*?\}\s*", "", picture, flags=re.DOTALL)
    return picture.replace("Fira Code", "ui-monospace, Menlo, Consolas")


def leaks(shown: str, folder: Path) -> list[str]:
    """What of this machine the text would give away."""
    secrets = (str(folder), str(ROOT), str(Path.home()), os.uname().nodename)
    found = [secret for secret in secrets if len(secret) > 3 and secret in shown]
    return found + re.findall(r"https?://\S+", shown)


def main() -> int:
    """Draw the picture; with ``--print``, also show the text."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    parser.add_argument("--print", action="store_true", help="show the recorded text, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="quickstart-") as scratch:
        folder = Path(scratch) / "quickstart"
        shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns(".venv", "pylock*"))
        shown = record(folder)
        if options.print:
            sys.stdout.write(shown.plain)
        if found := leaks(shown.plain, folder):
            sys.exit(f"error: the run shows {', '.join(found)}")
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(draw(shown), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
