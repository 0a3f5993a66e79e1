"""Direct references before any engine: what is refused, what is rewritten, what is left alone.

Local files only: nothing here needs a server or a process. See tests/integration/test_direct.py
for repositories and URLs.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.requirements import Requirement

from envlock.errors import UsageError, VerificationError
from envlock.io.http.client import Http
from envlock.io.progress import SilentReporter
from envlock.lock.package import Archive, Artifact, Directory, PythonPackage
from envlock.lock.request import Request, Wish
from envlock.lock.target import Target
from envlock.resolve.python.direct import PinnedRequest, pin_direct
from envlock.resolve.python.references import split_git, with_absolute_path

LINUX = Target(platform="linux/amd64", python="3.11")
AS_OF = datetime(2026, 3, 1, tzinfo=UTC)


def request(*texts: str | Wish, **others: Any) -> Request:
    wishes = tuple(
        t if isinstance(t, Wish) else Wish(text=t, origin=f"requirements.in:{n}")
        for n, t in enumerate(texts, 1)
    )
    return Request(wishes=wishes, targets=(LINUX,), **others)


def pin(asked: Request, root: Path, *, dated: bool = False) -> PinnedRequest:
    with Http(environ={}, certificate=None) as http:
        return pin_direct(asked, root, AS_OF, dated=dated, http=http, reporter=SilentReporter())


def test_without_direct_references_the_request_is_untouched(tmp_path: Path) -> None:
    asked = request("numpy>=2", "pandas")
    assert pin(asked, tmp_path, dated=True).request is asked


def test_a_folder(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    wish = Wish(text="lib[fast] @ file:lib#subdirectory=py", editable=True)
    pinned = pin(request(wish), tmp_path)
    assert pinned.facts == {"lib": Directory(path="lib", editable=True, subdirectory="py")}
    assert pinned.request.wishes[0].text == wish.text
    completed = pinned.complete(PythonPackage(name="lib", version="1"))
    assert completed.directory == pinned.facts["lib"]


def test_a_local_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    folder = tmp_path / "a b"
    folder.mkdir()
    (folder / "lib-1.0.tar.gz").write_bytes(b"bytes")
    digest = hashlib.sha256(b"bytes").hexdigest()
    pinned = pin(request("lib @ file:a%20b/lib-1.0.tar.gz"), tmp_path)
    assert pinned.facts == {"lib": Archive(path="a b/lib-1.0.tar.gz", sha256=digest, size=5)}


@pytest.mark.parametrize("form", ["hash", "fragment"])
def test_a_local_file_with_another_digest(tmp_path: Path, form: str) -> None:
    (tmp_path / "lib-1.0.tar.gz").write_bytes(b"bytes")
    wrong = "0" * 64
    wish = (
        Wish(text="lib @ file:lib-1.0.tar.gz", origin="r.in:4", hashes=(f"sha256:{wrong}",))
        if form == "hash"
        else Wish(text=f"lib @ file:lib-1.0.tar.gz#sha256={wrong}", origin="r.in:4")
    )
    with pytest.raises(VerificationError, match="not a stated one") as caught:
        pin(request(wish), tmp_path)
    assert caught.value.where == "r.in:4"


def test_a_missing_path_names_the_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"no such file or folder: gone") as caught:
        pin(request("lib @ file:gone"), tmp_path)
    assert caught.value.where == "requirements.in:1"


def test_local_paths_under_a_date_need_leave_by_name(tmp_path: Path) -> None:
    for name in ("lib", "other", "third"):
        (tmp_path / name).mkdir()
    wishes = ("lib @ file:lib", "other @ file:./other/", "third @ file:third")
    with pytest.raises(UsageError, match="lib, other have no date") as caught:
        pin(request(*wishes, allow_undated=("./third",)), tmp_path, dated=True)
    assert caught.value.where == "requirements.in:1, requirements.in:2"
    line = (caught.value.remedy or "").splitlines()[-1]
    assert line == 'allow-undated = ["./third", "lib", "other"]'
    allowed = pin(request(*wishes, allow_undated=("./third", "lib", "other")), tmp_path, dated=True)
    assert set(allowed.facts) == {"lib", "other", "third"}


def test_without_a_fixed_date_local_paths_need_no_leave(tmp_path: Path) -> None:
    assert set(pin(request("me @ file:."), tmp_path, dated=False).facts) == {"me"}


def test_a_constraint_is_fixed_too(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    asked = request("lib", constraints=(Wish(text="lib @ file:lib"),))
    assert pin(asked, tmp_path).facts == {"lib": Directory(path="lib")}


def test_what_no_target_needs_is_neither_opened_nor_asked_for(tmp_path: Path) -> None:
    asked = request("lib @ file:gone ; sys_platform == 'win32'", "numpy")
    pinned = pin(asked, tmp_path, dated=True)
    assert [w.text for w in pinned.request.wishes] == ["numpy"]
    assert pinned.facts == {}


def test_a_marker_on_the_patch_release_may_hold(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    asked = request("lib @ file:lib ; python_full_version >= '3.11.5'")
    assert set(pin(asked, tmp_path).facts) == {"lib"}


def test_two_sources_of_one_package(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    with pytest.raises(UsageError, match="two places") as caught:
        pin(request("lib @ file:a", "Lib @ file:b"), tmp_path)
    assert caught.value.where == "requirements.in:1 and requirements.in:2"


@pytest.mark.parametrize(
    "text",
    [
        "lib @ hg+https://example.org/lib",
        "lib @ svn+https://example.org/lib",
        "lib @ bzr+https://example.org/lib",
        "lib @ ftp://example.org/lib-1.tar.gz",
    ],
)
def test_other_schemes_are_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="only git, https and local") as caught:
        pin(request(text), tmp_path)
    assert caught.value.where == "requirements.in:1"


@pytest.mark.parametrize(
    "text",
    [
        "lib @ git+https://me:secret@example.org/lib",
        "lib @ https://token@example.org/lib-1.tar.gz",
        "lib @ git+ssh://git:secret@example.org/lib",
    ],
)
def test_credentials_are_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match="credentials") as caught:
        pin(request(text), tmp_path)
    assert "secret" not in str(caught.value)
    assert "token@" not in str(caught.value)


@pytest.mark.parametrize("text", ["lib @ file:lib", "lib @ git+https://example.org/lib"])
def test_a_hash_that_nothing_can_check(tmp_path: Path, text: str) -> None:
    (tmp_path / "lib").mkdir()
    with pytest.raises(UsageError, match="--hash cannot be checked for lib"):
        pin(request(Wish(text=text, hashes=("sha256:" + "0" * 64,))), tmp_path)


def test_a_reference_that_only_another_package_makes() -> None:
    pinned = PinnedRequest(request=request())
    with pytest.raises(UsageError, match="another package names") as caught:
        pinned.complete(PythonPackage(name="deep", version="1"))
    assert "`deep @ …`" in (caught.value.remedy or "")
    from_index = PythonPackage(name="deep", version="1", index="https://index.example.org/simple")
    assert pinned.complete(from_index) is from_index
    found = Artifact(name="deep-1-py3-none-any.whl", path="wheels/deep.whl", sha256="0" * 64)
    from_folder = PythonPackage(name="deep", version="1", wheels=(found,))
    assert pinned.complete(from_folder) is from_folder


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("git+https://h/o/r", ("https://h/o/r", None)),
        ("git+https://h/o/r.git@v1#subdirectory=x", ("https://h/o/r.git", "v1")),
        ("git+ssh://git@h/o/r@feature/x", ("ssh://git@h/o/r", "feature/x")),
        ("git+ssh://git@h/o/r", ("ssh://git@h/o/r", None)),
        ("git+file:///a/b@main", ("file:///a/b", "main")),
        ("git+https://h:8443/o/r@a%23b", ("https://h:8443/o/r", "a#b")),
    ],
)
def test_git_urls_are_split(url: str, expected: tuple[str, str | None]) -> None:
    assert split_git(url) == expected


def test_an_empty_ref_is_refused() -> None:
    with pytest.raises(UsageError, match="nothing after the @"):
        split_git("git+https://h/o/r@")


_NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0/"), min_size=1, max_size=12)


@given(name=_NAMES.filter(lambda n: n not in (".", "..")))
def test_any_path_reaches_the_tools_whole(name: str) -> None:
    """What ``file:`` means survives every character that a file name may have."""
    root = Path("/project").resolve()
    relative = Path(name).as_posix()
    text = "lib @ file:" + (root / relative).as_uri().removeprefix(root.as_uri() + "/")
    absolute = Requirement(with_absolute_path(text + "#subdirectory=x ; os_name == 'posix'", root))
    assert absolute.url is not None
    parts = urlsplit(absolute.url)
    assert unquote(parts.path) == str((root / relative).resolve())
    assert parts.fragment == "subdirectory=x"
    assert str(absolute.marker) == 'os_name == "posix"'


def test_other_references_are_left_as_they_are() -> None:
    for text in ("lib>=1", "lib @ https://example.org/lib-1.tar.gz", "lib @ git+file:///x@main"):
        assert with_absolute_path(text, Path("/project")) == text
