"""A dependency graph without cycles: Python packages may need one another, Guix's may not."""

from __future__ import annotations

from collections.abc import Mapping

Graph = Mapping[str, tuple[str, ...]]


def acyclic(graph: Graph) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
    """What is left of ``graph`` once no cycle is, and what was cut.

    Depth first in the order given, and what leads back to where the search stands is cut; so a
    graph without cycles stays whole. A package that needs itself needs nothing.

    Args:
        graph: name → names that it needs, all of them keys.
    """
    kept: dict[str, list[str]] = {name: [] for name in graph}
    cut: dict[str, tuple[str, ...]] = {}
    entered: set[str] = set()
    done: set[str] = set()
    for start in graph:
        # No recursion: a chain of packages may be longer than Python's stack.
        stack = [] if start in entered else [(start, iter(graph[start]))]
        entered.add(start)
        while stack:
            name, rest = stack[-1]
            needed = next(rest, None)
            if needed is None:
                done.add(name)
                stack.pop()
            elif needed not in entered or needed in done:
                kept[name].append(needed)
                if needed not in entered:
                    entered.add(needed)
                    stack.append((needed, iter(graph[needed])))
            elif needed != name:
                cut[name] = (*cut.get(name, ()), needed)
    return {name: tuple(needed) for name, needed in kept.items()}, cut
