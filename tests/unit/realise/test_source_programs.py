"""Programs of this machine that builds are known to need."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from support.samples import LINUX, ring_lock

from envlock.realise.source.plan import make_plan
from envlock.realise.source.programs import missing_programs


def test_what_is_missing_is_named_as_debian_calls_it(tmp_path: Path) -> None:
    needs = {"one": ("gcc", "ninja-build"), "two": ("cmake", "gcc", "zlib1g-dev")}
    lock = ring_lock()
    builds = (replace(b, programs=needs.get(b.package, ())) for b in lock.builds)
    lock = replace(lock, builds=tuple(builds))
    jobs = make_plan(lock, lock.packages, LINUX, "3.11.7", 36).jobs
    assert [job.build.package for job in jobs] == ["two", "one", "thing"]
    assert missing_programs(jobs, str(tmp_path)) == {
        "cmake": ("two 1.0",),
        "gcc": ("one 1.0", "two 1.0"),
        "ninja-build": ("one 1.0",),
    }
    for command in ("gcc", "ninja"):
        (tmp_path / command).touch(0o755)
    assert missing_programs(jobs, str(tmp_path)) == {"cmake": ("two 1.0",)}
    # A wheel of the build environment has the program, too.
    [two, *_] = jobs
    brought = replace(two.requirements[0], key=("cmake", "3.30"))
    assert missing_programs([replace(two, requirements=(brought,))], str(tmp_path)) == {}
