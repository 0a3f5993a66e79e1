"""What uv says when it cannot install becomes an error of the right kind, with the right names.

The texts are what uv 0.13 printed in each of these situations; that it still does is shown in
tests/integration/test_sync.py.
"""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from support.samples import digest, package, small_lock

from envlock.errors import EnvlockError, SourceError, UsageError, VerificationError
from envlock.io.process import Completed
from envlock.lock.package import Archive, PythonPackage
from envlock.realise.failures import error

LOCK = small_lock(
    package("aa"),
    PythonPackage(
        name="bb",
        archive=Archive(url="https://example.org/bb-1.0.zip", sha256=digest("b"), size=10),
    ),
)


def failed(stderr: str) -> EnvlockError:
    completed = Completed(argv=("uv",), code=1, stdout="", stderr=textwrap.dedent(stderr))
    return error(completed, LOCK, Path("/env"))


def test_another_digest_names_the_package_and_the_file() -> None:
    found = failed(
        f"""\
        Using Python 3.11.7 environment at: /env
        error: Failed to download `aa==1.0`
          cause: Hash mismatch for `aa==1.0`

                 Expected:
                   sha256:{digest("a")}

                 Computed:
                   sha256:{digest("f")}
        """
    )
    assert isinstance(found, VerificationError)
    assert found.exit_code == 4
    assert found.what == (
        "aa-1.0-py3-none-any.whl is not the file that was locked for aa==1.0:"
        f" the lock says sha256:{digest('a')}, it is sha256:{digest('f')}"
    )


def test_another_size_is_another_file() -> None:
    found = failed(
        """\
        error: Failed to download `bb @ https://user:secret@example.org/bb-1.0.zip`
          cause: Size mismatch for `bb @ https://user:secret@example.org/bb-1.0.zip`: expected \
10 bytes, but downloaded 11 bytes
        """
    )
    assert isinstance(found, VerificationError)
    assert "bb-1.0.zip is not the file" in found.what
    assert "10 bytes, it is 11 bytes" in found.what
    assert "secret" not in str(found)


def test_a_damaged_archive_is_not_the_locked_file() -> None:
    found = failed(
        """\
        error: Failed to download `aa==1.0`
          cause: Failed to extract archive: aa-1.0-py3-none-any.whl
          cause: ZIP file contains trailing contents after the end-of-central-directory record
        """
    )
    assert isinstance(found, VerificationError)
    assert "aa==1.0" in found.what


@pytest.mark.parametrize(
    ("stderr", "kind", "words"),
    [
        (
            """\
            error: Failed to download `aa==1.0`
              cause: Failed to fetch: http://127.0.0.1:9/aa-1.0-py3-none-any.whl
              cause: HTTP status client error (404 File not found) for url (http://127.0.0.1:9/aa)
            """,
            SourceError,
            ["aa==1.0 could not be fetched", "404"],
        ),
        (
            """\
            error: Failed to download `aa==1.0`
              cause: Request failed after 3 retries in 6.7s
              cause: error sending request for url (http://127.0.0.1:9/aa)
              cause: Connection refused (os error 111)
            """,
            SourceError,
            ["aa==1.0 could not be fetched", "Connection refused"],
        ),
        (
            """\
               Building aa==1.0
            error: Failed to build `aa==1.0`
              cause: The build backend returned an error
              cause: Call to `bk.build_wheel` failed (exit status: 1)

                     [stderr]
                     RuntimeError: no fortran compiler
            """,
            SourceError,
            ["aa==1.0 has no wheel for this machine", "no fortran compiler"],
        ),
        (
            """\
            error: Package `aa` can't be installed because it doesn't have a source distribution \
or wheel for the current platform
            """,
            SourceError,
            ["aa has no file that this machine can install"],
        ),
        (
            """\
            error: Failed to determine installation plan
              cause: Distribution not found at: file:///project/local/nothere
            """,
            UsageError,
            ["local path of the lock does not exist", "nothere"],
        ),
        (
            """\
            error: The interpreter at /usr is externally managed, and indicates the following:
            """,
            UsageError,
            ["belongs to the operating system"],
        ),
        (
            """\
            error: Failed to install: aa-1.0-py3-none-any.whl (aa==1.0)
              cause: failed to write to file `/env/x`: No space left on device (os error 28)
            """,
            SourceError,
            ["the disk is full"],
        ),
        (
            "error: failed to create directory `/env/lib`: Permission denied (os error 13)\n",
            SourceError,
            ["no permission to write"],
        ),
        (
            """\
            error: Failed to download and build `aa @ git+https://example.org/aa@abc`
              cause: Git operation failed
              cause: failed to clone into: /cache/git
            """,
            SourceError,
            ["could not be fetched", "Git operation failed"],
        ),
        (
            "error: something quite new\n",
            SourceError,
            ["uv failed (exit 1)", "quite new"],
        ),
    ],
)
def test_each_failure_has_its_kind_and_says_what(
    stderr: str, kind: type[EnvlockError], words: list[str]
) -> None:
    found = failed(stderr)
    assert type(found) is kind
    assert all(word in found.what for word in words), found.what


def test_a_long_build_log_is_told_by_its_end() -> None:
    log = "".join(f"         line {number}\n" for number in range(500))
    found = failed(f"error: Failed to build `aa==1.0`\n{log}         the reason\n")
    assert found.what.endswith("the reason")
    assert "Failed to build `aa==1.0`" in found.what
    assert "line 10\n" not in found.what
    assert found.what.count("\n") < 50
