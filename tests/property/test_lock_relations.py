"""Requests and locks held against each other: staleness, difference, who needs whom."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from packaging.requirements import Requirement
from support import strategies
from support.samples import package, small_lock

from envlock.lock.diff import ChangeKind, diff
from envlock.lock.graph.python import chains_to, needs, wished
from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.request import Request
from envlock.lock.staleness import StaleKind, mismatches

# --- staleness ---


def answering(request: Request, as_of: datetime) -> Lock:
    return Lock(
        as_of=request.as_of or as_of,
        engine="uv",
        request=request,
        targets=request.targets,
        packages=(),
    )


@given(st.data(), strategies.requests(), strategies.seconds)
@settings(deadline=None, max_examples=50)
def test_a_lock_answers_its_own_request(
    data: st.DataObject, request: Request, as_of: datetime
) -> None:
    lock = answering(request, as_of)
    assert mismatches(request, lock) == ()
    shuffled = data.draw(strategies.shuffled(lock)).request
    assert mismatches(shuffled, lock) == ()


# The file's word for each field; the date is compared on its own.
KEYS = {
    field.name: {"wishes": "requirements"}.get(field.name, field.name.replace("_", "-"))
    for field in fields(Request)
    if field.name != "as_of" and field.compare
}


@given(strategies.requests(), strategies.requests(), st.sampled_from(sorted(KEYS)))
@settings(deadline=None, max_examples=200)
def test_every_changed_field_is_named(old: Request, other: Request, field: str) -> None:
    new = replace(old, **{field: getattr(other, field)})
    assume(getattr(old, field) != getattr(new, field))
    lock = answering(old, datetime(2024, 1, 1, tzinfo=UTC))
    found = mismatches(new, lock)
    assert found
    # A table of the project (nix, guix) has its own word, and those of its keys after a dash.
    named = {mismatch.field for mismatch in found}
    assert named == {KEYS[field]} or all(f"{key}-".startswith(f"{field}-") for key in named)
    for mismatch in found:
        texts = [t for t in (mismatch.before, mismatch.after) if t is not None]
        assert texts
        if field == "local_sources":  # digests say nothing to people
            texts = [text.rpartition(" sha256:")[0] for text in texts]
        assert all(text in str(mismatch) for text in texts)
        assert (mismatch.before is None) is (mismatch.kind is StaleKind.ADDED)
        assert (mismatch.after is None) is (mismatch.kind is StaleKind.REMOVED)


@given(strategies.requests(), strategies.requests())
@settings(deadline=None, max_examples=100)
def test_each_line_that_came_or_went_is_told(old: Request, other: Request) -> None:
    new = replace(old, wishes=other.wishes)
    lock = answering(old, datetime(2024, 1, 1, tzinfo=UTC))
    before = set(old.canonical().get("requirements", []))
    after = set(new.canonical().get("requirements", []))
    found = mismatches(new, lock)
    assert {m.before for m in found} - {None} == before - after
    assert {m.after for m in found} - {None} == after - before


@given(strategies.requests(), strategies.seconds)
@settings(deadline=None, max_examples=30)
def test_a_fixed_date_is_compared(request: Request, as_of: datetime) -> None:
    lock = answering(replace(request, as_of=None), as_of)
    later = replace(request, as_of=as_of + timedelta(seconds=1))
    assert [m.field for m in mismatches(later, lock)] == ["as-of"]
    assert mismatches(replace(request, as_of=as_of), lock) == ()
    assert mismatches(replace(request, as_of=None), lock) == ()


# --- difference ---


@given(st.data(), strategies.locks())
@settings(deadline=None, max_examples=50)
def test_a_lock_does_not_differ_from_itself(data: st.DataObject, lock: Lock) -> None:
    for other in (lock, data.draw(strategies.shuffled(lock))):
        found = diff(lock, other)
        assert found.same_environment
        assert (found.changes, found.settings) == ((), ())


@st.composite
def neighbours(draw: st.DrawFn) -> tuple[Lock, Lock]:
    """Two locks that share some packages."""
    before = draw(strategies.locks())
    after = draw(strategies.locks())
    shared = (
        draw(st.lists(st.sampled_from(before.packages), unique=True)) if before.packages else []
    )
    taken = {p.sort_key for p in after.packages}
    more = tuple(p for p in shared if p.sort_key not in taken)
    return before, replace(after, packages=after.packages + more)


@given(neighbours())
@settings(deadline=None, max_examples=100)
def test_locks_that_install_differently_have_differences(pair: tuple[Lock, Lock]) -> None:
    before, after = pair
    found = diff(before, after)
    assert found.same_environment is (environment_hash(before) == environment_hash(after))
    assert found.same_environment or found.changes or found.settings


@given(neighbours())
@settings(deadline=None, max_examples=100)
def test_the_way_back_is_the_mirror(pair: tuple[Lock, Lock]) -> None:
    before, after = pair
    there, back = diff(before, after), diff(after, before)

    def names(kind: ChangeKind, changes: Iterable[object]) -> list[str]:
        return sorted(c.name for c in changes if c.kind is kind)  # type: ignore[attr-defined]

    assert names(ChangeKind.ADDED, there.changes) == names(ChangeKind.REMOVED, back.changes)
    assert names(ChangeKind.REMOVED, there.changes) == names(ChangeKind.ADDED, back.changes)
    assert names(ChangeKind.UPGRADED, there.changes) == names(ChangeKind.DOWNGRADED, back.changes)
    assert [(k, b, a) for k, a, b in back.settings] == list(there.settings)


@given(neighbours())
@settings(deadline=None, max_examples=50)
def test_a_new_or_lost_name_is_told(pair: tuple[Lock, Lock]) -> None:
    before, after = pair
    old, new = ({p.name for p in lock.packages} for lock in pair)
    changes = diff(before, after).changes
    assert {c.name for c in changes if c.kind is ChangeKind.ADDED} >= new - old
    assert {c.name for c in changes if c.kind is ChangeKind.REMOVED} >= old - new
    # Pythons, then packages by name, then what lies around them, layer by layer.
    layers = [layer for layer, _ in groupby(changes, key=lambda change: change.layer)]
    assert layers == [layer for layer in ("python", "os", "build", "library") if layer in layers]
    python = [c for c in changes if c.layer == "python"]
    order = [(c.kind is not ChangeKind.INTERPRETER, c.name) for c in python]
    assert order == sorted(order)


# --- graph ---


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, list[str]], list[str]]:
    """Edges among up to seven names (cycles and names that are not locked too), and wishes."""
    everything = draw(st.lists(strategies.names, min_size=1, max_size=7, unique=True))
    some = st.lists(st.sampled_from(everything), max_size=3, unique=True)
    known = draw(st.lists(st.sampled_from(everything), unique=True))
    return {name: draw(some) for name in known}, draw(some)


def distances(edges: dict[str, list[str]], start: str) -> dict[str, int]:
    """Steps from ``start`` to each name, by plain relaxation: another way than the code's."""
    found = {start: 0} if start in edges else {}
    for _ in edges:
        for name, near in edges.items():
            for other in near:
                if name in found and other in edges:
                    found[other] = min(found.get(other, found[name] + 1), found[name] + 1)
    return found


@given(graphs())
@settings(deadline=None, max_examples=150)
def test_chains_are_real_and_shortest(drawn: tuple[dict[str, list[str]], list[str]]) -> None:
    edges, starts = drawn
    entries = [package(name, needs=near) for name, near in edges.items()]
    lock = small_lock(*entries, wishes=starts)
    assert sorted(wished(lock)) == sorted(starts)
    for goal in edges:
        chains = chains_to(lock, goal)
        lengths = {Requirement(c.wish.text).name: len(c.links) - 1 for c in chains}
        expected = {s: distances(edges, s)[goal] for s in starts if goal in distances(edges, s)}
        assert lengths == expected
        for chain in chains:
            assert chain.links[0].name == chain.wish.text
            assert chain.links[-1].name == goal
            for one, next_one in zip(chain.links, chain.links[1:], strict=False):
                assert next_one in needs(lock, one)


@given(graphs())
@settings(deadline=None, max_examples=50)
def test_needs_are_the_locked_dependencies(drawn: tuple[dict[str, list[str]], list[str]]) -> None:
    edges, _ = drawn
    lock = small_lock(*(package(name, needs=near) for name, near in edges.items()))
    for entry in lock.packages:
        found = [p.name for p in needs(lock, entry)]
        assert found == sorted(set(edges[entry.name]) & edges.keys())
