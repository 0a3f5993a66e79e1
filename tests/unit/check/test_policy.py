"""What a project accepts is taken out, with its reason; what fits nothing is told."""

from __future__ import annotations

from datetime import date

import pytest

from envlock.check.codes.explain import ORIGINS, TITLES, find_code
from envlock.check.drift import MEANINGS, Code, Layer, Severity, drift
from envlock.check.policy import judge
from envlock.errors import UsageError
from envlock.project.settings.check import CheckSettings, Ignore, SeverityChoice

EXTRA = drift(Code.EXTRA, "ipython", found="8.0")
MISSING = drift(Code.MISSING, "numpy", expected="2.0")
TODAY = date(2026, 3, 1)
ALL = frozenset(Layer)


def ignoring(code: str, subject: str = "*") -> CheckSettings:
    return CheckSettings(
        ignores=(Ignore(code=code, subject=subject, reason="so be it", where="pyproject.toml:3"),)
    )


@pytest.mark.parametrize("subject", ["*", "ipython", "i*n", "[hi]python"])
def test_what_fits_is_accepted(subject: str) -> None:
    judged = judge((EXTRA, MISSING), ignoring("PY002", subject), ALL, today=TODAY)
    assert judged.drift == (MISSING,)
    assert [a.drift for a in judged.accepted] == [EXTRA]
    assert judged.accepted[0].ignore.reason == "so be it"
    assert judged.unused == ()


@pytest.mark.parametrize(("code", "subject"), [("PY002", "numpy"), ("PY001", "ipython")])
def test_what_does_not_fit_is_unused(code: str, subject: str) -> None:
    settings = ignoring(code, subject)
    judged = judge((EXTRA,), settings, ALL, today=TODAY)
    assert judged.drift == (EXTRA,)
    assert judged.unused == settings.ignores


def test_an_ignore_of_a_layer_that_was_not_compared_is_not_unused() -> None:
    assert judge((), ignoring("OS001"), frozenset({Layer.PYTHON}), today=TODAY).unused == ()
    nothing = drift(Code.NO_ENVIRONMENT, ".venv")
    assert judge((nothing,), ignoring("PY002"), ALL, today=TODAY).unused == ()


def test_severities() -> None:
    settings = CheckSettings(severities=(SeverityChoice(code="PY002", severity="warning"),))
    judged = judge((EXTRA,), settings, ALL, today=TODAY)
    assert [d.severity for d in judged.drift] == [Severity.WARNING]
    assert not judged.failed
    assert judge((EXTRA, MISSING), settings, ALL, today=TODAY).failed


def test_a_code_that_does_not_exist_is_named_with_its_place() -> None:
    with pytest.raises(UsageError) as caught:
        judge((), ignoring("PY999"), ALL, today=TODAY)
    assert caught.value.where == "pyproject.toml:3"


@pytest.mark.parametrize("text", ["PY003", "py003", "other-version"])
def test_codes_are_found_by_code_and_name(text: str) -> None:
    assert find_code(text) is Code.OTHER_VERSION


def test_the_nearest_is_named() -> None:
    with pytest.raises(UsageError) as caught:
        find_code("other-versoin")
    assert caught.value.remedy == "did you mean other-version?"


def test_every_code_and_name_is_there_once() -> None:
    assert set(MEANINGS) == set(Code)
    assert len({meaning.name for meaning in MEANINGS.values()}) == len(MEANINGS)
    assert set(TITLES) == set(Layer)
    assert set(ORIGINS) == set(Code)
