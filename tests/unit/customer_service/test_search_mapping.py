import base64
from typing import Any
from uuid import UUID

import pytest

from customer_service import search_mapping
from customer_service.model import CustomerPage, CustomerQuery, PageSizes
from recordshop.customer.v1.customer_pb2 import ListCustomersRequest
from service_runtime.errors import InvalidArgument

PAGE_SIZES = PageSizes(default=50, largest=100)
NEXT_ID = UUID("0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb")


def query(**values: Any) -> CustomerQuery:
    return search_mapping.query_from_proto(ListCustomersRequest(**values), PAGE_SIZES)


def token_after(**filters: Any) -> str:
    page = CustomerPage(customers=[], next_id=NEXT_ID)
    return search_mapping.page_to_proto(query(**filters), page).next_page_token


def bad_fields(refused: pytest.ExceptionInfo[InvalidArgument]) -> list[str]:
    return [violation.field for violation in refused.value.violations]


def test_a_query_without_filters_matches_everybody_from_the_first_possible_id_on() -> None:
    read = query()
    assert (read.filter.document, read.filter.email, read.filter.active) == (None, None, None)
    assert (read.first_id, read.size) == (UUID(int=0), 50)


@pytest.mark.parametrize(("asked", "size"), [(0, 50), (1, 1), (100, 100), (101, 100), (2_147_483_647, 100)])
def test_a_page_has_fifty_customers_unless_asked_and_a_hundred_at_most(asked: int, size: int) -> None:
    assert query(page_size=asked).size == size


def test_an_inactive_filter_is_not_the_same_as_none() -> None:
    assert query(active=False).filter.active is False
    assert query(active=True).filter.active is True


def test_all_bad_filters_are_named_at_once() -> None:
    with pytest.raises(InvalidArgument) as refused:
        query(document="1", email="e" * 255, page_size=-1, page_token="?")
    assert bad_fields(refused) == ["document", "email", "page_size", "page_token"]
    with pytest.raises(InvalidArgument) as refused:
        query(email="\0")
    assert bad_fields(refused) == ["email"]


def test_a_token_goes_on_where_the_page_before_ended() -> None:
    filters = {"document": "529.982.247-25", "email": "a@b", "active": False}
    assert query(**filters, page_token=token_after(**filters)).first_id == NEXT_ID


def test_a_token_takes_another_spelling_of_the_same_document() -> None:
    assert query(document="52998224725", page_token=token_after(document="529.982.247-25")).first_id == NEXT_ID


@pytest.mark.parametrize(
    "filters", [{}, {"active": True}, {"email": "a@b"}, {"active": False, "email": "a@b"}, {"document": "52998224725"}]
)
def test_a_token_is_bound_to_its_filters(filters: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgument) as refused:
        query(**filters, page_token=token_after(active=False))
    assert bad_fields(refused) == ["page_token"]


def test_a_token_does_not_show_whom_it_was_made_for() -> None:
    token = token_after(email="ana@example.com", document="52998224725")
    content = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
    assert str(NEXT_ID) in content
    assert "ana" not in content
    assert "52998224725" not in content
