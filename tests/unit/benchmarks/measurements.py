"""Rounds that nobody measured."""

from benchmarks.rounds import Round


def a_round(
    row: str = "unary",
    *,
    orders: int = 100,
    seconds: float = 1.0,
    block: str = "baselines",
    number: int = 1,
    fault: str | None = None,
    shop: str = "main",
) -> Round:
    """A round of so many orders in so many seconds."""
    return Round(
        row=row,
        shop=shop,
        clients=90,
        orders_per_call=1,
        orders=orders,
        seconds=seconds,
        p50_ms=2.0,
        p99_ms=9.0,
        cpu_us_per_order={"order_service": 300.0},
        fault=fault,
        block=block,
        number=number,
    )
