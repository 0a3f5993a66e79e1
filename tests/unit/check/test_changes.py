"""What a sync did is told from before and after; what it would do, from the lock."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from support.samples import LINUX, package, small_lock

from envlock.check.changes import Change, changes, damaged, planned
from envlock.check.drift import Code, drift
from envlock.check.python.observe import DirectUrl, Distribution, Observed
from envlock.check.python.owned import Finding
from envlock.lock.target import Target


def environment(*pairs: tuple[str, str], url: DirectUrl | None = None) -> Observed:
    return Observed(
        prefix=Path("/env"),
        version="3.11.7",
        implementation="cpython",
        distributions=tuple(
            Distribution(name=n, version=v, path=Path(f"/env/{n}"), direct_url=url)
            for n, v in pairs
        ),
    )


def test_a_new_environment_has_everything_installed() -> None:
    done = changes(None, environment(("aa", "1"), ("bb", "2")))
    assert done.installed == (
        Change(name="aa", before=None, after="1"),
        Change(name="bb", before=None, after="2"),
    )
    assert (done.removed, done.replaced, done.unchanged) == ((), (), 0)


def test_what_came_went_moved_and_stayed() -> None:
    before = environment(("aa", "1"), ("bb", "1"), ("cc", "1"))
    after = environment(("bb", "2"), ("cc", "1"), ("dd", "1"))
    done = changes(before, after)
    assert done.all == (
        Change(name="aa", before="1", after=None),
        Change(name="bb", before="1", after="2"),
        Change(name="dd", before=None, after="1"),
    )
    assert done.unchanged == 1


def test_the_same_version_from_elsewhere_was_replaced() -> None:
    url = DirectUrl(kind="archive", url="https://example.org/aa.zip")
    done = changes(environment(("aa", "1"), url=url), environment(("aa", "1")))
    assert done.replaced == (Change(name="aa", before="1", after="1"),)


def test_a_package_installed_again_says_why() -> None:
    same = environment(("aa", "1"), ("bb", "1"))
    done = changes(same, same, {"bb": "its files had changed"})
    [again] = done.replaced
    assert (again.name, again.before, again.after) == ("bb", "1", "1")
    assert again.cause == "its files had changed"
    assert done.unchanged == 1
    lock = small_lock(package("aa"), package("bb"))
    assert planned(
        lock, LINUX, environment(("aa", "1.0"), ("bb", "1.0")), anew={"bb": "x"}
    ).replaced


def test_what_installing_again_makes_whole() -> None:
    found = [
        Finding("aa", drift(Code.FILE_MODIFIED, "aa.py")),
        Finding("bb", drift(Code.FILE_MISSING, "bb.py")),
        Finding("bb", drift(Code.RECORD_EDITED, "bb")),
        Finding("cc", drift(Code.NO_RECORD, "cc")),
        Finding("dd", drift(Code.BYTECODE, "dd.pyc")),
        Finding(None, drift(Code.FILE_UNOWNED, "stray.py")),
    ]
    assert damaged(found) == {"aa", "cc"}


@pytest.mark.parametrize(
    ("version", "stay"),
    [("3.11.7", {"pip", "setuptools", "uv", "wheel"}), ("3.12.1", {"pip", "uv"})],
)
def test_where_uv_did_not_make_the_environment_seeds_stay(version: str, stay: set[str]) -> None:
    seeds = environment(*((name, "1") for name in ("other", "pip", "setuptools", "uv", "wheel")))
    there = dataclasses.replace(seeds, version=version)
    target = Target(platform="linux/amd64", python=version[:4])
    plan = planned(small_lock(), target, there, keeps_seeds=True)
    assert {c.name for c in plan.removed} == {d.name for d in there.distributions} - stay
    assert plan.unchanged == len(stay)
    everything = planned(small_lock(), target, there)
    assert len(everything.removed) == 5


def test_a_plan_says_what_a_sync_would_do_and_removes_even_pip() -> None:
    lock = small_lock(
        package("aa"),
        package("bb"),
        package("cc"),
        package("mac", marker="sys_platform == 'darwin'"),
    )
    there = environment(("bb", "0.9"), ("cc", "1.0"), ("pip", "25"), ("zz", "1"))
    plan = planned(lock, LINUX, there)
    assert plan.all == (
        Change(name="aa", before=None, after="1.0"),
        Change(name="bb", before="0.9", after="1.0"),
        Change(name="pip", before="25", after=None),
        Change(name="zz", before="1", after=None),
    )
    assert plan.unchanged == 1


def test_a_plan_for_a_missing_environment_installs_everything() -> None:
    plan = planned(small_lock(package("aa")), LINUX, None)
    assert plan.all == (Change(name="aa", before=None, after="1.0"),)
