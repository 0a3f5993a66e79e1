"""``envlock completion``: the tab key knows envlock's commands and options."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from envlock.cli.output import result

_EPILOG = """\b
Examples:
  envlock completion bash > ~/.local/share/bash-completion/completions/envlock
  envlock completion zsh > "${fpath[1]}/_envlock"
  envlock completion fish > ~/.config/fish/completions/envlock.fish
  eval "$(envlock completion bash)"           # this shell alone"""


@click.command(epilog=_EPILOG)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print what makes a shell complete envlock's commands and options."""
    found = get_completion_class(shell)
    assert found is not None  # noqa: S101 - narrows the type
    root = ctx.find_root()
    result(found(root.command, {}, "envlock", "_ENVLOCK_COMPLETE").source().rstrip())
