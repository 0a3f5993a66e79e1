"""``envlock run``: run a program, and keep a record of it."""

from __future__ import annotations

import os

import click

from envlock.cli.context import Context
from envlock.cli.quick_run import CAPTURE, TRACE, execute

_EPILOG = """\b
Examples:
  envlock run -- python train.py --lr 0.1
  envlock run -m "smaller batches" --tag paper -- make figures
  envlock run --input data/ --output model.npz -- Rscript fit.R
  envlock run --strict -- pytest    # refused when the environment has drifted
  envlock runs list                 # what was run

The program keeps its terminal, input, output, signals and exit code. A line that it prints as
ENVLOCK {"loss": 0.25} is kept as a metric. ENVLOCK_RUN and ENVLOCK_HASH tell it what it is."""


@click.command(
    epilog=_EPILOG, context_settings={"allow_interspersed_args": False}, short_help="Run a program."
)
@click.option("-m", "--message", metavar="WHY", help="Why it is run.")
@click.option("--name", metavar="NAME", help="The named environment: pylock.NAME.toml.")
@click.option("--param", metavar="K=V", multiple=True, help="A parameter; may be repeated.")
@click.option(
    "--params", metavar="FILE", multiple=True, help="A file of parameters (JSON, TOML, YAML)."
)
@click.option(
    "--metrics", metavar="FILE", multiple=True, help="A file of metrics that the program writes."
)
@click.option("--tag", metavar="TAG", multiple=True, help="A word to find it by; may be repeated.")
@click.option("--group", metavar="GROUP", help="What several runs are parts of.")
@click.option("--input", metavar="PATH", multiple=True, help="A file or folder that is read.")
@click.option("--output", metavar="PATH", multiple=True, help="A file or folder that is written.")
@click.option("--strict", is_flag=True, help="Refuse to run when the environment has drifted.")
@click.option(
    "--capture",
    type=click.Choice(CAPTURE),
    default="auto",
    help="Which output is kept: all, none, or what does not go to a terminal (auto).",
)
@click.option(
    "--trace",
    type=click.Choice(TRACE),
    default="auto",
    help="How to see which files it uses: as well as the system can (auto), by a scan, or not.",
)
@click.argument("command_line", metavar="[--] COMMAND...", nargs=-1, type=click.UNPROCESSED)
@click.pass_obj
def command(
    context: Context,
    message: str | None,
    name: str | None,
    param: tuple[str, ...],
    params: tuple[str, ...],
    metrics: tuple[str, ...],
    tag: tuple[str, ...],
    group: str | None,
    input: tuple[str, ...],
    output: tuple[str, ...],
    strict: bool,
    capture: str,
    trace: str,
    command_line: tuple[str, ...],
) -> int:
    """Run a program unchanged, and keep a record that leads back to all that it was made from."""
    if not command_line:
        raise click.UsageError("No command: envlock run -- COMMAND...")
    from envlock.runs.order import Order

    order = Order(list(command_line))
    order.why, order.name, order.group = message, name, group
    order.params, order.params_files, order.metrics_files = list(param), list(params), list(metrics)
    order.tags, order.inputs, order.outputs = list(tag), list(input), list(output)
    order.strict, order.capture, order.trace = strict, capture, trace
    os.chdir(context.directory)
    return execute(order, quiet=context.quiet)
