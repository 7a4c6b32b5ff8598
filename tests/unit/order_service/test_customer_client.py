"""Customers whom the order service knows: it never acts on one without having asked who was edited since."""

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID, uuid4

import grpc
import pytest

from order_service import known_customers
from order_service.customer_client import CustomerClient
from order_service.errors import CustomerNotFound, CustomersUnavailable
from order_service.model import Customer
from recordshop.customer.v1 import customer_pb2

Request = customer_pb2.BatchGetCustomersRequest
Response = customer_pb2.BatchGetCustomersResponse
ANA, EVA, IDA = (uuid4() for _ in range(3))


def person(customer_id: UUID, name: str = "Ana", *, active: bool = True) -> customer_pb2.Customer:
    return customer_pb2.Customer(id=str(customer_id), name=name, masked_document="***.982.247-**", active=active)


def kept(name: str = "Ana", *, active: bool = True) -> Customer:
    return Customer(name, "***.982.247-**", active)


class FakeCustomers:
    """The customer service at the wire: answers one prepared response after the other, and notes what it was asked."""

    def __init__(self, *responses: Response | Callable[[], Any]) -> None:
        self.asked: list[Request] = []
        self._responses: Iterator[Any] = iter(responses)

    def unary_unary(self, method: str, *_: Any, **__: Any) -> Any:
        if not method.endswith("/BatchGetCustomers"):
            return None

        async def call(request: Request, timeout: float) -> Response:  # noqa: ASYNC109 - grpc's own way.
            self.asked.append(request)
            response = next(self._responses)
            return response if isinstance(response, Response) else await response()

        return call

    unary_stream = stream_unary = stream_stream = unary_unary

    def client(self) -> CustomerClient:
        return CustomerClient(channel=self, timeout_s=1.0)  # type: ignore[arg-type]

    def asked_ids(self) -> list[list[str]]:
        return [list(request.ids) for request in self.asked]


def first_answer(*people: customer_pb2.Customer, token: str = "t1") -> Response:
    return Response(customers=people, next_sync_token=token, sync_lost=True)


async def test_who_is_known_is_not_asked_for_again_but_whoever_was_edited_is_as_they_are_now() -> None:
    fake = FakeCustomers(
        first_answer(person(ANA), person(EVA, "Eva")),
        Response(edited_customers=[person(ANA, "Ana Lima", active=False)], next_sync_token="t2"),
        Response(next_sync_token="t3"),
    )
    client = fake.client()
    assert await client.get([ANA, EVA, ANA]) == [kept(), kept("Eva"), kept()]
    assert await client.get([ANA, EVA]) == [kept("Ana Lima", active=False), kept("Eva")]
    assert await client.get([ANA]) == [kept("Ana Lima", active=False)]
    assert fake.asked_ids() == [[str(ANA), str(EVA)], [], []]
    assert [request.sync_token for request in fake.asked] == ["", "t1", "t2"]
    assert all(request.HasField("sync_token") for request in fake.asked)


async def test_who_is_unknown_is_asked_for_each_time() -> None:
    fake = FakeCustomers(first_answer(), Response(customers=[person(ANA)], next_sync_token="t2"))
    client = fake.client()
    assert [type(answer) for answer in await client.get([ANA])] == [CustomerNotFound]
    assert await client.get([ANA]) == [kept()]
    assert fake.asked_ids() == [[str(ANA)], [str(ANA)]]


async def test_when_the_service_cannot_tell_who_was_edited_everybody_is_asked_for_again() -> None:
    lost = Response(next_sync_token="t2", sync_lost=True)
    fake = FakeCustomers(first_answer(person(ANA)), lost, first_answer(person(ANA, active=False), token="t3"))
    client = fake.client()
    await client.get([ANA])
    assert await client.get([ANA]) == [kept(active=False)]
    assert fake.asked_ids() == [[str(ANA)], [], [str(ANA)]]
    assert [request.sync_token for request in fake.asked] == ["", "t1", ""]


async def test_without_an_answer_nobody_is_known() -> None:
    async def unavailable() -> Response:
        raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())

    fake = FakeCustomers(first_answer(person(ANA)), unavailable)
    client = fake.client()
    await client.get([ANA])
    assert [type(answer) for answer in await client.get([ANA])] == [CustomersUnavailable]


async def test_an_answer_that_another_has_overtaken_changes_nothing_that_is_kept() -> None:
    client: CustomerClient

    async def overtaken() -> Response:
        # While this one is under way a later question is answered, which knows of an edit that this one had not seen.
        assert await client.get([ANA]) == [kept(active=False)]
        return Response(customers=[person(IDA, "Ida")], next_sync_token="t2")

    fake = FakeCustomers(
        first_answer(person(ANA)),
        overtaken,
        Response(edited_customers=[person(ANA, active=False)], next_sync_token="t3"),
        Response(customers=[person(IDA, "Ida", active=False)], next_sync_token="t4"),
    )
    client = fake.client()
    await client.get([ANA])
    assert await client.get([ANA, IDA]) == [kept(), kept("Ida")]
    assert await client.get([ANA, IDA]) == [kept(active=False), kept("Ida", active=False)]
    assert [request.sync_token for request in fake.asked] == ["", "t1", "t1", "t3"]
    assert fake.asked_ids()[-1] == [str(IDA)]


async def test_no_more_than_a_limit_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_customers, "CUSTOMERS_KEPT_MAX", 2)
    people = [person(customer_id) for customer_id in (ANA, EVA, IDA)]
    fake = FakeCustomers(first_answer(*people), Response(customers=[person(ANA)], next_sync_token="t2"))
    client = fake.client()
    for _ in range(2):
        assert await client.get([ANA, EVA, IDA]) == [kept()] * 3
    assert fake.asked_ids()[-1] == [str(ANA)]
