"""CustomerService at the wire."""

from typing import Any

import grpc

from customer_service import mapping, search_mapping
from customer_service.anonymization import Anonymization
from customer_service.edits import CustomerEdits
from customer_service.model import PageSizes
from customer_service.registration import CustomerRegistration
from customer_service.repository import CustomerRepository
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from service_runtime.callers import is_service, owner

Context = grpc.aio.ServicerContext[Any, Any]


class CustomerServicer(customer_pb2_grpc.CustomerServiceServicer):
    """Decodes, does, encodes; what is promised stands in the proto."""

    def __init__(
        self,
        *,
        registration: CustomerRegistration,
        customers: CustomerRepository,
        anonymization: Anonymization,
        edits: CustomerEdits,
        page_sizes: PageSizes,
        batch_size_max: int,
    ) -> None:
        self._registration = registration
        self._customers = customers
        self._anonymization = anonymization
        self._edits = edits
        self._page_sizes = page_sizes
        self._batch_size_max = batch_size_max

    async def CreateCustomer(
        self, request: customer_pb2.CreateCustomerRequest, context: Context
    ) -> customer_pb2.Customer:
        draft = mapping.draft_from_proto(request, owner())
        customer = await self._registration.create(draft)
        return mapping.customer_to_proto(customer)

    async def GetCustomer(self, request: customer_pb2.GetCustomerRequest, context: Context) -> customer_pb2.Customer:
        customer_id = mapping.id_from_proto(request)
        customer = await self._customers.get(customer_id, owner())
        return mapping.customer_to_proto(customer)

    async def BatchGetCustomers(
        self, request: customer_pb2.BatchGetCustomersRequest, context: Context
    ) -> customer_pb2.BatchGetCustomersResponse:
        batch, fields = mapping.batch_from_proto(request, count_max=self._batch_size_max, for_service=is_service())
        answer = await self._edits.read(batch)
        return mapping.batch_to_proto(answer, fields)

    async def UpdateCustomer(
        self, request: customer_pb2.UpdateCustomerRequest, context: Context
    ) -> customer_pb2.Customer:
        edit = mapping.edit_from_proto(request, owner())
        customer = await self._customers.edit(edit, owner())
        return mapping.customer_to_proto(customer)

    async def ListCustomers(
        self, request: customer_pb2.ListCustomersRequest, context: Context
    ) -> customer_pb2.ListCustomersResponse:
        query = search_mapping.query_from_proto(request, self._page_sizes)
        page = await self._customers.search(query)
        return search_mapping.page_to_proto(query, page)

    async def AnonymizeCustomer(
        self, request: customer_pb2.AnonymizeCustomerRequest, context: Context
    ) -> customer_pb2.Customer:
        customer_id = mapping.id_from_proto(request)
        customer = await self._anonymization.anonymize(customer_id, owner())
        return mapping.customer_to_proto(customer)
