"""The guess of what uv will be asked: equal to what is asked, in the plain cases it is for."""

from __future__ import annotations

import pytest
from packaging.requirements import Requirement

from envlock.cli.locking import ahead
from envlock.project.wishes import spelled


@pytest.mark.parametrize(
    "text",
    [
        "numpy",
        "Zope.Interface",
        "numpy>=2",
        "numpy >= 2, < 3",
        "numpy (>=2,!=2.1)",
        "celery[redis]",
        "fastapi[Standard, all_]==1.0",
        'tomli>=1; python_version < "3.11"',
        "tomli; sys_platform == 'win32'",
        "x~=1.0",
        "x==1.*",
    ],
)
def test_plain_requirements_are_spelled_as_they_will_be(text: str) -> None:
    assert ahead._spelled(text) == spelled(Requirement(text))


@pytest.mark.parametrize("text", ["x @ https://host/x.zip", "./x", "-e x", ""])
def test_what_is_not_plain_is_not_guessed(text: str) -> None:
    with pytest.raises(ahead._NotPlainError):
        ahead._spelled(text)
