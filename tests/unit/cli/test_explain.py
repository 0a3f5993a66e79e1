"""``envlock explain``, and the page that is made of the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

from envlock.check.drift import MEANINGS

ROOT = Path(__file__).parents[3]


def test_a_code_by_number_or_name(envlock: Any) -> None:
    ran = envlock("explain", "PY003")
    assert ran.code == 0
    assert ran.out.startswith("PY003 other-version: A package is installed in another version")
    for part in ("cause: ", "remedy: envlock sync\n", 'code = "PY003"'):
        assert part in ran.out
    assert envlock("explain", "other-version").out == ran.out


def test_all_of_them(envlock: Any) -> None:
    out = envlock("explain").out
    for code, meaning in MEANINGS.items():
        assert f"  {code}  {meaning.name} " in out
    assert [entry["code"] for entry in envlock("explain", "--json").json["codes"]] == list(MEANINGS)


def test_one_that_is_not_there(envlock: Any) -> None:
    ran = envlock("explain", "PY999")
    assert ran.code == 2
    assert "no difference called 'PY999'" in ran.err


def test_the_page_is_made_of_the_registry() -> None:
    path = ROOT / "scripts" / "make_checks.py"
    spec = importlib.util.spec_from_file_location("make_checks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (ROOT / "docs" / "checks.md").read_text() == module.page(), "run scripts/make_checks.py"
