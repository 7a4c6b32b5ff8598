"""Who may call which method of the order service. A customer sees and makes their own orders alone, whatever they ask for."""

from service_runtime.access import AccessTable
from service_runtime.roles import ADMIN, AUDITOR, CUSTOMER

ORDERS: AccessTable = {
    "CreateOrder": {CUSTOMER, ADMIN},
    "BatchCreateOrders": {CUSTOMER, ADMIN},
    "PlaceOrders": {CUSTOMER, ADMIN},
    "GetOrder": {CUSTOMER, ADMIN, AUDITOR},
    "WatchOrder": {CUSTOMER, ADMIN, AUDITOR},
    "ListOrders": {CUSTOMER, ADMIN, AUDITOR},
    "CancelOrder": {CUSTOMER, ADMIN},
    "AuditStock": {ADMIN, AUDITOR},
}
