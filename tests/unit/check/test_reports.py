"""Formats of `check`, each read back by another program's reader or held to its schema.

SARIF: models generated from the OASIS schema (pydantic-sarif), which refuse unknown keys. JUnit:
junit.xsd, and junitparser. Markdown: markdown-it. GitHub: the runner's rules, in ``_commands``.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import xmlschema
from hypothesis import given, settings
from hypothesis import strategies as st
from junitparser import JUnitXml
from markdown_it import MarkdownIt
from pydantic_sarif.model import StaticAnalysisResultsFormatSarifVersion210JsonSchema as SarifLog
from support.strategies import hostile_texts

from envlock.check.drift import MEANINGS, Code, Drift, Layer, Severity, drift
from envlock.check.policy import Accepted, Judged
from envlock.check.report.outcome import FORMATS, Outcome, render, sentence
from envlock.project.settings.check import Ignore

JUNIT = xmlschema.XMLSchema(Path(__file__).parents[2] / "support" / "junit.xsd")
IGNORE = Ignore(
    code="PY002", subject="ipython", reason="debugging | here", where="pyproject.toml:3"
)
MIXED = (
    drift(Code.STALE, "requirements", found="scipy"),
    drift(Code.MISSING, "numpy", expected="2.0"),
    drift(Code.OTHER_VERSION, "six", expected="1.16", found="1.15", cause="an upgrade"),
    replace(drift(Code.EXTRA, "rich", found="14.0"), severity=Severity.WARNING),
    replace(drift(Code.OS_VERSION, "libc6", expected="1", found="2"), severity=Severity.NOTE),
)


def outcome(*found: Drift, accepted: tuple[Drift, ...] = ()) -> Outcome:
    return Outcome(
        lock="sub dir/pylock.toml",
        environment_hash="env1-" + "0" * 64,
        scope=("the project", "3 Python packages"),
        judged=Judged(
            drift=found, accepted=tuple(Accepted(drift=d, ignore=IGNORE) for d in accepted)
        ),
        compared=frozenset({Layer.REQUEST, Layer.PYTHON}),
        lines={"numpy": 17},
    )


ALL = outcome(*MIXED, accepted=(drift(Code.EXTRA, "ipython", found="8.0"),))


def _sarif(text: str) -> dict[str, Any]:
    SarifLog.model_validate_json(text)
    log = json.loads(text)
    assert isinstance(log, dict)
    return log


def _junit(text: str) -> JUnitXml:
    JUNIT.validate(text.split("\n", 1)[1])
    return JUnitXml.fromstring(text.encode())


def _tables(text: str) -> list[list[str]]:
    """The cells of every row, as a reader of Markdown sees them, without headings."""
    rows: list[list[str]] = []
    within = False
    for token in MarkdownIt("commonmark").enable("table").parse(text):
        if token.type in ("tbody_open", "tbody_close"):
            within = token.type == "tbody_open"
        elif within and token.type == "tr_open":
            rows.append([])
        elif within and token.type == "inline":
            children = token.children or []
            assert not any(child.type == "html_inline" for child in children)
            rows[-1].append("".join(child.content for child in children))
    return rows


def _commands(text: str) -> list[tuple[str, dict[str, str], str]]:
    """What the runner of GitHub's actions understands: a command, its properties, its text."""

    def plain(text: str) -> str:
        for sign, code in (("\r", "%0D"), ("\n", "%0A"), (":", "%3A"), (",", "%2C"), ("%", "%25")):
            text = text.replace(code, sign)
        return text

    found = []
    for line in text.split("\n")[:-1]:
        match = re.fullmatch(r"::(\w+) ([^:]*)::([^\r\n]*)", line)
        assert match, line
        pairs = (pair.split("=", 1) for pair in match[2].split(","))
        found.append((match[1], {key: plain(value) for key, value in pairs}, plain(match[3])))
    return found


def test_sarif_has_rules_levels_places_and_suppressions() -> None:
    [run] = _sarif(render("sarif", ALL))["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert rules == sorted(MEANINGS)
    results = run["results"]
    assert [rules[result["ruleIndex"]] for result in results] == [
        "RQ001",
        "PY001",
        "PY003",
        "PY002",
        "OS002",
        "PY002",
    ]
    levels = [result["level"] for result in results]
    assert levels == ["error", "error", "error", "warning", "note", "error"]
    place = results[1]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "sub%20dir/pylock.toml"
    assert place["region"]["startLine"] == 17
    assert "expected 1.16, found 1.15; an upgrade" in results[2]["message"]["text"]
    assert results[5]["suppressions"] == [{"kind": "external", "justification": "debugging | here"}]


def test_one_alert_stays_one_while_what_is_found_changes() -> None:
    texts = [render("sarif", outcome(drift(Code.EXTRA, "six", found=v))) for v in ("1", "2")]
    prints = {
        json.loads(text)["runs"][0]["results"][0]["partialFingerprints"]["envlock/v1"]
        for text in texts
    }
    assert len(prints) == 1


def test_junit_has_a_suite_per_layer() -> None:
    xml = _junit(render("junit", ALL))
    assert {suite.name: (suite.tests, suite.failures, suite.skipped) for suite in xml} == {
        "envlock.request": (1, 1, 0),
        "envlock.python": (4, 2, 1),
        "envlock.os": (2, 0, 0),
    }
    assert (xml.tests, xml.failures, xml.skipped) == (7, 3, 1)


def test_junit_of_nothing_found_passes() -> None:
    xml = _junit(render("junit", outcome()))
    assert [(case.name, case.is_passed) for suite in xml for case in suite] == [
        ("as locked", True),
        ("as locked", True),
    ]


def test_github_annotates_the_lockfile() -> None:
    commands = _commands(render("github", ALL))
    assert [command for command, _, _ in commands] == ["error"] * 3 + ["warning", "notice"]
    assert commands[1] == (
        "error",
        {"file": "sub dir/pylock.toml", "line": "17", "title": "PY001 missing"},
        "numpy: expected 2.0 (to repair it: envlock sync)",
    )
    assert render("github", outcome()) == ""


def test_markdown_has_tables() -> None:
    text = render("markdown", ALL)
    assert text.startswith("## The environment differs from sub dir/pylock.toml\n")
    rows = _tables(text)
    assert ["PY001 missing", "numpy", "expected 2.0", "envlock sync"] in rows
    assert ["PY002 extra", "rich", "warning: found 14.0", "envlock sync"] in rows
    assert rows[-1] == ["PY002 extra", "ipython", "debugging | here"]


def test_markdown_links_lead_to_headings_of_the_page() -> None:
    page = (Path(__file__).parents[3] / "docs" / "checks.md").read_text()
    anchors = {
        re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-")
        for heading in re.findall(r"^### (.*)$", page, re.M)
    }
    every = outcome(*(drift(code, "x") for code in Code))
    linked = re.findall(r"\]\([^)]*checks\.md#([^)]*)\)", render("markdown", every))
    assert len(linked) == len(Code)
    assert set(linked) == anchors


texts = st.none() | hostile_texts
drifts = st.builds(
    lambda code, subject, severity, **values: replace(
        drift(code, subject, **values), severity=severity
    ),
    st.sampled_from(Code),
    hostile_texts,
    st.sampled_from(Severity),
    expected=texts,
    found=texts,
    cause=texts,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(drifts, max_size=4).map(tuple))
def test_whatever_is_found_every_format_is_whole(found: tuple[Drift, ...]) -> None:
    some = outcome(*found, accepted=found[:1])
    assert json.loads(render("json", some))["ok"] is not some.judged.failed
    assert len(_sarif(render("sarif", some))["runs"][0]["results"]) == len(found) + len(found[:1])
    failed = sum(d.severity is Severity.ERROR for d in found)
    assert _junit(render("junit", some)).failures == failed
    commands = _commands(render("github", some))
    assert [text for _, _, text in commands] == [
        f"{d.subject}: {sentence(d) or MEANINGS[d.code].summary} (to repair it: {d.remedy})"
        for d in found
    ]
    rows = _tables(render("markdown", some))
    assert len(rows) == len(found) + len(found[:1])
    for name in FORMATS:
        assert render(name, some) == render(name, some)


@pytest.mark.parametrize("name", FORMATS)
def test_nothing_found_is_whole_too(name: str) -> None:
    text = render(name, outcome())
    assert text == "" or text.endswith("\n")
