"""Work that a process left behind is traced on by whoever finishes it: in a trace of its own, linked to where it began."""

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from secrets import token_hex
from typing import Protocol

import grpc
import pytest

from local_shop.copies import copy_databases, drop_databases
from local_shop.postgres import LocalPostgres
from recordshop.order.v1 import order_pb2
from tests.faults.stage import Stage, open_stage
from tests.support.otlp_receiver import OtlpReceiver, ReceivedSpan, otlp_receiver

TIMEOUT_S = 10.0
SUFFIX = "traces"
RECOVERY = "recovery"


class Provisioned(Protocol):
    server: LocalPostgres
    passwords: Mapping[str, str]
    folder: Path


@pytest.fixture(scope="module")
async def receiver() -> AsyncIterator[OtlpReceiver]:
    async with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture(scope="module")
async def traced_stage(postgres: Provisioned, receiver: OtlpReceiver) -> AsyncIterator[Stage]:
    databases = copy_databases(postgres.server, SUFFIX)
    folder = postgres.folder / SUFFIX
    folder.mkdir()
    async with open_stage(postgres.server, postgres.passwords, folder, databases, **receiver.environment) as stage:
        yield stage
    drop_databases(postgres.server, databases)


async def recovery_of(receiver: OtlpReceiver, trace_id: str, name: str = RECOVERY) -> list[ReceivedSpan]:
    """The recovery, or the work of another name, that is linked to this trace, and what it did."""

    def linked(spans: list[ReceivedSpan]) -> list[ReceivedSpan]:
        return [span for span in spans if span.name == name and trace_id in {link for link, _ in span.links}]

    [recovery] = linked(await receiver.until(lambda spans: bool(linked(spans))))
    return [recovery, *(span for span in receiver.spans if span.parent_id == recovery.span_id)]


async def test_recovery_of_an_order_is_linked_to_the_call_that_took_it_in(
    traced_stage: Stage, receiver: OtlpReceiver
) -> None:
    stage, trace_id = traced_stage, token_hex(16)
    disc_id = await stage.disc(stock=3)
    async with stage.failpoints.trap("order.taken_in") as trap:
        call = stage.shop.order.CreateOrder(
            stage.request("traced", {disc_id: 1}),
            timeout=TIMEOUT_S,
            metadata=(("traceparent", f"00-{trace_id}-{token_hex(8)}-01"),),
        )
        (await trap.reached()).die()
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
        await stage.died(stage.order)
    await stage.start(stage.order)
    recovery, *steps = await recovery_of(receiver, trace_id)
    assert recovery.parent_id == ""
    assert recovery.trace_id != trace_id
    assert {"UPDATE orders, DELETE open_work", "DELETE open_work"} <= {span.name for span in steps}
    assert "recordshop.catalog.v1.StockService/BatchReserveStock" in {span.name for span in steps}
    await stage.promise_kept(disc_id)


async def test_recovery_of_a_cancel_is_linked_to_the_call_that_cancelled(
    traced_stage: Stage, receiver: OtlpReceiver
) -> None:
    stage, trace_id = traced_stage, token_hex(16)
    disc_id = await stage.disc(stock=3)
    order = await stage.place("cancelled", {disc_id: 1})
    async with stage.failpoints.trap("order.marked_cancelling") as trap:
        call = stage.shop.order.CancelOrder(
            order_pb2.CancelOrderRequest(order_id=order.id, request_id="cancel"),
            timeout=TIMEOUT_S,
            metadata=(("traceparent", f"00-{trace_id}-{token_hex(8)}-01"),),
        )
        (await trap.reached()).die()
        assert await call.code() is grpc.StatusCode.UNAVAILABLE
        await stage.died(stage.order)
    await stage.start(stage.order)
    recovery, *steps = await recovery_of(receiver, trace_id)
    assert recovery.trace_id != trace_id
    assert "recordshop.catalog.v1.StockService/ReleaseStock" in {span.name for span in steps}
    await stage.promise_kept(disc_id)


async def test_a_queued_orders_decision_is_linked_to_the_call_that_queued_it(
    traced_stage: Stage, receiver: OtlpReceiver
) -> None:
    stage, trace_id = traced_stage, token_hex(16)
    disc_id = await stage.disc(stock=3)
    await stage.shop.order.CreateOrder(
        stage.request("queued", {disc_id: 1}, mode=order_pb2.ORDER_MODE_ASYNC),
        timeout=TIMEOUT_S,
        metadata=(("traceparent", f"00-{trace_id}-{token_hex(8)}-01"),),
    )
    decision, *steps = await recovery_of(receiver, trace_id, "queue")
    assert decision.parent_id == ""
    assert decision.trace_id != trace_id
    assert "recordshop.catalog.v1.StockService/BatchReserveStock" in {span.name for span in steps}
    await stage.promise_kept(disc_id)
