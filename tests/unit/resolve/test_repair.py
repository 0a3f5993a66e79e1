"""Old metadata gets a valid reading that is stated; valid metadata stays as it is, byte by byte."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.metadata import parse_email
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import SpecifierSet

from envlock.lock.package import Repair
from envlock.resolve.python.index.repair import (
    _CERTAIN,
    _CERTAIN_PYTHON,
    repair_metadata,
    repair_python,
    repair_requirement,
)


@pytest.mark.parametrize(
    ("found", "used"),
    [
        ("pytz (>=2011k)", "pytz>=2011"),
        ("foo (>=3.6.*)", "foo>=3.6"),
        ("foo>3.5.*", "foo>3.5"),
        ("foo (<4.*,>=2.*)", "foo<4,>=2"),
        ("foo~=2.*", "foo==2.*"),
        ("foo ~= 2", "foo==2.*"),
        ("foo ~=2.1.*", "foo~=2.1"),
        ("foo (>='1.0')", "foo>=1.0"),
        ('foo (>="1.0",<"2")', "foo<2,>=1.0"),
        ("foo >=1.0 <2.0", "foo<2.0,>=1.0"),
        ("foo (>=1.0<2.0)", "foo<2.0,>=1.0"),
        ("foo (>=1,,<2)", "foo<2,>=1"),
        ("foo (,>=1)", "foo>=1"),
        ("foo >=2004-01-15", "foo>=2004.01.15"),
        ("foo (=>1.0)", "foo>=1.0"),
        ("foo (=1.0)", "foo==1.0"),
        ("foo > =1.0", "foo>=1.0"),
        ("foo (<>1.5)", "foo!=1.5"),
        ("foo ==1.x", "foo==1.*"),
        ("foo >=1.x, <2", "foo<2,>=1"),
        ("foo==1.*.*", "foo==1.*"),
        ("foo (>=1", "foo>=1"),
        ("foo >=1)", "foo>=1"),
        ("foo!=1.2.", "foo!=1.2"),
        ("foo (!=2011k,>=3)", "foo>=3"),
        ("foo (!=2011k)", "foo"),
        ("torch (>=1.9.0+cu111)", "torch>=1.9.0"),
        ("foo;", "foo"),
        ("foo; python_version<3", 'foo; python_version < "3"'),
        ("foo (>=1.x); extra == test", 'foo>=1; extra == "test"'),
        ("foo[a,b] (>=3.*) ; extra == 'x'", 'foo[a,b]>=3; extra == "x"'),
        ('foo (<3,>=0.12 ; python_version<"3.8")', 'foo<3,>=0.12; python_version < "3.8"'),
    ],
)
def test_readings(found: str, used: str) -> None:
    assert repair_requirement(found) == used
    assert str(Requirement(used)) == used


@pytest.mark.parametrize(
    "found",
    [
        "foo ==2011k",  # another version would be another release
        "foo (>dev)",
        "foo (!=~5.0)",
        "foo (1.0)",
        "foo (>=1.0 or so)",
        "foo @ not a url ; x",
        "foo (>=)",
        "foo ()()[",
        "-e ./here",
        "",
        "foo; made_up == 'x'",
    ],
)
def test_what_has_no_reading(found: str) -> None:
    assert repair_requirement(found) is None


@pytest.mark.parametrize(
    ("found", "used"),
    [
        (">=3.6.*", ">=3.6"),
        (">=2.7, !=3.0.*, !=3.1.*", ">=2.7, !=3.0.*, !=3.1.*"),
        (">= 3.6 <4", "<4,>=3.6"),
        ("(>=3.6)", ">=3.6"),
        (">='3.6'", ">=3.6"),
        ("~=3", "==3.*"),
        (">=3.7,<4.0.*", "<4.0,>=3.7"),
        ("3.6", None),
        ("three", None),
        (">=3.6; extra", None),
    ],
)
def test_python(found: str, used: str | None) -> None:
    assert repair_python(found) == used


# --- properties ---

CLAUSES = st.lists(
    st.tuples(
        st.sampled_from([">=", "<=", ">", "<", "==", "!=", "~=", "===", "=", "=>", "<>", "~"]),
        st.sampled_from([" ", ""]),
        st.from_regex(
            r"[0-9]{1,4}([.-][0-9x]{1,2}){0,2}(\.\*|[a-k]|rc1|\+l\.1|\.)?", fullmatch=True
        ),
    ).map("".join),
    max_size=3,
)
LOOSE = st.tuples(
    st.sampled_from(["foo", "foo[bar]", "f.o-o [a, b]"]),
    st.sampled_from([" ", " (", "(", ""]),
    st.sampled_from([",", " ", ", ", ",,"]).flatmap(lambda sep: CLAUSES.map(sep.join)),
    st.sampled_from([")", "", ",)", "'"]),
    st.sampled_from(["", ";", "; python_version < '3'", " ; extra == x", "; os_name == 'a' or"]),
).map("".join)


@given(LOOSE)
def test_a_reading_is_valid_and_a_valid_one_is_kept(text: str) -> None:
    used = repair_requirement(text)
    try:
        Requirement(text)
        valid = True
    except InvalidRequirement:
        valid = False
    assert (used == text) == valid
    if used is not None:
        assert Requirement(used).name == text[: len(Requirement(used).name)]
        assert repair_requirement(used) == used


@given(CLAUSES, st.sampled_from([",", " , ", ",,"]))
def test_clauses_are_read_alone_and_all_kept(clauses: list[str], separator: str) -> None:
    together = repair_requirement(f"foo ({separator.join(clauses)}")
    alone = [repair_requirement(f"foo ({clause}") for clause in clauses]
    if together is None:
        assert None in alone
    else:
        texts = [str(Requirement(text).specifier) for text in alone if text is not None]
        assert len(texts) == len(clauses)
        expected = SpecifierSet(",".join(text for text in texts if text))
        assert Requirement(together).specifier == expected


@given(st.from_regex(_CERTAIN, fullmatch=True))
def test_what_is_certain_at_a_glance_is_valid(text: str) -> None:
    Requirement(text.rstrip("\n"))


@given(st.from_regex(_CERTAIN_PYTHON, fullmatch=True))
def test_what_is_certain_of_python_is_valid(text: str) -> None:
    SpecifierSet(text.rstrip("\n"))


LINES = st.lists(
    st.sampled_from(
        [
            "Requires-Dist: numpy>=1.2",
            "Requires-Dist: foo[bar] (>=1,<2) ; python_version < '3'",
            "requires-dist: odd ; platform.machine == 'x'",
            "Requires-Dist: folded\n  ; extra == 'x'",
            "Requires-Python: >=2.7, !=3.0.*",
            "Provides-Extra: x",
            "Summary: Requires-Dist: no (>=2011k)",
            "Description: old\n        Requires-Dist: no (>=2011k)",
            "Classifier: A :: B",
        ]
    )
)


@given(LINES, st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_valid_metadata_stays_as_it_is(lines: list[str], newline: str, body: bool) -> None:
    text = newline.join(["Metadata-Version: 2.1", *lines, ""])
    text += (newline + "Requires-Dist: pytz (>=2011k)" + newline) if body else ""
    data = text.encode()
    assert repair_metadata(data, "x==1") == (data, ())


# --- a whole file ---

OLD = b"""Metadata-Version: 2.1\r
Name: pandas\r
Version: 0.24.2\r
Requires-Dist: numpy (>=1.12.0)\r
Requires-Dist: pytz (>=2011k)\r
Requires-Dist: hopeless (>dev)\r
Requires-Dist: folded (>=3.6.*) ;\r
  extra == 'x'\r
Requires-Python: >=2.7,!=3.0.*, >=3.*\r
Summary: \xe9 is not UTF-8\r
\r
Requires-Dist: text (>=2011k)\r
"""


def test_a_whole_file() -> None:
    repaired, repairs = repair_metadata(OLD, "pandas==0.24.2")
    assert repairs == (
        Repair(subject="pandas==0.24.2", found="pytz (>=2011k)", used="pytz>=2011"),
        Repair(subject="pandas==0.24.2", found="hopeless (>dev)", used=""),
        Repair(
            subject="pandas==0.24.2",
            found="folded (>=3.6.*) ; extra == 'x'",
            used='folded>=3.6; extra == "x"',
        ),
        Repair(
            subject="pandas==0.24.2",
            found="Requires-Python: >=2.7,!=3.0.*, >=3.*",
            used="Requires-Python: !=3.0.*,>=2.7,>=3",
        ),
    )
    raw, _ = parse_email(repaired)
    assert raw["requires_dist"] == [
        "numpy (>=1.12.0)",
        "pytz>=2011",
        "hopeless (>dev)",
        'folded>=3.6; extra == "x"',
    ]
    assert raw["requires_python"] == "!=3.0.*,>=2.7,>=3"
    assert repaired.endswith(b"\r\n\r\nRequires-Dist: text (>=2011k)\r\n")
    again, left = repair_metadata(repaired, "pandas==0.24.2")
    assert again == repaired
    assert [repair.found for repair in left] == ["hopeless (>dev)"]


@pytest.mark.parametrize("data", [b"", b"\n", b"Requires-Dist:", b"Requires-Dist: \xff\n\n\xff"])
def test_odd_files_do_not_break(data: bytes) -> None:
    repaired, _ = repair_metadata(data, "x==1")
    assert repaired == data
