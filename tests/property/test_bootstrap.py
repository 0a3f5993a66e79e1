"""Where cycles of builds are broken, held against graphlib and every set there is."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter
from itertools import combinations, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envlock.lock.bootstrap import UnbreakableError, choose_seeds, cycles, unbroken
from envlock.lock.builds import Key

Graph = dict[Key, frozenset[Key]]


def key(number: int) -> Key:
    return (f"p{number:02}", "1.0")


@st.composite
def graphs(draw: st.DrawFn, most: int = 6) -> Graph:
    names = [key(number) for number in range(draw(st.integers(1, most)))]
    edges = st.frozensets(st.sampled_from(names), max_size=4)
    return {name: draw(edges) for name in names}


def ordered(graph: Graph, without: frozenset[Key] | set[Key] = frozenset()) -> bool:
    """Whether there is an order once nothing has to wait for ``without``."""
    try:
        TopologicalSorter({k: needed - without for k, needed in graph.items()}).prepare()
    except CycleError:
        return False
    return True


def leads(graph: Graph, start: Key, goal: Key) -> bool:
    seen: set[Key] = set()
    waiting = [*graph[start]]
    while waiting:
        node = waiting.pop()
        if node not in seen:
            seen.add(node)
            waiting += graph[node]
    return goal in seen


@given(graphs(9))
@settings(deadline=None, max_examples=40)
def test_cycles_are_the_builds_that_lead_to_each_other(graph: Graph) -> None:
    expected = {
        frozenset(other for other in graph if leads(graph, one, other) and leads(graph, other, one))
        for one in graph
        if leads(graph, one, one)
    }
    assert set(cycles(graph)) == expected
    assert list(cycles(graph)) == sorted(cycles(graph), key=sorted)


@given(graphs(), st.data())
@settings(deadline=None, max_examples=60)
def test_the_fewest_that_can_be_taken_break_every_cycle(graph: Graph, data: st.DataObject) -> None:
    ranks = {k: data.draw(st.sampled_from([0, 0, 1, None])) for k in graph}
    able = [k for k, rank in ranks.items() if rank is not None]
    if not ordered(graph, set(able)):
        with pytest.raises(UnbreakableError) as raised:
            choose_seeds(graph, ranks.get)
        assert raised.value.group in cycles(graph)
        return
    seeds = choose_seeds(graph, ranks.get)
    # Whatever is outside of a group uses what was built: that, too, has an order.
    assert unbroken(graph, seeds) == ()
    assert ordered(graph, seeds)
    serving = [
        some
        for size in range(len(able) + 1)
        for some in combinations(able, size)
        if ordered(graph, set(some))
    ]
    compiled = [sum(ranks[k] or 0 for k in some) for some in serving if len(some) == len(seeds)]
    assert len(seeds) == min(map(len, serving))
    assert sum(ranks[k] or 0 for k in seeds) == min(compiled)
    shuffled = dict(data.draw(st.permutations(list(graph.items()))))
    assert choose_seeds(shuffled, ranks.get) == seeds


@given(st.integers(12, 22), st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=4)
def test_large_groups_have_no_seed_too_many(count: int, random: object) -> None:
    names = [key(number) for number in range(count)]
    choose = random.sample  # type: ignore[attr-defined]
    graph = {name: frozenset(choose(names, 5)) - {name} for name in names}
    seeds = choose_seeds(graph, lambda _: 0)
    assert ordered(graph, seeds)
    assert not any(ordered(graph, seeds - {one}) for one in seeds)
    assert choose_seeds(dict(reversed(graph.items())), lambda _: 0) == seeds


def test_a_chain_may_be_longer_than_pythons_stack() -> None:
    names = [(f"p{number}", "1") for number in range(3000)]
    chain = {one: frozenset({after}) for one, after in pairwise(names)}
    assert choose_seeds(chain | {names[-1]: frozenset()}, lambda _: 0) == frozenset()
    circle = choose_seeds(chain | {names[-1]: frozenset({names[0]})}, lambda _: 0)
    assert circle == {min(names)}
