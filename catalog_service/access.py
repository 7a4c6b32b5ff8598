"""Who may call which method of the catalog. Copies are held and given back for orders, by the order service alone."""

from service_runtime.access import AccessTable
from service_runtime.roles import ADMIN, AUDITOR, CLERK, CUSTOMER, ORDER_SERVICE

EVERYBODY = frozenset({CUSTOMER, CLERK, ADMIN, AUDITOR})
STAFF = frozenset({CLERK, ADMIN, AUDITOR})
KEEPERS = frozenset({CLERK, ADMIN})

DISCS: AccessTable = {
    "CreateDisc": KEEPERS,
    "GetDisc": EVERYBODY,
    "BatchGetDiscs": EVERYBODY,
    "ListDiscs": EVERYBODY,
    "UpdateDisc": KEEPERS,
    "DeleteDisc": KEEPERS,
}
STOCK: AccessTable = {
    "ReserveStock": {ORDER_SERVICE},
    "BatchReserveStock": {ORDER_SERVICE},
    "DenySoldOut": {ORDER_SERVICE},
    "ReleaseStock": {ORDER_SERVICE},
    "ReturnStock": {ORDER_SERVICE},
    "GetReservation": {ORDER_SERVICE, *STAFF},
    "ListReservations": {ORDER_SERVICE, *STAFF},
    "AdjustStock": KEEPERS,
    "ListStockMovements": STAFF,
    "ListStockBalances": {ORDER_SERVICE, *STAFF},
    "WatchStock": EVERYBODY,
}
