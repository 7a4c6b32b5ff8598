"""Who may call which method of the order service. A customer sees and makes their own orders alone, whatever they ask for."""

from service_runtime.access import AccessTable
from service_runtime.roles import ADMIN, AUDITOR, CUSTOMER, CUSTOMER_SERVICE

ORDERS: AccessTable = {
    "CreateOrder": {CUSTOMER, ADMIN},
    "BatchCreateOrders": {CUSTOMER, ADMIN},
    "PlaceOrders": {CUSTOMER, ADMIN},
    "GetOrder": {CUSTOMER, ADMIN, AUDITOR},
    "WatchOrder": {CUSTOMER, ADMIN, AUDITOR},
    "ListOrders": {CUSTOMER, ADMIN, AUDITOR},
    "CancelOrder": {CUSTOMER, ADMIN},
    "AuditStock": {ADMIN, AUDITOR},
    # Nobody else: orders would lose a customer who goes on buying.
    "AnonymizeCustomer": {CUSTOMER_SERVICE},
}
