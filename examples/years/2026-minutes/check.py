"""A table in the terminal."""

import httpx
from rich.console import Console
from rich.table import Table

table = Table("topic", "who")
table.add_row("budget", "ada")
console = Console(record=True, width=40)
console.print(table)
assert "budget" in console.export_text()
assert httpx.URL("https://example.org/a").path == "/a"
