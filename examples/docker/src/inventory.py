"""What this container is made of: the distribution's packages, Python's, and the lock's name."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.metadata import distributions

from rich.console import Console
from rich.table import Table


def main() -> int:
    """Print a table."""
    listed = subprocess.run(["dpkg-query", "--show"], capture_output=True, check=True, text=True)
    openssl = subprocess.run(["openssl", "version"], capture_output=True, check=True, text=True)
    table = Table("", "", show_header=False)
    table.add_row("OS packages", str(len(listed.stdout.splitlines())))
    table.add_row("Python", sys.version.split()[0])
    table.add_row("Python packages", str(len(list(distributions()))))
    table.add_row("OpenSSL", openssl.stdout.split()[1])
    table.add_row("environment", os.environ.get("ENVLOCK_ENVIRONMENT", "")[:17])
    Console(width=60).print(table)
    return 0


if __name__ == "__main__":
    sys.exit(main())
