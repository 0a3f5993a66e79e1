"""A package's marker in the lock holds exactly where a walk over the graph reaches the package."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packaging.markers import Marker

from envlock.lock.target import PLATFORMS, Target
from envlock.resolve.python.engines.reach import Edge, Graph, Node, markers

NAMES = ("a", "b", "c", "d")
NODES = tuple(Node(name=name, version="1") for name in NAMES)
MARKERS = (
    None,
    "sys_platform == 'win32'",
    "python_version < '3.12'",
    "python_full_version < '3.11.3'",
    "python_full_version <= '3.11.5'",
    "python_full_version == '3.12.2'",
    "python_full_version > '3.12.0' and sys_platform == 'linux'",
    "'3.11.4' <= python_full_version",
    "platform_machine == 'aarch64' or python_version >= '3.13'",
    "python_full_version != '3.11.3'",
)

edges = st.builds(
    Edge,
    node=st.sampled_from(NODES),
    extras=st.sampled_from([(), ("x",), ("x", "y")]),
    marker=st.sampled_from(MARKERS),
)
edge_lists = st.lists(edges, max_size=3).map(tuple)
graphs = st.builds(
    Graph,
    roots=st.lists(edges, min_size=1, max_size=3).map(tuple),
    edges=st.fixed_dictionaries(dict.fromkeys(NODES, edge_lists)),
    extra_edges=st.fixed_dictionaries({(n, x): edge_lists for n in NODES for x in ("x", "y")}),
)
targets = st.sets(
    st.builds(
        Target,
        platform=st.sampled_from(sorted(PLATFORMS)),
        python=st.sampled_from(["3.11", "3.11.4", "3.12", "3.13"]),
    ),
    min_size=1,
    max_size=4,
)


def _walk(graph: Graph, environment: dict[str, str]) -> set[Node]:
    """The plainest walk: repeat until nothing new is found."""
    seen: set[tuple[Node, str]] = set()
    while True:
        before = len(seen)
        active = list(graph.roots)
        for node, extra in seen:
            active += graph.extra_edges[(node, extra)] if extra else graph.edges[node]
        for edge in active:
            if edge.marker is None or Marker(edge.marker).evaluate(environment):
                seen.update((edge.node, extra) for extra in ("", *edge.extras))
        if len(seen) == before:
            return {node for node, _ in seen}


@given(graphs, targets, st.integers(min_value=0, max_value=9))
def test_marker_says_where_the_walk_arrives(graph: Graph, chosen: set[Target], patch: int) -> None:
    # Two targets of one platform where one is a patch of the other's series overlap: not asked.
    chosen = {t for t in chosen if t.python.count(".") == 1} or chosen
    found = markers(graph, chosen)
    for target in chosen:
        full = target.python if target.python.count(".") == 2 else f"{target.python}.{patch}"
        environment = target.environment(full)
        expected = _walk(graph, environment)
        holds = {
            node
            for node, marker in found.items()
            if marker is None or Marker(marker).evaluate(environment)
        }
        assert holds == expected
