"""How copies of an order come back: recorded first, then given to the catalog, so that no crash in between can lose or double them."""

from order_service.errors import (
    OrderNotCancellable,
    OrderNotDecided,
    OrderReturning,
    RequestIdReused,
    ReturnExceedsSale,
)
from order_service.model import Order, OrderStatus
from order_service.repository import OrderRepository
from order_service.return_model import (
    CancelRequest,
    OrderReturn,
    ReturnState,
    returned_quantity,
    sold_quantity,
)
from order_service.return_processing import ReturnProcessing
from order_service.returns import ReturnRepository
from service_runtime import failpoints
from service_runtime.deadline import Deadline
from service_runtime.errors import NotAccepted
from service_runtime.quantities import Lines

# Returns of one order take turns: so many others may come first.
ROUNDS_MAX = 50


class OrderReturns:
    """Takes copies of orders back, one return of an order after the other."""

    def __init__(self, *, returns: ReturnRepository, orders: OrderRepository, processing: ReturnProcessing) -> None:
        self._returns = returns
        self._orders = orders
        self._processing = processing

    async def take_back(self, request: CancelRequest, deadline: Deadline) -> Order:
        """Answers the order as it is when its copies are back. Raises OrderReturning if that is under way, or a refusal."""
        begun = False
        try:
            for _ in range(ROUNDS_MAX):
                order, known = await self.look_up(request)
                begun = known is not None
                if known is not None and known.state is ReturnState.REFUSED:
                    raise ReturnExceedsSale(_figures(order, known.lines))
                if known is not None and known.state is ReturnState.APPLIED:
                    return await self._processing.finish(await self._require(request), deadline)
                if known is None and order.open_return_id is None:
                    returning = _fitting(request, order)
                    begun = True
                    if await self._returns.begin(returning, order):
                        await failpoints.reach("order.return_recorded")
                        order = order._replace(open_return_id=returning.id)
                # Perhaps another's, which was under way: then it is this one's turn in the next round.
                await self._processing.settle(order, deadline)
        except NotAccepted as error:
            if begun:
                raise OrderReturning({"order_id": str(request.order_id)}) from error
            raise
        raise NotAccepted

    async def look_up(self, request: CancelRequest) -> tuple[Order, OrderReturn | None]:
        """Reads the order, and then the return that has the request's id: without one, the order is not what it has made of it.

        Raises OrderNotFound, or RequestIdReused if the id stands for something else.
        """
        order = await self._require(request)
        known = await self._returns.find(request.return_id)
        is_other_return = known is not None and known.fingerprint != request.fingerprint
        is_plain_cancel = known is None and order.cancel_request_id == request.request_id and not request.is_plain
        if is_other_return or is_plain_cancel:
            raise RequestIdReused({"order_id": str(order.id)})
        return order, known

    async def _require(self, request: CancelRequest) -> Order:
        return await self._orders.require_durable(request.order_id, request.owner)


def _fitting(request: CancelRequest, order: Order) -> OrderReturn:
    """The return that is asked for, if the order has the copies. A refusal stays right without a record: an order gets no more copies."""
    if order.status is OrderStatus.PENDING:
        raise OrderNotDecided({"order_id": str(order.id)})
    asked = request.lines if request.lines.ids else _all_left(order)
    if order.status is not OrderStatus.CONFIRMED:
        raise OrderNotCancellable({**_figures(order, asked), "status": order.status})
    left = dict(zip(*_all_left(order), strict=True))
    if any(quantity > left.get(disc_id, 0) for disc_id, quantity in zip(*asked, strict=True)):
        raise ReturnExceedsSale(_figures(order, asked))
    return OrderReturn(request.return_id, order.id, request.request_id, request.fingerprint, asked, request.disposition)


def _all_left(order: Order) -> Lines:
    left = [(line.disc_id, line.quantity - (line.returned or 0)) for line in order.lines]
    some = [(disc_id, quantity) for disc_id, quantity in left if quantity > 0]
    return Lines(tuple(disc_id for disc_id, _ in some), tuple(quantity for _, quantity in some))


def _figures(order: Order, asked: Lines) -> dict[str, str]:
    sold = {line.disc_id: sold_quantity(line) for line in order.lines}
    returned = {line.disc_id: returned_quantity(order, line) for line in order.lines}
    return {
        "order_id": str(order.id),
        "disc_id": ",".join(map(str, asked.ids)),
        "asked": ",".join(map(str, asked.quantities)),
        "sold": ",".join(str(sold.get(disc_id, 0)) for disc_id in asked.ids),
        "returned": ",".join(str(returned.get(disc_id, 0)) for disc_id in asked.ids),
    }
