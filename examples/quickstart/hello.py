"""Shows what is installed here: run it with the environment's own Python."""

import platform
import sys
from importlib.metadata import distributions

from rich.console import Console
from rich.table import Table


def main() -> None:
    """Print a table of this environment's packages."""
    found = sorted({d.metadata["Name"]: d.version for d in distributions()}.items())
    table = Table(title=f"{len(found)} packages, CPython {platform.python_version()}")
    table.add_column("package", style="cyan")
    table.add_column("version")
    for name, version in found:
        table.add_row(name, version)
    Console(width=60).print(table)


if __name__ == "__main__":
    sys.exit(main())
