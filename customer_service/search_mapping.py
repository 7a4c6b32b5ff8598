"""Lists of customers: protos to queries, and back."""

from uuid import UUID

from customer_service.mapping import EMAIL_LENGTH_MAX, customer_to_proto, read_document
from customer_service.model import CustomerFilter, CustomerPage, CustomerQuery, PageSizes
from recordshop.customer.v1 import customer_pb2
from service_runtime import page_tokens
from service_runtime.uuids import NO_UUID
from service_runtime.validation import reading_fields


def query_from_proto(request: customer_pb2.ListCustomersRequest, page_sizes: PageSizes) -> CustomerQuery:
    """Reads which customers to list."""
    with reading_fields() as fields:
        wanted = CustomerFilter(
            document=read_document(fields, "document", request.document) if request.document else None,
            email=fields.optional_text("email", request.email, length_max=EMAIL_LENGTH_MAX) or None,
            active=request.active if request.HasField("active") else None,
        )
        size = fields.page_size("page_size", request.page_size, default=page_sizes.default, largest=page_sizes.largest)
        key = page_tokens.decode(fields, request.page_token, wanted, (UUID,))
        return CustomerQuery(filter=wanted, first_id=key[0] if key else NO_UUID, size=size)


def page_to_proto(query: CustomerQuery, page: CustomerPage) -> customer_pb2.ListCustomersResponse:
    """Answers a page, with the token of the next one if there is one."""
    return customer_pb2.ListCustomersResponse(
        customers=map(customer_to_proto, page.customers),
        next_page_token="" if page.next_id is None else page_tokens.encode(query.filter, [page.next_id]),
    )
