"""``[tool.envlock.check]``: what it takes, and what it says of mistakes."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime

import pytest

from envlock.errors import UsageError
from envlock.project.document import Document
from envlock.project.settings.check import CheckSettings, Ignore, SeverityChoice
from envlock.project.settings.table import read_settings


def read(text: str, name: str | None = None) -> CheckSettings:
    document = Document(shown="envlock.toml", text=text, table=tomllib.loads(text))
    settings = read_settings(document, (), name=name, now=datetime(2026, 1, 1, tzinfo=UTC))
    return settings.check or CheckSettings()


def test_all_of_it() -> None:
    found = read(
        "[check]\nignore = [\n"
        '  { code = "PY002", subject = "ipython", reason = "debugging" },\n'
        '  { code = "OS002", reason = "the host upgrades itself" },\n'
        ']\n[check.severity]\nPY005 = "warning"\n'
    )
    assert found == CheckSettings(
        ignores=(
            Ignore(code="PY002", subject="ipython", reason="debugging"),
            Ignore(code="OS002", reason="the host upgrades itself"),
        ),
        severities=(SeverityChoice(code="PY005", severity="warning"),),
    )
    assert [ignore.where for ignore in found.ignores] == ["envlock.toml:3", "envlock.toml:4"]


def test_an_environment_has_its_own() -> None:
    text = '[check.severity]\nPY005 = "note"\n[env.docs.check.severity]\nPY005 = "error"\n'
    assert read(text, "docs").severities == (SeverityChoice(code="PY005", severity="error"),)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("check = 1", "table"),
        ("[check]\nignores = []", "unknown key check.ignores"),
        ("[check]\nignore = {}", "list of tables"),
        ('[check]\nignore = ["PY002"]', "list of tables"),
        ('[check]\nignore = [{ code = "PY002" }]', "has no reason"),
        ('[check]\nignore = [{ reason = "x" }]', "has no code"),
        ('[check]\nignore = [{ code = "PY002", reason = " " }]', "expected a text"),
        ('[check]\nignore = [{ code = "PY002", reason = 3 }]', "expected a text"),
        ('[check]\nignore = [{ code = "extra", reason = "x" }]', "no code of a difference"),
        ('[check]\nignore = [{ code = "PY002", reason = "x", pkg = "y" }]', "unknown key"),
        ('[check.severity]\nPY002 = "low"', "warning"),
        ('[check.severity]\nextra = "note"', "no code of a difference"),
        ("[check]\nseverity = 3", "table"),
    ],
)
def test_mistakes(text: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(text)
    assert told in str(caught.value)
    assert "envlock.toml" in str(caught.value)
