"""What callers can be."""

CUSTOMER = "customer"
CLERK = "clerk"
ADMIN = "admin"
AUDITOR = "auditor"
ROLES = frozenset({CUSTOMER, CLERK, ADMIN, AUDITOR})
# A service is what its certificate says.
SERVICE_PREFIX = "service:"
ORDER_SERVICE = SERVICE_PREFIX + "order"
CUSTOMER_SERVICE = SERVICE_PREFIX + "customer"
