"""Who may call which method of the customer service. A customer sees and edits their own record alone, whatever they ask for."""

from service_runtime.access import AccessTable
from service_runtime.roles import ADMIN, CUSTOMER, ORDER_SERVICE

CUSTOMERS: AccessTable = {
    "CreateCustomer": {CUSTOMER, ADMIN},
    "GetCustomer": {CUSTOMER, ADMIN},
    "BatchGetCustomers": {ORDER_SERVICE, ADMIN},
    "UpdateCustomer": {CUSTOMER, ADMIN},
    "ListCustomers": {ADMIN},
    "AnonymizeCustomer": {CUSTOMER, ADMIN},
}
