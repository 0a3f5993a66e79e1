"""The folder, files, command lines and environment with which pip-compile and pip are run."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Iterable
from pathlib import Path

from envlock.io import process
from envlock.lock.request import Request, Wish
from envlock.resolve.python.engines.engine import Question
from envlock.resolve.python.references import with_absolute_path
from envlock.resolve.python.sources import Sources

_WISHES = "requirements.in"
_CONSTRAINTS = "constraints.txt"
_LOOPBACK = "127.0.0.1"
_SLACK = 5
"""Seconds that the view may need beside its waiting for an index."""


class Workspace:
    """A temporary folder for one resolution.

    pip's cache is in it too: it keys pages by address, and the view's is new each time, so that
    nothing in it would be met again.

    Args:
        folder: exists, is empty, and goes away afterwards.
        question: what is asked.
        sources: the view's, on loopback; indexes that only serve packages naming them are left
            out, since pip has no such notion.
    """

    def __init__(self, folder: Path, question: Question, sources: Sources) -> None:
        self.folder = folder
        self.sources = Sources(
            indexes=tuple(index for index in sources.indexes if not index.explicit),
            find_links=sources.find_links,
            certificate=sources.certificate,
        )
        self._question = question
        root = question.root
        self.wishes: tuple[Wish, ...] = tuple(
            sorted(question.request.wishes, key=lambda w: (w.text, w.origin))
        )
        self._write(_WISHES, (with_absolute_path(w.text, root) for w in self.wishes))
        constraints = sorted({w.text for w in question.request.constraints})
        self._write(_CONSTRAINTS, (with_absolute_path(text, root) for text in constraints))
        self._pins = tuple(_kept_pins(question))
        self._write(self.compiled.name, self._pins)

    @property
    def compiled(self) -> Path:
        """pip-compile's output, which holds the existing pins before it runs."""
        return self.folder / "requirements.txt"

    @property
    def reported(self) -> Path:
        """pip's installation report (JSON)."""
        return self.folder / "report.json"

    def forget_pins(self) -> bool:
        """Free every existing pin for the next run; False where there is none to free."""
        had, self._pins = self._pins, ()
        self._write(self.compiled.name, ())
        return bool(had)

    def compile(self) -> process.Completed:
        """Run pip-compile; ``compiled`` then holds its answer."""
        sources, request = self.sources, self._question.request
        pip_arguments = [*_pip_options(), *_format_options(self._question)]
        argv = [
            "piptools",
            "compile",
            "--verbose",  # only then does pip say what a conflict is caused by
            "--no-config",
            "--no-color",
            "--no-header",
            "--resolver=backtracking",
            "--allow-unsafe",
            "--no-strip-extras",
            "--annotate",
            "--annotation-style=line",
            "--no-emit-options",
            "--newline=lf",
            *_source_options(sources),
            *(["--cert", sources.certificate] if sources.certificate else []),
            *(["--pre"] if request.prereleases else []),
            "--constraint",
            _CONSTRAINTS,
            "--cache-dir",
            "cache",
            "--output-file",
            self.compiled.name,
            "--pip-args",
            shlex.join(pip_arguments),
            _WISHES,
        ]
        return self._python(argv)

    def report(self, lines: Iterable[str]) -> process.Completed:
        """Let pip say where it would take each pinned line from; nothing is installed."""
        self._write("pinned.txt", lines)
        sources = self.sources
        argv = [
            "pip",
            "install",
            "--dry-run",
            "--ignore-installed",
            "--no-deps",
            "--report",
            self.reported.name,
            "--cache-dir",
            "cache",
            *_pip_options(),
            *_format_options(self._question),
            *_source_options(sources),
            *(["--cert", sources.certificate] if sources.certificate else []),
            "--requirement",
            "pinned.txt",
        ]
        return self._python(argv)

    def _python(self, argv: list[str]) -> process.Completed:
        return process.run(
            [sys.executable, "-W", "ignore", "-m", *argv],
            cwd=self.folder,
            env=_environment(),
            remedy="pip install pip-tools",
        )

    def _write(self, name: str, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        (self.folder / name).write_text(text, encoding="utf-8")


def _kept_pins(question: Question) -> Iterable[str]:
    """The existing pins that may stay, as pip-compile finds them in its output file."""
    upgrade = question.upgrade
    if upgrade.everything:
        return ()
    return sorted(
        {
            f"{p.name}=={p.version}"
            for p in question.pins
            if p.index is not None and p.version is not None and p.name not in upgrade.names
        }
    )


def _pip_options() -> list[str]:
    # The view asks the true index again itself, as often and as long as ``Http`` is told to: pip
    # waits for that. Its own attempts are for file hosts.
    retries = int(float(os.environ.get("ENVLOCK_HTTP_RETRIES") or 3))
    seconds = float(os.environ.get("ENVLOCK_HTTP_TIMEOUT") or 30) * (retries + 1) + _SLACK
    return [
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar=off",
        f"--retries={min(retries, 2)}",
        f"--timeout={seconds:.0f}",
    ]


def _source_options(sources: Sources) -> list[str]:
    options = []
    for number, index in enumerate(sources.indexes):
        options += ["--extra-index-url" if number else "--index-url", index.url]
    if not sources.indexes:
        options.append("--no-index")
    for link in sources.find_links:
        options += ["--find-links", link.location]
    return options


def _format_options(question: Question) -> list[str]:
    request: Request = question.request
    no_binary = list(request.no_binary)
    only_binary = list(request.only_binary)
    if not question.build:
        no_binary, only_binary = [], [":all:"]
    options = [("--no-binary", name) for name in no_binary]
    options += [("--only-binary", name) for name in only_binary]
    # To pip, a later option overrules an earlier one: the general ones come first.
    options.sort(key=lambda pair: (pair[1] != ":all:", pair))
    return ["=".join(pair) for pair in options]


def _environment() -> dict[str, str]:
    """This process's environment without pip's, uv's and Python's own settings."""
    environment = process.clean_environment("PIP_", "UV_", "PYTHONWARNINGS", "FORCE_COLOR")
    direct = [environment[n] for n in ("no_proxy", "NO_PROXY") if environment.get(n)]
    # Whatever proxy there is must not be asked for the view.
    environment["no_proxy"] = environment["NO_PROXY"] = ",".join([*direct, _LOOPBACK])
    return environment | {
        "PIP_CONFIG_FILE": os.devnull,
        "GIT_TERMINAL_PROMPT": "0",
        "NO_COLOR": "1",
        "COLUMNS": "500",  # pip-tools wraps what it logs
    }
