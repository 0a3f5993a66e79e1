"""What a request may say, what an answer says, and how a refusal explains itself."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.apt_cases import package, part

from envlock.errors import NoSolutionError, UsageError
from envlock.resolve.os.archive.index import PackageIndex
from envlock.resolve.os.closure.close import Solution, close

TEXT = (
    package("shell", essential="yes", depends="libc")
    + package("libc", "2")
    + package("libc", "1")
    + package("app", depends="libc (>= 2), tool | other", recommends="doc | no-doc, nowhere")
    + package("tool", provides="virtual")
    + package("other", provides="virtual", conflicts="tool")
    + package("doc", depends="viewer")
    + package("viewer")
    + package("only", provides="single")
    + package("hater", conflicts="libc")
    + package("enemy", conflicts="shell")
    + package("middle", depends="other")
)


@pytest.fixture
def index() -> Iterator[PackageIndex]:
    with PackageIndex([part(TEXT)], architecture="amd64") as opened:
        yield opened


def _shown(solution: Solution) -> dict[str, str]:
    """Per package: version, r(equested), b(ase), through whom."""
    return {
        chosen.package.name: " ".join(
            (
                chosen.package.version,
                "r" * chosen.requested + "b" * chosen.base,
                ",".join(chosen.via),
            )
        )
        for chosen in solution.packages
    }


def test_an_answer(index: PackageIndex) -> None:
    assert _shown(close(index, ["app"])) == {
        "app": "1 r ",
        "libc": "2 b app,shell",
        "shell": "1 b ",
        "tool": "1  app",
    }


def test_nothing_asked_is_the_base(index: PackageIndex) -> None:
    assert _shown(close(index, [])) == {"libc": "2 b shell", "shell": "1 b "}


def test_another_base(index: PackageIndex) -> None:
    assert _shown(close(index, ["viewer"], base=["other"])) == {"other": "1 b ", "viewer": "1 r "}
    assert _shown(close(index, ["viewer"], base=[])) == {"viewer": "1 r "}


def test_a_base_package_asked_for_is_both(index: PackageIndex) -> None:
    assert _shown(close(index, ["libc"]))["libc"] == "2 rb shell"


def test_recommends(index: PackageIndex) -> None:
    assert "doc" not in _shown(close(index, ["app"]))
    shown = _shown(close(index, ["app"], recommends=True))
    assert (shown["doc"], shown["viewer"]) == ("1  app", "1  doc")


def test_a_version_asked_for_replaces_the_base_one(index: PackageIndex) -> None:
    assert _shown(close(index, ["libc=1"]))["libc"].startswith("1 r")


def test_a_version_asked_for_may_exclude(index: PackageIndex) -> None:
    with pytest.raises(NoSolutionError, match=r"app 1 needs libc \(>= 2\)"):
        close(index, ["app", "libc=1"])


def test_the_base_gives_way_unless_essential(index: PackageIndex) -> None:
    solution = close(index, ["hater"], base=["viewer", "libc"])
    assert [package.name for package in solution.left_out] == ["libc"]
    with pytest.raises(NoSolutionError, match="enemy 1 excludes shell"):
        close(index, ["enemy"])


def test_the_native_architecture_may_be_said(index: PackageIndex) -> None:
    assert close(index, ["app:amd64"]) == close(index, ["app"])
    with pytest.raises(UsageError, match="another architecture"):
        close(index, ["app:i386"])


def test_what_one_package_alone_provides(index: PackageIndex) -> None:
    assert _shown(close(index, ["single"]))["only"] == "1 r "
    with pytest.raises(UsageError, match=r"name one of them: other, tool"):
        close(index, ["virtual"])


def test_an_unknown_name_shows_the_nearest(index: PackageIndex) -> None:
    with pytest.raises(UsageError, match=r"no package toool in made-up \(did you mean tool\?\)"):
        close(index, ["toool"])


def test_an_unknown_version_shows_the_known(index: PackageIndex) -> None:
    with pytest.raises(UsageError, match=r"no libc 3 in made-up.*there is: 2, 1"):
        close(index, ["libc=3"])


def test_two_versions_of_one(index: PackageIndex) -> None:
    with pytest.raises(UsageError, match="asked for twice"):
        close(index, ["libc=1", "libc=2"])


@pytest.mark.parametrize("request_", ["", "=1", " app", "app=", "app=1 2", "app=\n", ":amd64"])
def test_what_is_no_request(index: PackageIndex, request_: str) -> None:
    with pytest.raises(UsageError, match="cannot read the package"):
        close(index, [request_])


def test_a_refusal_says_who_excludes_whom(index: PackageIndex) -> None:
    with pytest.raises(NoSolutionError) as caught:
        close(index, ["middle", "tool"])
    assert caught.value.what.splitlines() == [
        "no set of packages holds middle, tool:",
        "  middle 1 needs other",
        "    other 1 cannot be chosen: other 1 excludes tool",
    ]
    assert caught.value.where == "made-up"


def test_a_refusal_follows_the_chain() -> None:
    text = (
        package("app", depends="k")
        + package("k", depends="l | m")
        + package("l", depends="gone (>= 2)")
        + package("gone")
        + package("m", depends="nowhere")
    )
    with (
        PackageIndex([part(text)], architecture="amd64") as index,
        pytest.raises(NoSolutionError) as caught,
    ):
        close(index, ["app"])
    said = caught.value.what
    assert "gone (>= 2) is not in made-up: there is 1" in said
    assert "nowhere is not in made-up" in said
    assert said.index("k 1 needs l | m") < said.index("l 1 needs gone") < said.index("m 1 needs")
