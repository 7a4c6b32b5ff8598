"""Customers see, make and change what is theirs alone, and are told nothing of what is others'."""

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import grpc
import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from local_shop.certs import JWKS_FILE, TOKEN_KEY_FILE, make_certs
from recordshop.catalog.v1 import catalog_pb2
from recordshop.channels import open_channel
from recordshop.client import RecordShop
from recordshop.customer.v1 import customer_pb2
from recordshop.error_details import error_from_rpc
from recordshop.errors import CustomerNotFound, OrderNotFound, PermissionDenied
from recordshop.order.v1 import order_pb2
from tests.faults.waiting import eventually
from tests.integration.security.callers import CALL_TIMEOUT_S, person, shop_of
from tests.integration.security.conftest import LockedShop, OpenLockedShop

NOT_PERMITTED = "NOT_PERMITTED"


@dataclass(frozen=True)
class Scene:
    """A disc, and an order of Ada's for it; Bob is another customer."""

    admin: RecordShop
    ada: RecordShop
    bob: RecordShop
    ada_id: str
    bob_id: str
    disc_id: str
    order: order_pb2.Order


@pytest.fixture
async def scene(locked: LockedShop) -> AsyncIterator[Scene]:
    """Ada and Bob have added themselves, and Ada has bought two copies."""
    ada_id, bob_id = str(uuid4()), str(uuid4())
    async with (
        shop_of(locked, "admin", "root") as admin,
        shop_of(locked, "customer", ada_id) as ada,
        shop_of(locked, "customer", bob_id) as bob,
    ):
        assert (await ada.create_customer(person("Ada"), customer_id=ada_id)).id == ada_id
        # Whoever names no id gets their own.
        request = customer_pb2.CreateCustomerRequest(customer=person("Bob"))
        assert (await bob.customers.CreateCustomer(request, timeout=CALL_TIMEOUT_S)).id == bob_id
        described = {"name": f"Disc {uuid4()}", "artist": "The Testers", "year_of_release": 1999, "genre": "Rock"}
        disc = await admin.create_disc(catalog_pb2.Disc(price_cents=2_500, **described), opening_stock=10)
        order = await ada.create_order(ada_id, {disc.id: 2})
        assert order.status == order_pb2.ORDER_STATUS_CONFIRMED
        yield Scene(admin, ada, bob, ada_id, bob_id, disc.id, order)


def reason_of(error: grpc.aio.AioRpcError) -> str:
    return error_from_rpc(error).reason


async def sold(scene: Scene) -> int:
    request = order_pb2.AuditStockRequest(disc_ids=[scene.disc_id])
    (audit,) = [found async for found in scene.admin.orders.AuditStock(request, timeout=CALL_TIMEOUT_S)]
    assert audit.verdict == order_pb2.AUDIT_VERDICT_AGREES
    return audit.sold


async def test_others_orders_are_not_there(scene: Scene) -> None:
    assert (await scene.ada.get_order(scene.order.id)).id == scene.order.id
    assert (await scene.admin.get_order(scene.order.id)).id == scene.order.id
    with pytest.raises(OrderNotFound) as others:
        await scene.bob.get_order(scene.order.id)
    unknown_id = str(uuid4())
    with pytest.raises(OrderNotFound) as unknown:
        await scene.bob.get_order(unknown_id)
    # Nothing tells the one from the other.
    assert (others.value.message, set(others.value.metadata)) == (unknown.value.message, set(unknown.value.metadata))


async def test_others_orders_cannot_be_watched(scene: Scene) -> None:
    request = order_pb2.WatchOrderRequest(id=scene.order.id)
    seen = [order.id async for order in scene.ada.orders.WatchOrder(request, timeout=CALL_TIMEOUT_S)]
    assert seen == [scene.order.id]
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        async for _ in scene.bob.orders.WatchOrder(request, timeout=CALL_TIMEOUT_S):
            pass
    assert reason_of(refused.value) == "ORDER_NOT_FOUND"


async def test_lists_hold_ones_own_orders_whoever_is_asked_for(scene: Scene) -> None:
    of_ada = order_pb2.ListOrdersRequest(customer_id=scene.ada_id)
    assert [order.id async for order in scene.ada.list_orders()] == [scene.order.id]
    assert [order.id async for order in scene.ada.list_orders(of_ada)] == [scene.order.id]
    assert [order.id async for order in scene.admin.list_orders(of_ada)] == [scene.order.id]
    assert [order.id async for order in scene.bob.list_orders()] == []
    assert [order.id async for order in scene.bob.list_orders(of_ada)] == []
    # Whoever asks for another's hears nothing, and not their own instead.
    of_bob = order_pb2.ListOrdersRequest(customer_id=scene.bob_id)
    assert [order.id async for order in scene.ada.list_orders(of_bob)] == []


@pytest.mark.parametrize("part", [None, 1])
async def test_others_orders_cannot_be_cancelled_or_returned(scene: Scene, part: int | None) -> None:
    lines = None if part is None else {scene.disc_id: part}
    with pytest.raises(OrderNotFound):
        await scene.bob.cancel_order(scene.order.id, lines)
    assert (await scene.ada.get_order(scene.order.id)).status == order_pb2.ORDER_STATUS_CONFIRMED
    assert await sold(scene) == 2
    await scene.ada.cancel_order(scene.order.id, lines)
    assert await sold(scene) == 2 - (part or 2)


async def test_nobody_buys_in_anothers_name_by_any_way(scene: Scene) -> None:
    with pytest.raises(PermissionDenied):
        await scene.bob.create_order(scene.ada_id, {scene.disc_id: 1})
    lines = [order_pb2.OrderLineRequest(disc_id=scene.disc_id, quantity=1)]
    entries = [
        order_pb2.CreateOrderRequest(customer_id=customer_id, request_id=str(uuid4()), lines=lines)
        for customer_id in (scene.ada_id, scene.bob_id)
    ]
    batch = order_pb2.BatchCreateOrdersRequest(requests=entries)
    answer = await scene.bob.orders.BatchCreateOrders(batch, timeout=CALL_TIMEOUT_S)
    assert [result.error.reason for result in answer.results] == [NOT_PERMITTED, ""]
    for entry in entries:
        entry.request_id = str(uuid4())
    messages = iter([order_pb2.PlaceOrdersRequest(requests=entries)])
    async for placed in scene.bob.orders.PlaceOrders(messages, timeout=CALL_TIMEOUT_S):
        assert [order.result.error.reason for order in placed.results] == [NOT_PERMITTED, ""]
    assert [order.customer_id async for order in scene.bob.list_orders()] == [scene.bob_id] * 2
    assert await sold(scene) == 2 + 2


async def test_others_records_are_not_there_and_cannot_be_made_or_edited(scene: Scene) -> None:
    asked = customer_pb2.GetCustomerRequest(id=scene.ada_id)
    assert (await scene.ada.customers.GetCustomer(asked, timeout=CALL_TIMEOUT_S)).name == "Ada"
    edit = customer_pb2.UpdateCustomerRequest(
        customer=customer_pb2.Customer(id=scene.ada_id, phone="+55 11 90000-0000"),
        update_mask=FieldMask(paths=["phone"]),
    )
    bob = scene.bob.customers
    for method, request in ((bob.GetCustomer, asked), (bob.UpdateCustomer, edit)):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await method(request, timeout=CALL_TIMEOUT_S)
        assert isinstance(error_from_rpc(refused.value), CustomerNotFound)
    with pytest.raises(PermissionDenied):
        await scene.bob.create_customer(person("Eve"), customer_id=str(uuid4()))
    assert (await scene.ada.customers.GetCustomer(asked, timeout=CALL_TIMEOUT_S)).phone != "+55 11 90000-0000"
    assert (await scene.ada.customers.UpdateCustomer(edit, timeout=CALL_TIMEOUT_S)).phone == "+55 11 90000-0000"


async def test_customers_cannot_make_themselves_active_again(scene: Scene) -> None:
    def edit(*, active: bool) -> customer_pb2.UpdateCustomerRequest:
        return customer_pb2.UpdateCustomerRequest(
            customer=customer_pb2.Customer(id=scene.ada_id, active=active), update_mask=FieldMask(paths=["active"])
        )

    assert not (await scene.admin.customers.UpdateCustomer(edit(active=False), timeout=CALL_TIMEOUT_S)).active
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await scene.ada.customers.UpdateCustomer(edit(active=True), timeout=CALL_TIMEOUT_S)
    assert reason_of(refused.value) == NOT_PERMITTED


async def test_nobody_is_anonymized_but_by_themselves_or_an_admin(scene: Scene) -> None:
    ada = customer_pb2.AnonymizeCustomerRequest(id=scene.ada_id)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await scene.bob.customers.AnonymizeCustomer(ada, timeout=CALL_TIMEOUT_S)
    assert isinstance(error_from_rpc(refused.value), CustomerNotFound)
    asked = customer_pb2.GetCustomerRequest(id=scene.ada_id)
    assert (await scene.ada.customers.GetCustomer(asked, timeout=CALL_TIMEOUT_S)).name == "Ada"
    gone = await scene.ada.customers.AnonymizeCustomer(ada, timeout=CALL_TIMEOUT_S)
    assert (gone.name, gone.document, gone.active) == ("", "", False)
    assert (await scene.ada.get_order(scene.order.id)).customer == order_pb2.CustomerSnapshot()
    assert await scene.admin.customers.AnonymizeCustomer(ada, timeout=CALL_TIMEOUT_S) == gone


async def test_keys_are_replaced_while_running_and_old_tokens_end_with_theirs(
    open_locked_shop: OpenLockedShop,
) -> None:
    shop = open_locked_shop()
    old_key = (shop.certs / TOKEN_KEY_FILE).read_bytes()
    old_keys = json.loads((shop.certs / JWKS_FILE).read_text())["keys"]
    asked = order_pb2.ListOrdersRequest()

    async with shop_of(shop, "admin", "root") as before:
        await before.orders.ListOrders(asked, timeout=CALL_TIMEOUT_S)
        (shop.certs / TOKEN_KEY_FILE).unlink()
        make_certs(shop.certs)
        assert (shop.certs / TOKEN_KEY_FILE).read_bytes() != old_key
        new_keys = json.loads((shop.certs / JWKS_FILE).read_text())["keys"]
        assert new_keys != old_keys

        async def reason() -> str:
            try:
                await before.orders.ListOrders(asked, timeout=CALL_TIMEOUT_S)
            except grpc.aio.AioRpcError as error:
                return error_from_rpc(error).reason
            return ""

        # A token that was verified before, and is remembered, too.
        assert await eventually(reason, bool) == "TOKEN_INVALID"
        async with shop_of(shop, "admin", "root") as after:
            await after.orders.ListOrders(asked, timeout=CALL_TIMEOUT_S)
        # What is no keys at all is passed over.
        (shop.certs / JWKS_FILE).write_text("{}")
        async with shop_of(shop, "admin", "root") as after:
            for _ in range(3):
                await after.orders.ListOrders(asked, timeout=CALL_TIMEOUT_S)


def test_a_token_is_not_sent_in_the_clear() -> None:
    with pytest.raises(ValueError, match="TLS"):
        open_channel("127.0.0.1:1", token="secret")
