"""The ``envlock`` group: lazy commands, global options, and the one place where errors end."""

from __future__ import annotations

import contextlib
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import click

from envlock.cli.context import Context
from envlock.cli.style import style
from envlock.errors import EXIT_SOURCE, EnvlockError

COMMANDS: dict[str, str] = {
    "init": "Find what the project has and write the smallest [tool.envlock].",
    "lock": "Resolve the project as of a date and write pylock.toml.",
    "sync": "Make an environment hold exactly what the lock says.",
    "fetch": "Bring every file of the lock into the store.",
    "check": "Compare the project and the installed packages with the lock.",
    "explain": "Say what a code of `check` means and what to do about it.",
    "diff": "Show what changed between two locks (files or git revisions).",
    "why": "Show who asked for a package.",
    "tree": "Show the locked packages as a tree.",
    "hash": "Print the environment hash.",
    "export": "Write the lock for others: Docker, Nix, Guix, pip, SBOMs.",
    "run": "Run a program and keep a record of it.",
    "runs": "Look at what was run.",
    "kernel": "Make the locked environment a Jupyter kernel.",
    "rebuild": "Bring an environment back from a lock, a run or a revision.",
    "verify": "Build wheels twice in different conditions and compare.",
    "build": "Build the environment of the lock: an image, or with Nix.",
    "bundle": "Put everything of a lock into one folder, to rebuild without a network.",
    "mirror": "Serve a bundle to pip, uv, apt and Nix.",
    "doctor": "Say what this machine can do for envlock, and what to do where it cannot.",
    "cache": "Look at envlock's cache, and make it smaller.",
    "completion": "Print what makes a shell complete envlock's commands.",
}
"""Every command and its summary, in the order of a first use."""

_ENDING = (signal.SIGTERM, *((signal.SIGHUP,) if sys.platform != "win32" else ()))

_EPILOG = """\b
Start here:
  envlock init                      # once, in a project
  envlock lock --as-of 2026-03-01   # pin everything as it was then
  envlock sync                      # .venv now holds exactly that
  envlock check                     # 0: fine, 1: drift

Exit codes: 0 fine, 1 drift or stale, 2 bad input, 3 a source or tool failed,
4 verification failed."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """All command names, in the order of ``COMMANDS``."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import ``envlock.cli.<cmd_name>`` and give its ``command``."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"envlock.cli.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)  # noqa: S101 - a contract of this package
        inner = command.commands.values() if isinstance(command, click.Group) else ()
        for one in (command, *inner):
            # The module keeps the command: asked for twice in one process, it has them already.
            known = {parameter.name for parameter in one.params}
            switches = (_repeated("quiet", "-q"), _repeated("verbose", "-v"))
            one.params += [switch for switch in switches if switch.name not in known]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from ``COMMANDS``, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the nearest known name when there is no such command."""
        if args and args[0] not in COMMANDS and not args[0].startswith("-"):
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"No such command {args[0]!r}.{hint}", ctx)
        return super().resolve_command(ctx, args)


def _repeated(name: str, short: str) -> click.Option:
    """A global switch that may also stand behind the command, as in ``envlock lock -q``."""

    def switch(ctx: click.Context, _parameter: click.Parameter, value: bool) -> None:
        if value:
            ctx.obj = replace(ctx.obj, **{name: True})

    return click.Option(
        [short, f"--{name}"], is_flag=True, expose_value=False, hidden=True, callback=switch
    )


@click.group(
    cls=LazyGroup,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "-C",
    "--directory",
    type=click.Path(path_type=Path),
    default=None,
    help="Work as if started in this folder.",
)
@click.option("-q", "--quiet", is_flag=True, help="Say only errors and results.")
@click.option("-v", "--verbose", is_flag=True, help="Say more.")
@click.version_option(package_name="envlock", prog_name="envlock")
@click.pass_context
def group(ctx: click.Context, directory: Path | None, quiet: bool, verbose: bool) -> None:
    """Lock a Python environment by date, install exactly that, and be told when it drifts."""
    ctx.obj = Context(directory=directory or Path(), quiet=quiet, verbose=verbose)
    if directory is not None and not directory.is_dir():
        raise click.UsageError(f"--directory {directory}: no such folder")


class Ended(KeyboardInterrupt):
    """A signal asks to end, as Ctrl-C does; ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def _ending_in_order() -> Iterator[None]:
    """A signal to end is as Ctrl-C: temporary folders go, and processes that were started.

    Not so for a second signal, nor for one that whoever started this has had ignored.
    """

    def end(number: int, _frame: object) -> None:
        signal.signal(number, signal.SIG_DFL)
        raise Ended(number)

    numbers = [n for n in _ENDING if signal.getsignal(n) is signal.SIG_DFL]
    for number in numbers:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in numbers:
            signal.signal(number, signal.SIG_DFL)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and give its exit code; errors become messages, not tracebacks."""
    try:
        # `envlock run` gives signals to its program; what watches that is a copy of this process.
        plain = "run" in arguments or threading.current_thread() is not threading.main_thread()
        with contextlib.nullcontext() if plain else _ending_in_order():
            code = group.main(args=list(arguments), prog_name="envlock", standalone_mode=False)
    except click.exceptions.Abort as error:
        _say("error: interrupted; nothing was half-written")
        return 128 + (error.__cause__.number if isinstance(error.__cause__, Ended) else 2)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except EnvlockError as error:
        show(error)
        return error.exit_code
    except BrokenPipeError:
        # The reader of stdout went away (`| head`): not an error worth a message.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        # A disk that fills or a folder that vanishes can hit any step, temporary files included.
        _say(f"{style('error', 'bold red')}: {error.strerror or error}")
        if error.filename:
            _say(f"  {style('where', 'bold')}: {error.filename}")
        return EXIT_SOURCE
    return code if isinstance(code, int) else 0


def show(error: EnvlockError) -> None:
    """What happened, where, and what to do, for people."""
    _say(f"{style('error', 'bold red')}: {error.what}")
    if error.where:
        _say(f"  {style('where', 'bold')}: {error.where}")
    if error.remedy:
        first, *rest = error.remedy.splitlines()
        _say(f"  {style('help', 'bold')}: {first}")
        for line in rest:
            _say(f"        {line}")


def _say(text: str) -> None:
    click.echo(text, err=True)
