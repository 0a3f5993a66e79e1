"""Write docs/checks.md: every difference that `envlock check` knows. A test compares."""

from __future__ import annotations

from pathlib import Path

from envlock.check.codes.explain import ORIGINS, TITLES
from envlock.check.drift import MEANINGS, Code, Layer

PAGE = Path(__file__).parents[1] / "docs" / "checks.md"

_HEAD = """\
# Differences

What [`envlock check`](commands.md#envlock-check) can find. Codes are stable; `envlock explain CODE`
says the same. A project accepts some of them, or counts them less, in
[`[tool.envlock.check]`](configuration.md#differences-toolenvlockcheck).

This page is made by `scripts/make_checks.py`.
"""


def page() -> str:
    """The whole text."""
    parts = [_HEAD]
    for layer in Layer:
        parts.append(f"\n## {TITLES[layer]}\n")
        parts += [_entry(code) for code in sorted(MEANINGS) if MEANINGS[code].layer is layer]
    return "".join(parts)


def _entry(code: Code) -> str:
    meaning = MEANINGS[code]
    origin = f" {ORIGINS[code]}" if code in ORIGINS else ""
    return (
        f"\n### {code} {meaning.name}\n\n{meaning.summary}{origin}\n\n"
        f"Remedy: {meaning.remedy}. Severity: {meaning.severity}.\n"
    )


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
