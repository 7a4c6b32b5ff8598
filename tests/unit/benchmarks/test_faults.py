"""A round counts only if the databases hold what the clients saw."""

import pytest

from benchmarks.books import CONFIRMED, REJECTED, NewOrders, fault_of


def test_a_round_counts_if_orders_and_copies_are_as_many_as_answers() -> None:
    assert fault_of(asked=10, answered=10, status=CONFIRMED, new=NewOrders({CONFIRMED: 10}, copies=10)) is None
    assert fault_of(asked=10, answered=10, status=REJECTED, new=NewOrders({REJECTED: 10}, copies=0)) is None


@pytest.mark.parametrize(
    ("asked", "answered", "status", "new"),
    [
        pytest.param(10, 9, CONFIRMED, NewOrders({CONFIRMED: 9}, 9), id="a call without an answer"),
        pytest.param(10, 10, CONFIRMED, NewOrders({CONFIRMED: 9}, 9), id="an order too few"),
        pytest.param(10, 10, CONFIRMED, NewOrders({CONFIRMED: 11}, 11), id="an order too many"),
        pytest.param(10, 10, CONFIRMED, NewOrders({CONFIRMED: 1}, 1), id="replays"),
        pytest.param(10, 10, CONFIRMED, NewOrders({}, 0), id="nothing at all"),
        pytest.param(10, 10, CONFIRMED, NewOrders({CONFIRMED: 9, "PENDING": 1}, 9), id="an order that is not decided"),
        pytest.param(10, 10, CONFIRMED, NewOrders({REJECTED: 10}, 0), id="refusals instead of sales"),
        pytest.param(10, 10, REJECTED, NewOrders({CONFIRMED: 10}, 10), id="sales instead of refusals"),
        pytest.param(10, 10, CONFIRMED, NewOrders({CONFIRMED: 10}, 9), id="a copy that did not go"),
        pytest.param(10, 10, REJECTED, NewOrders({REJECTED: 10}, 1), id="a copy that went for a refusal"),
    ],
)
def test_anything_else_is_a_fault(asked: int, answered: int, status: str, new: NewOrders) -> None:
    assert fault_of(asked=asked, answered=answered, status=status, new=new)
