"""A service that is started as it is shipped stops at no failpoint, whatever stands in its environment."""

from uuid import uuid4

from tests.faults.answers import status_of
from tests.faults.entry import SOCKET_VARIABLE
from tests.faults.stage import Stage


async def test_a_service_as_it_is_shipped_stops_at_no_failpoint_even_beside_a_socket_that_asks_for_it(
    stage: Stage,
) -> None:
    disc = await stage.disc(stock=1)
    socket = {SOCKET_VARIABLE: str(stage.failpoints.socket)}
    async with (
        stage.second_order_service(program=("-m", "order_service"), **socket) as (process, stub),
        stage.failpoints.trap("order.taken_in", pid=process.pid) as trap,
    ):
        assert status_of(await stage.place(f"shipped-{uuid4()}", {disc: 1}, stub=stub)) == "CONFIRMED"
        assert not trap.is_sprung
    await stage.promise_kept(disc)
