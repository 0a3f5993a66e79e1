"""The Guix channel in a lock: the real command on a local history with merges and odd clocks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.index import LoopbackIndex
from support.project import Project, errors_in
from support.repository import Repository, on

from envlock.lock.hashing import environment_hash
from envlock.lock.model import Lock
from envlock.lock.toolchain import GuixChannel

INTRODUCTION = "9edb3f66fd807b096b48283debdcddccfea34bad"
FINGERPRINT = "BBB02DDF2CEAF6A80D1DE643A2A06DF2A33A54FA"


@pytest.fixture
def channel(tmp_path: Path) -> Repository:
    """``master``: day 0, 2, a merge on day 6 of a side branch of days 1 and 5, day 4 (a clock that
    goes wrong), day 8."""
    found = Repository(tmp_path / "guix")
    found.git("checkout", "--quiet", "-b", "master")
    found.commit(0)
    found.git("checkout", "--quiet", "-b", "side")
    found.commit(1)
    found.commit(5)
    found.git("checkout", "--quiet", "master")
    found.commit(2)
    found.git("merge", "--quiet", "--no-ff", "-m", "merge", "side", date=on(6))
    found.commit(4)
    found.commit(8)
    return found


@pytest.fixture
def asking(project: Project, index: LoopbackIndex, channel: Repository) -> Project:
    index.add("lib", "1.0", "2024-01-01")
    return ask(project, url=channel.url)


def ask(project: Project, **guix: Any) -> Project:
    return project.write("lib", settings={"targets": ["linux/amd64"], "guix": guix})


def pinned(lock: Lock) -> GuixChannel:
    assert lock.guix is not None
    return lock.guix


def stamp(day: float) -> str:
    return f"{on(day):%Y-%m-%dT%H:%M:%SZ}"


@pytest.mark.parametrize(
    ("day", "back"),
    [
        (0, 4),
        (1.5, 4),  # the side branch's commit was not on master then
        (2, 3),
        (3.9, 3),
        (5.5, 1),  # of the two that are not later, the one nearer to the tip
        (7, 1),
        (8, 0),
    ],
)
def test_the_commit_is_where_the_branch_stood(
    asking: Project, channel: Repository, day: float, back: int
) -> None:
    pin = pinned(asking.lock(as_of=stamp(day)))
    assert pin.commit == channel.git("rev-parse", f"master~{back}")


def test_the_lock_has_all_that_channels_scm_needs(asking: Project, channel: Repository) -> None:
    assert pinned(asking.lock(as_of=stamp(9))) == GuixChannel(
        name="guix",
        url=channel.url,
        branch="master",
        commit=channel.git("rev-parse", "master"),
        introduction_commit=INTRODUCTION,
        introduction_fingerprint=FINGERPRINT,
    )


def test_another_channel_has_its_own_branch_and_introduction(
    asking: Project, channel: Repository
) -> None:
    table = {"introduction-commit": "a" * 40, "introduction-fingerprint": "b" * 40}
    ask(asking, url=channel.url, branch="side", names={"libgl1": "mesa"}, **table)
    pin = pinned(asking.lock(as_of=stamp(9)))
    assert pin.commit == channel.git("rev-parse", "side")
    assert (pin.introduction_commit, pin.introduction_fingerprint) == ("a" * 40, "B" * 40)
    assert pin.names == ("libgl1=mesa",)


def test_twice_gives_the_same_bytes_while_the_channel_grows(
    asking: Project, channel: Repository
) -> None:
    asking.lock(as_of=stamp(7))
    before = asking.lock_path.read_bytes()
    asking.lock_path.unlink()
    channel.commit(10)
    asking.lock(as_of=stamp(7), ENVLOCK_CACHE_DIR=str(asking.root / "another-cache"))
    assert asking.lock_path.read_bytes() == before


def test_it_is_part_of_the_environment_and_of_the_request(
    asking: Project, channel: Repository
) -> None:
    first = environment_hash(asking.lock(as_of=stamp(7)))
    assert first.toolchain is not None
    ask(asking, url=channel.url, branch="side")
    done = asking.run("lock", "--check")
    assert done.returncode == 1
    assert "guix-branch: was unset, is now side" in done.stderr
    assert environment_hash(asking.lock(as_of=stamp(7))).toolchain != first.toolchain


def test_a_change_of_names_asks_no_repository(asking: Project, channel: Repository) -> None:
    before = pinned(asking.lock(as_of=stamp(7)))
    ask(asking, url=channel.url, names={"x1": "y"})
    channel.folder.rename(channel.folder.with_name("gone"))
    after = pinned(asking.lock(as_of=stamp(7)))
    assert (after.commit, after.names) == (before.commit, ("x1=y",))


@pytest.mark.parametrize(
    ("day", "guix", "code", "words"),
    [
        (-1, {}, 2, "no commit of refs/heads/master is as old as"),
        (9, {"branch": "mastr"}, 2, "nearest: master"),
        (9, {"url": "file:///nowhere/guix.git"}, 3, "url in [tool.envlock.guix]"),
    ],
)
def test_what_cannot_be_had(
    asking: Project,
    channel: Repository,
    day: float,
    guix: dict[str, str],
    code: int,
    words: str,
) -> None:
    ask(asking, **{"url": channel.url, **guix})
    said = asking.refused(code=code, as_of=stamp(day))
    assert errors_in(said) == 1
    assert words in said
