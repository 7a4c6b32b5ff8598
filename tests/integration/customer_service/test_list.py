from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import grpc
import pytest

from recordshop.customer.v1.customer_pb2 import Customer, ListCustomersRequest
from tests.integration.customer_service.people import created, new_document, update
from tests.integration.refusals import refusal_of


@pytest.fixture(scope="session")
async def family(customers: Any) -> Sequence[Customer]:
    """Seven customers with one address, the last two of them inactive, in the order of their ids."""
    address = f"Família.Souza.{uuid4().hex}@Example.com"
    family = [await created(customers, email=address) for _ in range(7)]
    for index in (5, 6):
        family[index] = await customers.UpdateCustomer(update(family[index].id, "active", active=False))
    return sorted(family, key=lambda customer: customer.id)


async def walk(customers: Any, **filters: Any) -> list[list[Customer]]:
    """All pages of a list."""
    request, pages = ListCustomersRequest(**filters), []
    while not pages or request.page_token:
        answer = await customers.ListCustomers(request)
        pages.append(list(answer.customers))
        request.page_token = answer.next_page_token
    return pages


async def test_a_document_finds_its_customer_in_any_spelling(customers: Any, family: Sequence[Customer]) -> None:
    document = family[0].document
    for spelling in (document, f"{document[:3]}.{document[3:6]}.{document[6:9]}-{document[9:]}"):
        assert await walk(customers, document=spelling) == [[family[0]]]
    assert await walk(customers, document=new_document()) == [[]]


async def test_an_address_finds_its_customers_without_regard_to_case(
    customers: Any, family: Sequence[Customer]
) -> None:
    for spelling in (family[0].email, family[0].email.upper(), family[0].email.lower()):
        assert await walk(customers, email=spelling) == [list(family)]


async def test_wildcards_in_an_address_stand_for_themselves(customers: Any, family: Sequence[Customer]) -> None:
    for pattern in ("%", "%@example.com", family[0].email.replace(".", "_")):
        assert await walk(customers, email=pattern) == [[]]


async def test_filters_are_all_to_match(customers: Any, family: Sequence[Customer]) -> None:
    inactive = [customer for customer in family if not customer.active]
    active = [customer for customer in family if customer.active]
    assert (len(active), len(inactive)) == (5, 2)
    address = family[0].email
    assert await walk(customers, email=address, active=True) == [active]
    assert await walk(customers, email=address, active=False) == [inactive]
    assert await walk(customers, document=active[0].document, email=address, active=True) == [[active[0]]]
    assert await walk(customers, document=active[0].document, active=False) == [[]]
    assert await walk(customers, document=active[0].document, email="somebody@example.com") == [[]]


async def test_a_walk_lists_each_customer_exactly_once_in_the_order_of_ids(
    customers: Any, family: Sequence[Customer]
) -> None:
    everybody = [customer for page in await walk(customers, page_size=3) for customer in page]
    ids = [customer.id for customer in everybody]
    assert ids == sorted(set(ids))
    assert all(customer in everybody for customer in family)


async def test_a_walk_by_activity_lists_each_customer_exactly_once(customers: Any, family: Sequence[Customer]) -> None:
    for active in (True, False):
        listed = [customer for page in await walk(customers, active=active, page_size=2) for customer in page]
        assert {customer.active for customer in listed} == {active}
        assert [customer.id for customer in listed] == sorted({customer.id for customer in listed})
        assert all(customer in listed for customer in family if customer.active == active)


@pytest.mark.parametrize(("size", "pages"), [(1, 7), (3, 3), (6, 2), (7, 1), (8, 1), (1_000, 1), (0, 1)])
async def test_pages_are_full_and_the_last_one_has_no_token(
    customers: Any, family: Sequence[Customer], size: int, pages: int
) -> None:
    walked = await walk(customers, email=family[0].email, page_size=size)
    assert len(walked) == pages
    assert [customer for page in walked for customer in page] == list(family)
    assert all(len(page) == size for page in walked[:-1])


async def test_a_walk_goes_on_past_customers_who_come_and_change_meanwhile(
    customers: Any, family: Sequence[Customer]
) -> None:
    address = f"{uuid4().hex}@example.com"
    members = sorted([(await created(customers, email=address)).id for _ in range(6)])
    first = await customers.ListCustomers(ListCustomersRequest(email=address, page_size=2))
    await customers.UpdateCustomer(update(members[2], "email", email=f"{uuid4().hex}@example.com"))
    await created(customers, email=address)
    request = ListCustomersRequest(email=address, page_size=100, page_token=first.next_page_token)
    rest = await customers.ListCustomers(request)
    listed = [customer.id for customer in (*first.customers, *rest.customers)]
    assert listed == sorted(set(listed))
    assert {*members} - {members[2]} <= {*listed}
    assert members[2] not in listed


async def test_a_page_has_a_hundred_customers_at_most_and_fifty_unless_asked(customers: Any) -> None:
    address = f"{uuid4().hex}@example.com"
    for _ in range(101):
        await created(customers, email=address)
    assert [len(page) for page in await walk(customers, email=address, page_size=2_147_483_647)] == [100, 1]
    assert [len(page) for page in await walk(customers, email=address)] == [50, 50, 1]


async def test_a_token_is_bound_to_the_filters_that_it_was_made_with(
    customers: Any, family: Sequence[Customer]
) -> None:
    answer = await customers.ListCustomers(ListCustomersRequest(email=family[0].email, page_size=1))
    foreign = [
        {"email": family[0].email, "active": True},
        {"email": "somebody@example.com"},
        {"active": False},
        {"document": family[0].document, "email": family[0].email},
        {},
    ]
    for filters in foreign:
        request = ListCustomersRequest(**filters, page_token=answer.next_page_token)
        refused = await refusal_of(customers.ListCustomers(request))
        assert (refused.code, [*refused.bad_fields]) == (grpc.StatusCode.INVALID_ARGUMENT, ["page_token"])


async def test_a_page_size_may_change_from_page_to_page(customers: Any, family: Sequence[Customer]) -> None:
    request = ListCustomersRequest(email=family[0].email, page_size=2)
    request.page_token = (await customers.ListCustomers(request)).next_page_token
    request.page_size = 5
    answer = await customers.ListCustomers(request)
    assert list(answer.customers) == list(family[2:])
    assert not answer.next_page_token


async def test_all_bad_filters_are_named_at_once(customers: Any) -> None:
    request = ListCustomersRequest(document="52998224726", email="\0", page_size=-1, page_token="token")
    refused = await refusal_of(customers.ListCustomers(request))
    assert (refused.code, refused.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_ARGUMENT")
    assert [*refused.bad_fields] == ["document", "email", "page_size", "page_token"]
