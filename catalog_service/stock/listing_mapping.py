"""Pages of the ledgers: protos to keyset pages, and back."""

from collections.abc import Sequence
from uuid import UUID

from catalog_service.model import PageSizes
from catalog_service.stock.listing import START, BalancePage, EntryPage, LedgerEntry, MovementPage
from catalog_service.stock.mapping import STATES, line_to_proto, movement_to_proto
from catalog_service.stock.model import Balance, Movement, ReservationState
from recordshop.catalog.v1 import stock_pb2
from service_runtime import page_tokens
from service_runtime.timestamps import timestamp
from service_runtime.validation import reading_fields

STATES_BY_PROTO = {proto: state for state, proto in STATES.items()}
DISCS_MAX = 100


def entry_page(request: stock_pb2.ListReservationsRequest, sizes: PageSizes) -> EntryPage:
    """Reads which entries to list."""
    with reading_fields() as fields:
        disc_id = fields.optional_uuid("disc_id", request.disc_id)
        state = STATES_BY_PROTO.get(request.state)
        if request.state and state is None:
            fields.bad("state", "is not a state of reservations")
        limit = fields.page_size("page_size", request.page_size, default=sizes.default, largest=sizes.largest)
        key = page_tokens.decode(fields, request.page_token, _entry_filters(disc_id, state), (UUID, UUID))
    after = (key[0], key[1]) if key else (START, START)
    return EntryPage(disc_id=disc_id, state=state, after=after, limit=limit)


def _entry_filters(disc_id: UUID | None, state: ReservationState | None) -> object:
    return ("reservations", disc_id, state)


def entries_to_proto(page: EntryPage, entries: Sequence[LedgerEntry]) -> stock_pb2.ListReservationsResponse:
    """Answers a page, with the token of the next one if there is more."""
    fitting = entries[: page.limit]
    response = stock_pb2.ListReservationsResponse(entries=[_entry_to_proto(entry) for entry in fitting])
    if len(entries) > page.limit:
        last = fitting[-1]
        response.next_page_token = page_tokens.encode(
            _entry_filters(page.disc_id, page.state), [last.line.disc_id, last.reservation_id]
        )
    return response


def _entry_to_proto(entry: LedgerEntry) -> stock_pb2.LedgerEntry:
    return stock_pb2.LedgerEntry(
        reservation_id=str(entry.reservation_id),
        state=STATES[entry.state],
        line=line_to_proto(entry.line),
        create_time=timestamp(entry.create_time),
        update_time=timestamp(entry.update_time),
    )


def movement_page(request: stock_pb2.ListStockMovementsRequest, sizes: PageSizes) -> MovementPage:
    """Reads which movements to list."""
    with reading_fields() as fields:
        disc_id = fields.optional_uuid("disc_id", request.disc_id)
        limit = fields.page_size("page_size", request.page_size, default=sizes.default, largest=sizes.largest)
        key = page_tokens.decode(fields, request.page_token, ("movements", disc_id), (UUID, str))
    return MovementPage(disc_id=disc_id, after=(key[0], key[1]) if key else (START, ""), limit=limit)


def movements_to_proto(page: MovementPage, movements: Sequence[Movement]) -> stock_pb2.ListStockMovementsResponse:
    """Answers a page, with the token of the next one if there is more."""
    fitting = movements[: page.limit]
    response = stock_pb2.ListStockMovementsResponse(movements=[movement_to_proto(movement) for movement in fitting])
    if len(movements) > page.limit:
        last = fitting[-1]
        response.next_page_token = page_tokens.encode(("movements", page.disc_id), [last.disc_id, last.id])
    return response


def balance_page(request: stock_pb2.ListStockBalancesRequest, sizes: PageSizes) -> BalancePage:
    """Reads which balances to list."""
    with reading_fields() as fields:
        disc_ids = fields.uuids("disc_ids", request.disc_ids, count_min=0, count_max=DISCS_MAX)
        limit = fields.page_size("page_size", request.page_size, default=sizes.default, largest=sizes.largest)
        key = page_tokens.decode(fields, request.page_token, ("balances", sorted(disc_ids)), (UUID,))
    return BalancePage(disc_ids=sorted(disc_ids), after=key[0] if key else START, limit=limit)


def balances_to_proto(page: BalancePage, balances: Sequence[Balance]) -> stock_pb2.ListStockBalancesResponse:
    """Answers a page, with the token of the next one if there is more."""
    fitting = balances[: page.limit]
    response = stock_pb2.ListStockBalancesResponse(balances=[_balance_to_proto(balance) for balance in fitting])
    if len(balances) > page.limit:
        response.next_page_token = page_tokens.encode(("balances", page.disc_ids), [fitting[-1].disc_id])
    return response


def _balance_to_proto(balance: Balance) -> stock_pb2.StockBalance:
    return stock_pb2.StockBalance(
        disc_id=str(balance.disc_id),
        opening=balance.opening,
        moved=balance.moved,
        left=balance.left,
        held=balance.held,
    )
