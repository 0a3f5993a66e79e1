"""Random small archives: every answer is whole, and a refusal means that there is no answer.

The oracle tries all subsets of the candidates, so it shares nothing with the solver but Policy.
"""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st
from support.apt_cases import package, part

from envlock.errors import NoSolutionError
from envlock.resolve.os.archive.index import PackageIndex
from envlock.resolve.os.closure.close import close
from envlock.resolve.os.packages.candidates import Candidate

NAMES = ("aa", "bb", "cc", "dd", "ee", "ff")
WORD = st.sampled_from([*NAMES, "virt"])
RELATION = st.one_of(WORD, WORD.map(lambda name: f"{name} (>= 2)"))
CLAUSE = st.lists(RELATION, min_size=1, max_size=3).map(" | ".join)


@st.composite
def archives(draw: st.DrawFn) -> str:
    text = ""
    for name in NAMES:
        fields = {}
        depends = draw(st.lists(CLAUSE, max_size=2))
        if depends:
            fields["depends"] = ", ".join(depends)
        excluded = draw(st.lists(RELATION, max_size=1))
        if excluded:
            fields[draw(st.sampled_from(["conflicts", "breaks"]))] = excluded[0]
        if draw(st.integers(0, 3)) == 0:
            fields["provides"] = draw(st.sampled_from(["virt", "virt (= 2)"]))
        text += package(name, draw(st.sampled_from(["1", "2"])), **fields)
    return text


REQUESTS = st.lists(st.sampled_from(NAMES), min_size=1, max_size=3, unique=True)


def _met(name: str, bound: str, operator: str, there: dict[str, Candidate]) -> list[str]:
    owners = []
    for candidate in there.values():
        offers = [(candidate.name, candidate.version)]
        offers += [(p.name, p.version) for p in candidate.provides]
        if any(n == name and (not operator or (v and v >= bound)) for n, v in offers):
            owners.append(candidate.name)
    return owners


def _whole(there: dict[str, Candidate]) -> bool:
    return all(
        all(
            any(_met(r.name, r.version, r.operator or "", there) for r in clause)
            for clause in candidate.depends
        )
        and not any(
            set(_met(r.name, r.version, r.operator or "", there)) - {candidate.name}
            for r in candidate.excludes
        )
        for candidate in there.values()
    )


def _possible(index: PackageIndex, request: list[str]) -> bool:
    others = [name for name in NAMES if name not in request]
    for size in range(len(others) + 1):
        for more in combinations(others, size):
            there = {name: index.versions(name)[0] for name in (*request, *more)}
            if _whole(there):
                return True
    return False


@settings(max_examples=150, deadline=None)
@given(archives(), REQUESTS)
def test_answers_are_whole_and_refusals_right(text: str, request: list[str]) -> None:
    with PackageIndex([part(text)], architecture="amd64") as index:
        try:
            solution = close(index, request)
        except NoSolutionError:
            assert not _possible(index, request)
            return
        there = {c.package.name: index.versions(c.package.name)[0] for c in solution.packages}
        assert set(request) <= there.keys()
        assert _whole(there)


@settings(max_examples=50, deadline=None)
@given(archives(), REQUESTS, st.randoms())
def test_the_order_of_the_request_does_not_matter(text: str, request: list[str], rng) -> None:  # type: ignore[no-untyped-def]
    shuffled = rng.sample(request, len(request))
    with PackageIndex([part(text)], architecture="amd64") as index:
        answers = []
        for names in (request, shuffled):
            try:
                answers.append(str(close(index, names)))
            except NoSolutionError as error:
                answers.append(str(error))
        assert answers[0] == answers[1]


@settings(max_examples=50, deadline=None)
@given(archives(), REQUESTS)
def test_nothing_is_there_without_a_reason(text: str, request: list[str]) -> None:
    with PackageIndex([part(text)], architecture="amd64") as index:
        try:
            solution = close(index, request)
        except NoSolutionError:
            return
        reached = set(request)
        while more := {c.package.name for c in solution.packages if reached & set(c.via)} - reached:
            reached |= more
        assert reached == {chosen.package.name for chosen in solution.packages}
