"""uv's words become our errors: the right kind, without options and traces that are uv's own."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from envlock.errors import EnvlockError, NoSolutionError, SourceError, VerificationError
from envlock.io.process import Completed
from envlock.resolve.python.engines import uv_messages

AS_OF = datetime(2022, 3, 1, tzinfo=UTC)

CONFLICT = """\
Using CPython 3.11.7 interpreter at: /usr/bin/python3
error: No solution found when resolving dependencies for split (markers: python_full_version == '3.11.*')
  cause: Because pandas>=1.4.0 depends on numpy>=1.21.0 and your project depends on numpy<1.20, we can conclude that your project and pandas>=1.4.0 are incompatible.
         And because your project depends on pandas>=1.4, we can conclude that your project's requirements are unsatisfiable.
"""  # noqa: E501

TOO_NEW = """\
error: No solution found when resolving dependencies
  cause: Because only pandas<=1.4.1 is available and your project depends on pandas>=2, we can conclude that your project's requirements are unsatisfiable.

hint: `pandas` was filtered by `exclude-newer` to only include packages uploaded before 2022-03-01T00:00:00Z. The latest version satisfying the requirement is v3.1.1, published at 2026-11-04T15:05:30Z. Consider using `exclude-newer-package` to override the cutoff for this package.
"""  # noqa: E501

REFUSED = """\
error: Request failed after 3 retries in 11.0s
  cause: Failed to fetch: http://127.0.0.1:9/simple/six/
  cause: tcp connect error
"""


def _error(stderr: str) -> EnvlockError:
    completed = Completed(argv=("uv", "lock"), code=1, stdout="", stderr=stderr)
    return uv_messages.error(completed, uv_messages.read(stderr), AS_OF)


def test_a_conflict_says_through_whom_and_nothing_of_uv() -> None:
    error = _error(CONFLICT)
    assert isinstance(error, NoSolutionError)
    assert "pandas>=1.4.0 depends on numpy>=1.21.0" in error.what
    assert "split" not in error.what
    assert "/usr/bin" not in error.what


def test_a_release_that_only_the_date_excludes_is_named() -> None:
    error = _error(TOO_NEW)
    assert "pandas 3.1.1 would do, published 2026-11-04T15:05:30Z" in error.what
    assert "exclude-newer" not in error.what


@pytest.mark.parametrize(
    ("stderr", "kind", "code"),
    [
        (REFUSED, SourceError, 3),
        ("error: Failed to download `x`\n  cause: Hash mismatch for `x`", VerificationError, 4),
        ("error: failed to write\n  cause: No space left on device (os error 28)", SourceError, 3),
        ("error: Failed to build `x==1`\n  cause: The build backend returned", SourceError, 3),
        ("error: something never seen", SourceError, 3),
    ],
)
def test_each_failure_has_its_exit_code(stderr: str, kind: type, code: int) -> None:
    error = _error(stderr)
    assert type(error) is kind
    assert error.exit_code == code


def test_an_unknown_project_is_bad_input_and_named() -> None:
    error = _error(
        "error: No solution found when resolving dependencies\n  cause: Because nosuch was not"
        " found in the package registry and your project depends on nosuch, we can conclude …"
    )
    assert error.exit_code == 2
    assert error.remedy is not None
    assert "nosuch" in error.remedy


def test_warnings_are_sorted_by_what_they_mean() -> None:
    said = uv_messages.read(
        "WARN `pandas==0.24.2` has invalid metadata: after parsing `2011`, found `k`\n"
        "WARN pandas has invalid metadata: after parsing `2011`, found `k`\n"
        "warning: `six-1.0-py3-none-any.whl` is missing an upload date, but user provided: x\n"
        "warning: The package `requests==2.27.1` does not have an extra named `nosuch`\n"
    )
    assert said.unreadable == (("pandas==0.24.2", "after parsing `2011`, found `k`"),)
    assert said.undated == ("six-1.0-py3-none-any.whl",)
    assert said.warnings == (
        "The package `requests==2.27.1` does not have an extra named `nosuch`",
    )
