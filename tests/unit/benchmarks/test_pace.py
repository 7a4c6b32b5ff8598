"""A round lasts about as long as it should."""

import pytest

from benchmarks.pace import CALLS_MIN, CALLS_OF_A_CLIENT_MIN, Pace


def test_the_first_round_is_small() -> None:
    assert Pace(seconds=2.0, clients=90, calls_max=100_000).calls == 90 * CALLS_OF_A_CLIENT_MIN
    assert Pace(seconds=2.0, clients=1, calls_max=100_000).calls == CALLS_MIN


@pytest.mark.parametrize(
    ("calls", "seconds", "next_calls"),
    [
        pytest.param(180, 0.1, 3_600, id="as many as fit"),
        pytest.param(185, 0.1, 3_690, id="the same number for each client"),
        pytest.param(180, 60.0, 180, id="some for each client"),
        pytest.param(180, 0.0001, 9_990, id="a limit"),
        pytest.param(180, 0.0, 9_990, id="a clock that stands"),
    ],
)
def test_the_next_round_has_as_many_calls_as_fit(calls: int, seconds: float, next_calls: int) -> None:
    pace = Pace(seconds=2.0, clients=90, calls_max=10_000)
    pace.learn(calls, seconds)
    assert pace.calls == next_calls
