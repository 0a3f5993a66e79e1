# /// script
# requires-python = ">=3.11"
# dependencies = [
#   "pyyaml",
#   "rich>=13",
# ]
# ///
"""A single file that names what it needs (PEP 723) and prints a small report."""

import yaml
from rich.console import Console
from rich.tree import Tree

DOCUMENT = """
fruit: {apples: 3, pears: 5}
roots: {carrots: 12}
"""


def main() -> None:
    """Draw the document as a tree."""
    tree = Tree("stock")
    for kind, items in yaml.safe_load(DOCUMENT).items():
        branch = tree.add(kind)
        for name, count in items.items():
            branch.add(f"{name}: {count}")
    Console().print(tree)


if __name__ == "__main__":
    main()
