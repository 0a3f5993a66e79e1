"""What pip says → errors for people: nothing of the machinery is left, everything else is.

The texts are those of pip and pip-tools, shortened; real runs are in the integration tests.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from envlock.errors import EnvlockError, NoSolutionError, SourceError, UsageError, VerificationError
from envlock.io.process import Completed
from envlock.lock.request import Wish
from envlock.resolve.python.engines.pip_messages import Cleaner, error, notes

BASE = "http://127.0.0.1:45678/Q0tokentokentokentokentokentoken"
INDEX = "https://index.example.org/simple"
CLEAN = Cleaner(
    folder=Path("/tmp/envlock-pip-abc"),
    view_base=BASE,
    indexes=("https://first.example.org/simple", INDEX),
    wishes=(Wish(text="left", origin="pyproject.toml:3"), Wish(text="right>=2")),
    knows=lambda name: name == "known",
)
TRACE = """\
Traceback (most recent call last):
  File "/somewhere/resolver.py", line 103, in resolve
    result = resolver.resolve(
pip._internal.exceptions.DistributionNotFound: No matching distribution found for x
"""


def failure(stderr: str, stdout: str = "") -> EnvlockError:
    completed = Completed(argv=("pip",), code=1, stdout=stdout, stderr=stderr)
    found = error(completed, CLEAN, datetime(2026, 3, 1, tzinfo=UTC))
    for word in ("127.0.0.1", "Traceback", 'File "', "/tmp/", "token", "ROUND"):
        assert word not in str(found)
    return found


def test_a_conflict() -> None:
    said = failure(
        "  ERROR: Cannot install -r requirements.in (line 1) and -r requirements.in (line 2)"
        " because these package versions have conflicting dependencies.\n" + TRACE,
        "  The conflict is caused by:\n"
        "      left 1.0 depends on lib<2\n"
        "      right 2.0 depends on lib>=2\n"
        "  \n"
        "  To fix this you could try to:\n  1. loosen the range\n",
    )
    assert isinstance(said, NoSolutionError)
    assert said.what.splitlines() == [
        "no set of packages as of 2026-03-01 00:00:00Z satisfies the request:",
        "left 1.0 depends on lib<2",
        "right 2.0 depends on lib>=2",
        "through left (pyproject.toml:3) and right>=2",
    ]


@pytest.mark.parametrize(
    ("name", "remedy"), [("known", "the target"), ("gone", "spelling of gone")]
)
def test_no_version_at_all(name: str, remedy: str) -> None:
    said = failure(
        f"  ERROR: Could not find a version that satisfies the requirement {name}>1 (from left)"
        " (from versions: none)\n" + TRACE
    )
    assert isinstance(said, NoSolutionError)
    assert f"no version satisfies {name}>1 (from left)" in said.what
    assert remedy in (said.remedy or "")


def test_long_lists_are_cut_to_their_end() -> None:
    versions = [f"1.{n}" for n in range(50)]
    ignored = "; ".join(f"2.{n} Requires-Python >=3.99" for n in range(50))
    said = failure(
        "  ERROR: Ignored the following versions that require a different python version:"
        f" {ignored}\n"
        "  ERROR: Could not find a version that satisfies the requirement known>3"
        f" (from versions: {', '.join(versions)})\n" + TRACE
    )
    assert "1.49" in said.what
    assert "1.20" not in said.what
    assert "2.49 Requires-Python >=3.99" in said.what
    assert "2.20" not in said.what


def test_a_failed_build_keeps_its_own_words() -> None:
    said = failure(
        "                          ROUND 1\n"
        "    error: subprocess-exited-with-error\n"
        "    × Preparing metadata (pyproject.toml) did not run successfully.\n"
        "    │ exit code: 1\n"
        "    ╰─> [1 lines of output]\n"
        "        no compiler here\n"
        "        [end of output]\n"
        + TRACE
        + "pip._internal.exceptions.FailedToPrepareCandidate: Failed to build 'x' when preparing\n"
    )
    assert isinstance(said, SourceError)
    assert said.what.splitlines()[1] == "Failed to build 'x' when preparing"
    assert "no compiler here" in said.what


@pytest.mark.parametrize(
    ("stderr", "kind"),
    [
        ("  ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.\n",
         VerificationError),
        ("OSError: [Errno 28] No space left on device\n", SourceError),
        ("  ERROR: HTTP error 404 while getting https://x.example.org/a.whl\n", SourceError),
        ("pip._internal.exceptions.InvalidWheelFilename: Invalid wheel filename: 'x'\n",
         UsageError),
        ("  Discarding file:///x: Requested b from file:///x has inconsistent name: expected 'a',"
         " but metadata has 'b'\n", UsageError),
        ("  × git clone --quiet https://x.example.org /tmp/pip-resolve-x/y did not run"
         " successfully.\n  error: subprocess-exited-with-error\n", SourceError),
        ("", SourceError),
        ("something quite new\n", SourceError),
    ],
)  # fmt: skip
def test_each_failure_has_its_kind(stderr: str, kind: type[EnvlockError]) -> None:
    found = failure(stderr + TRACE.replace("No matching distribution found for x", "see above"))
    assert type(found) is kind


def test_addresses_of_the_view_become_true_ones() -> None:
    text = (
        f"Looking in {BASE}/1/simple: {BASE}/0/files/app/{'a' * 64}/app-1.0-py3-none-any.whl"
        f" (from {BASE}/0/simple/app/) and {BASE}"
    )
    assert CLEAN(text) == f"Looking in {INDEX}: app-1.0-py3-none-any.whl and the index"


def test_notes_are_said_once() -> None:
    unreadable = (
        "  WARNING: Ignoring version 1.0 of app since it has invalid metadata:\n"
        f"  Requested app from {BASE}/0/files/app/x/app-1.whl has invalid metadata: Expected end\n"
        "  Please use pip<24.1 if you need to use this version.\n"
    )
    yanked = (
        "  WARNING: The candidate selected for download or install is a yanked version: 'old'"
        " candidate (version 1.0 at x)\n  Reason for being yanked: security\n"
    )
    completed = Completed(argv=("pip",), code=0, stdout="", stderr=unreadable * 2 + yanked)
    assert notes(completed, CLEAN) == (
        "app==1.0 was left out: its metadata cannot be read (Expected end)",
        "old==1.0 is yanked: security",
    )
