"""What is taken as wheels: in the file, in the hash, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import tomli
import tomli_w
from support.samples import ring_lock

from envlock.errors import UsageError
from envlock.lock import codec
from envlock.lock.bootstrap import locked_seeds
from envlock.lock.builds import Seed
from envlock.lock.hashing import environment_hash

LOCK = ring_lock()


def test_everything_has_a_build_or_an_entry() -> None:
    cycle = ("one==1.0", "two==1.0")
    assert LOCK.bootstrap == (
        Seed(package="extra", version="1.0", reason="no-sdist"),
        Seed(package="nvidia-x", version="1.0", reason="no-sdist"),
        Seed(package="one", version="1.0", reason="cycle", cycle=cycle),
    )
    tool = tomli.loads(codec.dump(LOCK))["tool"]["envlock"]
    assert tool["bootstrap"][2] == {
        "package": "one",
        "version": "1.0",
        "reason": "cycle",
        "cycle": list(cycle),
    }
    assert codec.load(codec.dump(LOCK), where="x") == LOCK
    declared = {seed.package: seed.reason for seed in ring_lock(exceptions=("nvidia-*",)).bootstrap}
    assert declared["nvidia-x"] == "declared"


def test_where_cycles_are_broken_is_in_the_hash_and_nothing_else_of_it() -> None:
    hashed = environment_hash(LOCK)
    without = replace(LOCK, bootstrap=tuple(s for s in LOCK.bootstrap if not s.cycle))
    assert environment_hash(without).toolchain != hashed.toolchain
    # So a lock of before, which has none of this, keeps its hash.
    assert environment_hash(replace(LOCK, bootstrap=())) == environment_hash(without)
    other = replace(LOCK.bootstrap[2], package="two")
    changed = environment_hash(replace(LOCK, bootstrap=(*LOCK.bootstrap[:2], other)))
    assert changed.toolchain not in (hashed.toolchain, environment_hash(without).toolchain)


def test_of_an_older_lock_the_same_seeds_are_worked_out() -> None:
    older = replace(LOCK, bootstrap=())
    assert codec.load(codec.dump(older), where="x") == older
    assert list(locked_seeds(older)) == [("one", "1.0")]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda b: b[0].update(reason="whim"), r"bootstrap\[0\]\.reason: expected one of"),
        (lambda b: b[0].update(package="Ex.tra"), r"bootstrap\[0\]\.package"),
        (lambda b: b[0].update(cycle=["a==1"]), r"bootstrap\[0\]\.cycle"),
        (lambda b: b[2].pop("cycle"), r"bootstrap\[2\]\.cycle"),
        (lambda b: b.append(b[0]), r"bootstrap\[3\]: expected one entry only for extra 1\.0"),
        (lambda b: b[0].update(package="gone"), "gone 1.0: expected a package of the lock"),
        (lambda b: b.pop(0), "an entry for extra 1.0, which has no build"),
        (lambda b: b[2].update(cycle=["one==1.0"]), "the builds that it leads to"),
        (
            lambda b: b.append({"package": "thing", "version": "1.0", "reason": "no-sdist"}),
            "thing 1.0: expected a build of it for the reason cycle, and for no other",
        ),
        (lambda b: b.pop(2), "which need one another: one 1.0, two 1.0"),
    ],
)
def test_what_does_not_fit_is_refused(change: Callable[[list[Any]], Any], message: str) -> None:
    table = tomli.loads(codec.dump(LOCK))
    seeds = table["tool"]["envlock"]["bootstrap"]
    change(seeds)
    loaded = [Seed(**{**seed, "cycle": tuple(seed.get("cycle", ()))}) for seed in seeds]
    # The hash fits, so that only the table is wrong.
    hashed = environment_hash(replace(LOCK, bootstrap=tuple(loaded)))
    table["tool"]["envlock"]["environment-hash"] = hashed.root
    table["tool"]["envlock"]["digests"]["toolchain"] = hashed.toolchain
    with pytest.raises(UsageError, match=message):
        codec.load(tomli_w.dumps(table), where="x")
