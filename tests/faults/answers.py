"""What a call answered, success or refusal, as a value."""

from collections.abc import Awaitable

from recordshop.errors import ShopError
from recordshop.order.v1 import order_pb2

Answer = order_pb2.Order | ShopError


async def answer_of(call: Awaitable[order_pb2.Order]) -> Answer:
    """Awaits a call, and answers its ShopError as a value too."""
    try:
        return await call
    except ShopError as error:
        return error


def status_of(order: order_pb2.Order) -> str:
    """How far an order has come: PENDING, CONFIRMED and so on."""
    return order_pb2.OrderStatus.Name(order.status).removeprefix("ORDER_STATUS_")


def told(answer: Answer) -> tuple[str | None, str]:
    """The order that an answer is about, and what it says of it: the status, or the class of the error."""
    if isinstance(answer, ShopError):
        return answer.order_id, type(answer).__name__
    return answer.id, status_of(answer)
