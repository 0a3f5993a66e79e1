"""JUnit's XML as CI servers read it (there is no standard; tests hold the subset in junit.xsd).

A suite per layer that was compared. An error is a failure, a warning or note passes with its text
as output, an accepted difference is skipped with its reason; a layer without errors has one case
that passes.
"""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from envlock.check.drift import Drift, Layer, Severity
from envlock.check.policy import Accepted
from envlock.check.report.outcome import Outcome, told

# What XML 1.0 (section 2.2) cannot carry.
_IMPOSSIBLE = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(outcome: Outcome) -> str:
    """The document."""
    root = Element("testsuites", name="envlock check")
    for layer in Layer:
        accepted = [a for a in outcome.judged.accepted if a.drift.layer is layer]
        if layer in outcome.compared or outcome.of(layer) or accepted:
            root.append(_suite(layer, outcome.of(layer), accepted))
    for key in ("tests", "failures", "skipped"):
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, "unicode") + "\n"


def _suite(layer: Layer, found: tuple[Drift, ...], accepted: list[Accepted]) -> Element:
    cases = [_case(layer, d) for d in found]
    if not any(d.severity is Severity.ERROR for d in found):
        cases.insert(0, Element("testcase", classname=f"envlock.{layer}", name="as locked"))
    for one in accepted:
        case = Element("testcase", classname=f"envlock.{layer}", name=_name(one.drift))
        SubElement(case, "skipped", message=_text(one.ignore.reason))
        cases.append(case)
    failures = sum(case.find("failure") is not None for case in cases)
    suite = Element(
        "testsuite",
        name=f"envlock.{layer}",
        tests=str(len(cases)),
        failures=str(failures),
        errors="0",
        skipped=str(len(accepted)),
    )
    suite.extend(cases)
    return suite


def _case(layer: Layer, found: Drift) -> Element:
    case = Element("testcase", classname=f"envlock.{layer}", name=_name(found))
    text = _text(told(found))
    if found.severity is Severity.ERROR:
        failure = SubElement(case, "failure", message=text, type=found.name)
        diff = f"\n{found.diff}" if found.diff else ""
        failure.text = _text(f"{text}\nto repair it: {found.remedy}{diff}")
    else:
        SubElement(case, "system-out").text = f"{found.severity}: {text}"
    return case


def _name(found: Drift) -> str:
    return _text(f"{found.code} {found.name} {found.subject}")


def _text(text: str) -> str:
    return _IMPOSSIBLE.sub(lambda match: f"\\u{ord(match[0]):04x}", text)
