"""A command line; typer is pinned, click is not."""

import typer
from typer.testing import CliRunner

app = typer.Typer()


@app.command()
def greet(name: str, times: int = 1):
    """Greet somebody."""
    typer.echo(f"hello {name} " * times)


answer = CliRunner().invoke(app, ["--help"])
assert answer.exit_code == 0 and "Greet somebody" in answer.output, answer.exception
