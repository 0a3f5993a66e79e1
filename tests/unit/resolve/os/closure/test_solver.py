"""Small archives, each with one difficulty: the closure is the one that apt gives."""

from __future__ import annotations

import pytest
from support.apt_cases import CASES, Case, package, part

from envlock.errors import NoSolutionError
from envlock.resolve.os.archive.index import PackageIndex
from envlock.resolve.os.closure.close import close


def _closure(case: Case) -> str | None:
    with PackageIndex([part(text) for text in case.files], architecture="amd64") as index:
        try:
            solution = close(index, case.request)
        except NoSolutionError:
            return None
        return " ".join(chosen.package.name for chosen in solution.packages)


@pytest.mark.parametrize("case", CASES, ids=[case.label for case in CASES])
def test_as_apt(case: Case) -> None:
    assert _closure(case) == case.expected


def test_an_answer_is_found_where_apt_gives_up() -> None:
    # apt takes zz, which breaks what app needs next, and does not come back.
    text = (
        package("app", depends="zz | yy, m")
        + package("zz", breaks="m")
        + package("yy")
        + package("m")
    )
    case = Case(label="", files=(text,), request=("app",), expected=None)
    assert _closure(case) == "app m yy"


def test_a_choice_is_taken_back_when_it_leads_nowhere() -> None:
    # k's only way forward is shut by the first choice; nothing says so beforehand.
    text = (
        package("app", depends="a1 | a2, k")
        + package("a1", breaks="b1, b2")
        + package("a2")
        + package("k", depends="b1 | b2")
        + package("b1")
        + package("b2")
    )
    case = Case(label="", files=(text,), request=("app",), expected=None)
    assert _closure(case) == "a2 app b1 k"


def test_a_long_chain_is_no_recursion() -> None:
    count = 3000
    text = "".join(package(f"p{n}", depends=f"p{n + 1}") for n in range(count))
    case = Case(label="", files=(text + package(f"p{count}"),), request=("p0",), expected=None)
    answer = _closure(case)
    assert answer is not None
    assert len(answer.split()) == count + 1
