"""Duration is by a clock that nobody sets; what the day's clock did meanwhile is noted."""

from __future__ import annotations

import pytest

from envlock.runs.ending import Clocks, elapsed
from envlock.runs.ids import instant, is_id, month, new_id


def clocks(day: float, steady: float, boot: float) -> Clocks:
    made = Clocks()
    made.day, made.steady, made.boot = day, steady, boot
    return made


@pytest.mark.parametrize(
    ("after", "noted"),
    [
        ((1010.0, 15.0, 105.0), {"clock-jumped": 5.0}),
        ((-2595.0, 15.0, 105.0), {"clock-jumped": -3600.0}),
        ((1005.2, 15.0, 105.0), {}),
        ((1065.0, 15.0, 165.0), {"asleep": 60.0}),
    ],
)
def test_elapsed(after: tuple[float, float, float], noted: dict[str, float]) -> None:
    facts = elapsed(clocks(1000.0, 10.0, 100.0), clocks(*after))
    assert facts.pop("started") == "1970-01-01T00:16:40.000000Z"
    assert facts == {"duration": 5.0} | noted


def test_ids() -> None:
    made = {new_id(1_795_280_101.9) for _ in range(1000)}
    assert len(made) == 1000
    one = min(made)
    assert is_id(one)
    assert month(one) == f"{one[:4]}/{one[4:6]}"
    for wrong in ("", "../x", one + "0", one.upper() + " ", one.replace("Z", "z")):
        assert not is_id(wrong)


def test_instants_do_not_round_into_a_second_that_is_not() -> None:
    assert instant(0.9999999) == "1970-01-01T00:00:01.000000Z"
    assert instant(1.5) == "1970-01-01T00:00:01.500000Z"
