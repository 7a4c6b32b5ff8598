"""The calm after a spell: everything comes to its end, whoever was refused asks again, and the shop audits itself."""

import asyncio
from collections.abc import Iterator, Sequence

import grpc

from recordshop.order.v1 import order_pb2, order_pb2_grpc
from tests.chaos.books import open_count
from tests.chaos.desk import Desk
from tests.chaos.history import CONFIRMED, SOLD_OUT, Call, Op
from tests.chaos.stage import Stage
from tests.chaos.violation import Violation
from tests.chaos.wishes import Return, Wish

POLL_S = 0.05
ASKED_AT_ONCE = 100
CONFIRMED_ASKED_MAX = 300
ASK_TIMEOUT_S = 10.0
PATIENCE_S = 30.0
AUDIT_TIMEOUT_S = 60.0
# So many copies come before everybody who was refused asks again that nobody would be refused now.
GENEROUS_DELIVERY = 1_000_000


async def nothing_open(stage: Stage, timeout_s: float) -> int:
    """Waits until all orders are final and the journal is empty; answers how many orders are not when the time is up."""
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    while True:
        orders, work = await open_count(stage)
        if orders + work == 0 or asyncio.get_running_loop().time() > deadline_s:
            return orders
        await asyncio.sleep(POLL_S)


async def deliver(desk: Desk, discs: Sequence[str]) -> None:
    """Brings more copies of each disc than anybody wants."""
    for disc in discs:
        async with asyncio.timeout(PATIENCE_S):
            while True:
                if (await desk.move(f"generous-{disc}", ((disc, GENEROUS_DELIVERY),), 0, "generous")).is_decided:
                    break
                await asyncio.sleep(POLL_S)


async def ask_again(desk: Desk) -> None:
    """All who were refused ask again, and some of those who were not."""
    calls = [call for subject in desk.history.wishes for call in desk.history.of(subject, Op.CREATE)]
    refused = {_wish(desk, call) for call in calls if call.outcome == SOLD_OUT}
    taken = {_wish(desk, call) for call in calls if call.outcome == CONFIRMED}
    wishes = sorted([*refused, *sorted(taken, key=_name)[:CONFIRMED_ASKED_MAX]], key=_name)
    for number, first in enumerate(range(0, len(wishes), ASKED_AT_ONCE)):
        await _ask_all(desk, wishes[first : first + ASKED_AT_ONCE], number, "again at the end")


async def return_again(desk: Desk) -> None:
    """All who brought copies back, or tried to, ask again, each of both replicas in turn."""
    returns = [returning for payloads in desk.history.returns.values() for returning in payloads]
    for first in range(0, len(returns), ASKED_AT_ONCE):
        async with asyncio.timeout(PATIENCE_S):
            await asyncio.gather(*(_return(desk, one) for one in returns[first : first + ASKED_AT_ONCE]))


async def buy_afresh(desk: Desk, customer: str, discs: Sequence[str]) -> None:
    """Somebody buys each disc at each replica, whatever that may remember of it: there is plenty now."""
    for replica in desk.replicas:
        wishes = [Wish(customer, f"afresh-{replica}-{disc}", ((disc, 1),)) for disc in discs]
        await _ask_all(desk, wishes, replica, "afresh")


async def audit(stub: "order_pb2_grpc.OrderServiceAsyncStub", discs: Sequence[str]) -> list[Violation]:
    """AuditStock, as the shop answers it."""
    request = order_pb2.AuditStockRequest(disc_ids=discs)
    try:
        audits = [audit async for audit in stub.AuditStock(request, timeout=AUDIT_TIMEOUT_S)]
    except grpc.aio.AioRpcError as error:
        return [Violation("AuditStock agrees", "all discs", f"no answer: {error.code().name}")]
    return list(_judged(audits, discs))


def _judged(audits: Sequence[order_pb2.DiscAudit], discs: Sequence[str]) -> Iterator[Violation]:
    if {audit.disc_id for audit in audits} != set(discs):
        yield Violation("AuditStock agrees", "all discs", "it does not answer for each disc")
    for audit in audits:
        if audit.verdict != order_pb2.AUDIT_VERDICT_AGREES:
            yield Violation("AuditStock agrees", audit.disc_id, " ".join(str(audit).split()))


async def _ask_all(desk: Desk, wishes: Sequence[Wish], replica: int, way: str) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while wishes:
            calls = await desk.batch(wishes, replica % len(desk.replicas), way, ASK_TIMEOUT_S)
            wishes = [wish for wish, call in zip(wishes, calls, strict=True) if not call.is_decided]
            replica += 1
            await asyncio.sleep(POLL_S)


async def _return(desk: Desk, returning: Return) -> None:
    replica = 0
    while not (await desk.take_back(returning, replica, "return again at the end", ASK_TIMEOUT_S)).is_decided:
        replica = (replica + 1) % len(desk.replicas)
        await asyncio.sleep(POLL_S)


def _wish(desk: Desk, call: Call) -> Wish:
    return next(wish for wish in desk.history.wishes[call.subject] if wish.lines == call.lines)


def _name(wish: Wish) -> tuple[str, str]:
    return wish.order_id, str(wish.lines)
