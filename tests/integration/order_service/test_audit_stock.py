"""AuditStock: orders against ledger, one by one. Each disagreement is made by hand, past the services, and is found."""

from typing import Any
from uuid import UUID

import grpc
import pytest

from recordshop.catalog.v1 import catalog_pb2
from recordshop.order.v1 import order_pb2
from tests.integration.order_desk import AGREES, CALL_TIMEOUT_S, DISAGREES, OPEN
from tests.integration.order_service.conftest import SpoiledShop
from tests.integration.refusals import bad_fields_of, refusal_of
from tests.integration.stock_room import new_id, walk

HOLD = """
INSERT INTO reservations (disc_id, reservation_id, state, quantity, line_count, fingerprint, name, artist, price_cents, stock_left)
VALUES ($1, $2, 'RESERVED', $3, 1, decode(repeat('00', 16), 'hex'), 'By hand', 'Nobody', 100, 0)
"""
ORDER = """
INSERT INTO orders (id, customer_id, request_id, fingerprint, customer_name, masked_document, disc_ids, quantities, status)
VALUES ($2, gen_random_uuid(), 'by-hand', decode(repeat('00', 16), 'hex'), 'Nobody', '', ARRAY[$1::uuid], '{1}', $3)
"""
MOVE = "UPDATE discs SET stock = stock + $2 WHERE id = $1"


@pytest.fixture(scope="module")
async def customer_id(spoiled: SpoiledShop) -> str:
    """An active customer, who may buy in all tests."""
    return (await spoiled.shop.make_customer()).id


@pytest.fixture
async def disc_id(spoiled: SpoiledShop) -> str:
    """A disc with 100 copies at 1.00."""
    return (await spoiled.shop.make_disc(stock=100, price_cents=100)).id


@pytest.fixture
async def sold(spoiled: SpoiledShop, customer_id: str, disc_id: str) -> str:
    """The middle one of three confirmed orders of two copies of the disc."""
    placed = [await spoiled.orders.create(customer_id, {disc_id: 2}) for _ in range(3)]
    return placed[1].id


async def wrong(spoiled: SpoiledShop, disc_id: str) -> list[str]:
    """Audit a disc, which must disagree, and return the orders that are named."""
    (audit,) = await spoiled.orders.audit(disc_id)
    assert audit.verdict == DISAGREES, audit
    return list(audit.wrong_order_ids)


async def in_orders(spoiled: SpoiledShop, statement: str, *arguments: Any) -> None:
    assert await spoiled.order_admin.execute(statement, *arguments) in {"UPDATE 1", "INSERT 0 1", "DELETE 1"}


async def in_catalog(spoiled: SpoiledShop, statement: str, *arguments: Any) -> None:
    assert await spoiled.catalog_admin.execute(statement, *arguments) in {"UPDATE 1", "INSERT 0 1", "DELETE 1"}


async def test_a_disc_with_every_kind_of_order_agrees(spoiled: SpoiledShop, disc_id: str, customer_id: str) -> None:
    desk = spoiled.orders
    placed = [await desk.create(customer_id, {disc_id: 10}) for _ in range(4)]
    await desk.cancel(placed[0].id)
    await refusal_of(desk.create(customer_id, {disc_id: 71}))
    await spoiled.stock.adjust(disc_id, 5)
    await spoiled.stock.adjust(disc_id, -25)
    await refusal_of(spoiled.stock.adjust(disc_id, -1_000))
    (audit,) = await desk.audit(disc_id.upper())
    assert audit == order_pb2.DiscAudit(
        disc_id=disc_id, opening=100, moved=-20, left=50, held=30, sold=30, open=0, verdict=AGREES
    )


async def test_all_discs_are_audited_in_the_order_of_their_ids_deleted_ones_too(
    spoiled: SpoiledShop, disc_id: str, sold: str
) -> None:
    await spoiled.shop.catalog.DeleteDisc(catalog_pb2.DeleteDiscRequest(id=disc_id), timeout=CALL_TIMEOUT_S)
    audits = await spoiled.orders.audit()
    pages = await walk(spoiled.stock.balances, page_size=100)
    assert [audit.disc_id for audit in audits] == [balance.disc_id for page in pages for balance in page.balances]
    (of_deleted,) = [audit for audit in audits if audit.disc_id == disc_id]
    assert (of_deleted.held, of_deleted.sold, of_deleted.verdict) == (6, 6, AGREES)
    assert await spoiled.orders.audit(disc_id) == [of_deleted]


async def test_several_discs_are_audited_each_by_itself_in_the_order_of_their_ids(
    spoiled: SpoiledShop, disc_id: str, sold: str, customer_id: str
) -> None:
    other, untouched = [(await spoiled.shop.make_disc(stock=5)).id for _ in range(2)]
    await spoiled.orders.create(customer_id, {disc_id: 1, other: 3})
    await in_orders(spoiled, "UPDATE orders SET prices_cents = '{1}' WHERE id = $1", UUID(sold))
    audits = await spoiled.orders.audit(untouched, other, disc_id, other)
    assert [audit.disc_id for audit in audits] == sorted([disc_id, other, untouched])
    figures = {audit.disc_id: (audit.sold, audit.verdict) for audit in audits}
    assert figures == {disc_id: (7, DISAGREES), other: (3, AGREES), untouched: (0, AGREES)}


async def test_an_order_of_two_discs_may_be_wrong_for_one_of_them(spoiled: SpoiledShop, customer_id: str) -> None:
    one, other = [(await spoiled.shop.make_disc(stock=5)).id for _ in range(2)]
    placed = await spoiled.orders.create(customer_id, {one: 1, other: 1})
    statement = "UPDATE reservations SET price_cents = 7 WHERE disc_id = $1 AND reservation_id = $2"
    await in_catalog(spoiled, statement, UUID(one), UUID(placed.id))
    assert await wrong(spoiled, one) == [placed.id]
    assert (await spoiled.orders.audit(other))[0].verdict == AGREES


async def test_a_changed_price_disagrees(spoiled: SpoiledShop, disc_id: str, sold: str) -> None:
    await in_orders(spoiled, "UPDATE orders SET prices_cents = '{99}' WHERE id = $1", UUID(sold))
    assert await wrong(spoiled, disc_id) == [sold]


async def test_a_changed_quantity_on_the_order_disagrees(spoiled: SpoiledShop, disc_id: str, sold: str) -> None:
    await in_orders(spoiled, "UPDATE orders SET quantities = '{1}' WHERE id = $1", UUID(sold))
    assert await wrong(spoiled, disc_id) == [sold]


async def test_a_changed_quantity_in_the_ledger_disagrees_though_the_sums_are_right(
    spoiled: SpoiledShop, disc_id: str, sold: str
) -> None:
    await in_catalog(spoiled, "UPDATE reservations SET quantity = 5 WHERE reservation_id = $1", UUID(sold))
    await in_catalog(spoiled, MOVE, UUID(disc_id), -3)
    assert await wrong(spoiled, disc_id) == [sold]


async def test_two_changes_that_even_each_other_out_disagree(
    spoiled: SpoiledShop, disc_id: str, sold: str, customer_id: str
) -> None:
    other = await spoiled.orders.create(customer_id, {disc_id: 2})
    for order, quantity in ((sold, 1), (other.id, 3)):
        await in_orders(spoiled, f"UPDATE orders SET quantities = '{{{quantity}}}' WHERE id = $1", UUID(order))
    (audit,) = await spoiled.orders.audit(disc_id)
    assert (audit.sold, audit.held, audit.verdict) == (8, 8, DISAGREES)
    assert list(audit.wrong_order_ids) == sorted([sold, other.id])


async def test_a_part_that_came_back_is_neither_held_nor_sold(spoiled: SpoiledShop, disc_id: str, sold: str) -> None:
    await spoiled.orders.cancel(sold, lines={disc_id: 1})
    (audit,) = await spoiled.orders.audit(disc_id)
    assert audit == order_pb2.DiscAudit(disc_id=disc_id, opening=100, left=95, held=5, sold=5, verdict=AGREES)


async def test_a_return_that_only_one_side_counts_disagrees(spoiled: SpoiledShop, disc_id: str, sold: str) -> None:
    await in_orders(spoiled, "UPDATE orders SET returned = '{1}' WHERE id = $1", UUID(sold))
    assert await wrong(spoiled, disc_id) == [sold]
    await in_orders(spoiled, "UPDATE orders SET returned = NULL WHERE id = $1", UUID(sold))
    assert (await spoiled.orders.audit(disc_id))[0].verdict == AGREES
    await in_catalog(spoiled, "UPDATE reservations SET returned = 1 WHERE reservation_id = $1", UUID(sold))
    assert await wrong(spoiled, disc_id) == [sold]
    await in_catalog(spoiled, MOVE, UUID(disc_id), 1)
    assert await wrong(spoiled, disc_id) == [sold], "the sums of the disc are right"


async def test_a_return_under_way_is_open_and_not_wrong(spoiled: SpoiledShop, disc_id: str, sold: str) -> None:
    await in_orders(spoiled, "UPDATE orders SET open_return_id = gen_random_uuid() WHERE id = $1", UUID(sold))
    await in_catalog(spoiled, "UPDATE reservations SET returned = 1 WHERE reservation_id = $1", UUID(sold))
    await in_catalog(spoiled, MOVE, UUID(disc_id), 1)
    (audit,) = await spoiled.orders.audit(disc_id)
    assert (audit.open, list(audit.wrong_order_ids), audit.verdict) == (1, [], OPEN)


async def test_copies_held_without_an_order_disagree(spoiled: SpoiledShop, disc_id: str, sold: str) -> None:
    nobodys = new_id()
    await in_catalog(spoiled, HOLD, UUID(disc_id), UUID(nobodys), 2)
    await in_catalog(spoiled, MOVE, UUID(disc_id), -2)
    assert await wrong(spoiled, disc_id) == [nobodys]


async def test_copies_held_for_an_order_of_other_discs_disagree(
    spoiled: SpoiledShop, disc_id: str, sold: str, customer_id: str
) -> None:
    other = (await spoiled.shop.make_disc(stock=5)).id
    of_other = await spoiled.orders.create(customer_id, {other: 1})
    await in_catalog(spoiled, HOLD, UUID(disc_id), UUID(of_other.id), 2)
    await in_catalog(spoiled, MOVE, UUID(disc_id), -2)
    assert await wrong(spoiled, disc_id) == [of_other.id]


async def test_a_confirmed_order_without_a_reservation_disagrees(spoiled: SpoiledShop, disc_id: str, sold: str) -> None:
    await in_catalog(spoiled, "DELETE FROM reservations WHERE reservation_id = $1", UUID(sold))
    await in_catalog(spoiled, MOVE, UUID(disc_id), 2)
    assert await wrong(spoiled, disc_id) == [sold]


@pytest.mark.parametrize("state", ["RELEASED", "DENIED"])
async def test_a_confirmed_order_whose_copies_are_not_held_disagrees(
    spoiled: SpoiledShop, disc_id: str, sold: str, state: str
) -> None:
    await in_catalog(spoiled, "UPDATE reservations SET state = $2 WHERE reservation_id = $1", UUID(sold), state)
    await in_catalog(spoiled, MOVE, UUID(disc_id), 2)
    assert await wrong(spoiled, disc_id) == [sold]


@pytest.mark.parametrize(("status", "reason"), [("CANCELLED", None), ("REJECTED", "OUT_OF_STOCK")])
async def test_an_ended_order_whose_copies_are_still_held_disagrees(
    spoiled: SpoiledShop, disc_id: str, sold: str, status: str, reason: str | None
) -> None:
    await in_orders(spoiled, "UPDATE orders SET status = $2, reason = $3 WHERE id = $1", UUID(sold), status, reason)
    assert await wrong(spoiled, disc_id) == [sold]


async def test_a_cancelled_order_that_a_late_reserve_could_still_take_copies_for_disagrees(
    spoiled: SpoiledShop, disc_id: str
) -> None:
    without_tombstone = new_id()
    await in_orders(spoiled, ORDER, UUID(disc_id), UUID(without_tombstone), "CANCELLED")
    assert await wrong(spoiled, disc_id) == [without_tombstone]


async def test_a_broken_balance_disagrees_though_every_order_is_right(
    spoiled: SpoiledShop, disc_id: str, sold: str
) -> None:
    await in_catalog(spoiled, MOVE, UUID(disc_id), 1)
    (audit,) = await spoiled.orders.audit(disc_id)
    assert (audit.opening, audit.left, audit.held, audit.sold) == (100, 95, 6, 6)
    assert (audit.verdict, list(audit.wrong_order_ids)) == (DISAGREES, [])


async def test_the_first_20_wrong_orders_are_named(spoiled: SpoiledShop, disc_id: str, customer_id: str) -> None:
    request = order_pb2.BatchCreateOrdersRequest(
        requests=[
            order_pb2.CreateOrderRequest(
                customer_id=customer_id,
                request_id=new_id(),
                lines=[order_pb2.OrderLineRequest(disc_id=disc_id, quantity=1)],
            )
            for _ in range(25)
        ]
    )
    results = (await spoiled.shop.order.BatchCreateOrders(request, timeout=CALL_TIMEOUT_S)).results
    ids = sorted(result.order.order_id for result in results)
    await spoiled.order_admin.execute(
        "UPDATE orders SET prices_cents = '{1}' WHERE id = ANY ($1::uuid[])", [UUID(order) for order in ids[1:]]
    )
    assert await wrong(spoiled, disc_id) == ids[1:21]


async def test_an_order_that_is_not_decided_leaves_its_disc_open(spoiled: SpoiledShop, disc_id: str, sold: str) -> None:
    await in_orders(spoiled, ORDER, UUID(disc_id), UUID(new_id()), "PENDING")
    (audit,) = await spoiled.orders.audit(disc_id)
    assert (audit.sold, audit.held, audit.open, audit.verdict) == (6, 6, 1, OPEN)
    assert list(audit.wrong_order_ids) == []


async def test_copies_held_for_an_order_that_is_not_decided_leave_its_disc_open(
    spoiled: SpoiledShop, disc_id: str, sold: str
) -> None:
    pending = UUID(new_id())
    await in_orders(spoiled, ORDER, UUID(disc_id), pending, "PENDING")
    await in_catalog(spoiled, HOLD, UUID(disc_id), pending, 1)
    await in_catalog(spoiled, MOVE, UUID(disc_id), -1)
    (audit,) = await spoiled.orders.audit(disc_id)
    assert (audit.sold, audit.held, audit.open, audit.verdict) == (6, 7, 1, OPEN)


async def test_an_order_on_its_way_to_be_cancelled_leaves_its_disc_open(
    spoiled: SpoiledShop, disc_id: str, sold: str
) -> None:
    await in_orders(spoiled, "UPDATE orders SET status = 'CANCELLING' WHERE id = $1", UUID(sold))
    (audit,) = await spoiled.orders.audit(disc_id)
    assert (audit.open, audit.verdict) == (1, OPEN)


async def test_what_is_final_and_wrong_disagrees_while_other_orders_are_open(
    spoiled: SpoiledShop, disc_id: str, sold: str
) -> None:
    await in_orders(spoiled, ORDER, UUID(disc_id), UUID(new_id()), "PENDING")
    await in_orders(spoiled, "UPDATE orders SET prices_cents = '{1}' WHERE id = $1", UUID(sold))
    (audit,) = await spoiled.orders.audit(disc_id)
    assert (audit.open, audit.verdict, list(audit.wrong_order_ids)) == (1, DISAGREES, [sold])


async def test_an_order_without_an_answer_is_settled_by_asking_again_and_then_agrees(
    spoiled: SpoiledShop, disc_id: str, customer_id: str
) -> None:
    # As a crash leaves it: taken in, and not decided.
    first = await spoiled.orders.create(customer_id, {disc_id: 2}, "crashed")
    await in_orders(
        spoiled,
        "UPDATE orders SET status = 'PENDING', names = NULL, artists = NULL, prices_cents = NULL, total_cents = 0 WHERE id = $1",
        UUID(first.id),
    )
    assert (await spoiled.orders.audit(disc_id))[0].verdict == OPEN
    settled = await spoiled.orders.create(customer_id, {disc_id: 2}, "crashed")
    assert (settled.id, settled.status, list(settled.lines)) == (first.id, first.status, list(first.lines))
    assert (await spoiled.orders.audit(disc_id))[0].verdict == AGREES


async def test_a_disc_that_is_unknown_is_not_found(spoiled: SpoiledShop, disc_id: str) -> None:
    unknown = new_id()
    refusal = await refusal_of(spoiled.orders.audit(disc_id, unknown))
    assert refusal.says(grpc.StatusCode.NOT_FOUND, "DISC_NOT_FOUND")
    assert unknown in refusal.metadata["disc_id"]


async def test_bad_ids_are_named(spoiled: SpoiledShop, disc_id: str) -> None:
    assert await bad_fields_of(spoiled.orders.audit("x", disc_id, "\0")) == {"disc_ids[0]", "disc_ids[2]"}
    assert await bad_fields_of(spoiled.orders.audit(*(new_id() for _ in range(101)))) == {"disc_ids"}


async def test_the_one_wrong_order_among_thousands_is_found(spoiled: SpoiledShop) -> None:
    disc_id = (await spoiled.shop.make_disc(stock=5_000)).id
    ids = sorted(UUID(new_id()) for _ in range(2_500))
    await spoiled.order_admin.execute(
        "INSERT INTO orders (id, customer_id, request_id, fingerprint, customer_name, masked_document,"
        " disc_ids, quantities, names, artists, prices_cents, total_cents, status)"
        " SELECT id, gen_random_uuid(), 'by-hand', decode(repeat('00', 16), 'hex'), 'Nobody', '',"
        " ARRAY[$1::uuid], '{1}', '{By hand}', '{Nobody}', '{100}', 100, 'CONFIRMED' FROM unnest($2::uuid[]) AS id",
        UUID(disc_id),
        ids,
    )
    await spoiled.catalog_admin.executemany(HOLD, [(UUID(disc_id), id_, 1) for id_ in ids])
    await in_catalog(spoiled, MOVE, UUID(disc_id), -2_500)
    (audit,) = await spoiled.orders.audit(disc_id)
    assert (audit.held, audit.sold, audit.left, audit.verdict) == (2_500, 2_500, 2_500, AGREES)
    await in_catalog(spoiled, "UPDATE reservations SET price_cents = 1 WHERE reservation_id = $1", ids[-1])
    assert await wrong(spoiled, disc_id) == [str(ids[-1])]
