"""One frame of `make top`, drawn from the readings of the three services."""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from local_shop.hot_discs import HotDisc
from local_shop.scrape import Change
from local_shop.spot_audit import SpotAudit

NONE = "-"
BARS = "▁▂▃▄▅▆▇█"
ORDERS = "recordshop_orders_total"
HANDLING_S = "grpc_server_handling_seconds"
CREATE = {"grpc_method": "CreateOrder"}
REFUSED = ("out_of_stock", "disc_not_found", "disc_deleted", "customer_inactive")
FAILED = ("pending", "aborted", "not_accepted", "overloaded", "failed")
LANES = (
    ("order", "singles"),
    ("order", "bulk"),
    ("order", "settling"),
    ("catalog", "singles"),
    ("catalog", "multiples"),
)
FAULTS = ("INTERNAL", "UNAVAILABLE", "UNKNOWN", "DATA_LOSS")
OLD_ORDER_S = 10.0
LATE_LOOP_MS = 50.0


@dataclass(frozen=True)
class Frame:
    """What is shown. A service that does not answer has no change; `history` are the last orders a second, the newest last."""

    changes: Mapping[str, Change | None]
    discs: Sequence[HotDisc] | None
    audit: SpotAudit
    history: Sequence[float]

    def draw(self) -> RenderableType:
        """Draw it for 80 columns and more."""
        order = self.changes.get("order")
        parts: list[RenderableType] = [self._head()]
        if order is not None:
            parts += [self._orders(order), Text(_sparkline(self.history), style="cyan")]
        parts += ["", self._services(), "", self._lanes(), ""]
        if order is not None:
            parts += [self._open_work(order)]
        parts += [self._discs(), self._audit()]
        return Group(*parts)

    def _head(self) -> Text:
        head = Text.assemble(("Record Shop", "bold"), time.strftime("  %H:%M:%S  "))
        for service, change in self.changes.items():
            if change is None:
                head.append(f"  {service} does not answer", style="bold red")
            elif not change.after.total("recordshop_serving"):
                head.append(f"  {service} is not serving", style="bold red")
            else:
                head.append(f"  {service} serves", style="green")
        return head

    def _orders(self, order: Change) -> Text:
        def rate(outcomes: Iterable[str]) -> float:
            return sum(order.rate(ORDERS, outcome=outcome) for outcome in outcomes)

        failed = rate(FAILED)
        p50, p99 = (order.quantile_ms(HANDLING_S, share, **CREATE) for share in (0.5, 0.99))
        return Text.assemble(
            ("orders ", "dim"), (f"{orders_per_s(order):,.0f}/s", "bold"),
            ("   sold ", "dim"), (f"{order.rate(ORDERS, outcome='confirmed'):,.0f}/s", "bold green"),
            f" ({order.after.total('recordshop_copies_sold_total'):,.0f} copies)",
            ("   refused ", "dim"), (f"{rate(REFUSED):,.0f}/s", "bold yellow"),
            ("   failed ", "dim"), (f"{failed:,.0f}/s", "bold red" if failed else ""),
            ("\nCreateOrder ", "dim"), f"p50 {_ms(p50)}   p99 {_ms(p99)}",
            ("   in flight ", "dim"), f"{order.after.total('recordshop_calls_in_flight', **CREATE):,.0f}",
        )  # fmt: skip

    def _services(self) -> Table:
        table = _table(
            "service", "calls/s", "faults/s", "overload/s", "in flight", "pool", "waits", "acquire", "loop", "cpu", "MB"
        )
        for service, change in self.changes.items():
            if change is None:
                table.add_row(service, *[NONE] * 10)
                continue
            now = change.after
            faults = sum(change.rate("grpc_server_handled_total", grpc_code=code) for code in FAULTS)
            overload = change.rate("recordshop_refusals_total", reason="overloaded")
            waiting = now.total("recordshop_database_pool_waiting")
            lag = change.quantile_ms("recordshop_event_loop_lag_seconds", 0.99)
            workers = now.total("recordshop_workers")
            table.add_row(
                service if workers == 1 else f"{service} x{workers:.0f}",
                f"{change.rate('grpc_server_handled_total'):,.0f}",
                _alarm(f"{faults:,.1f}", on=faults > 0),
                _alarm(f"{overload:,.1f}", on=overload > 0),
                f"{now.total('recordshop_calls_in_flight'):,.0f}",
                f"{now.total('recordshop_database_pool_connections', state='in_use'):.0f}"
                f"/{now.total('recordshop_database_pool_connections_max'):.0f}",
                _alarm(f"{waiting:.0f}", on=waiting > 0),
                _ms(change.quantile_ms("recordshop_database_acquire_seconds", 0.99)),
                _alarm(_ms(lag), on=(lag or 0) > LATE_LOOP_MS),
                f"{change.rate('process_cpu_seconds_total'):.0%}",
                f"{now.total('process_resident_memory_bytes') / 1e6:,.0f}",
            )
        return table

    def _lanes(self) -> Table:
        table = _table(
            "lane", "groups/s", "size", "under way", "wait p99", "group p50", "group p99", "queue", "refused/s"
        )
        for service, lane in LANES:
            change = self.changes.get(service)
            if change is None:
                continue
            now, size = change.after, change.mean("recordshop_group_size", lane=lane)
            queue, room = (now.total(f"recordshop_queue_length{end}", lane=lane) for end in ("", "_max"))
            refused = change.rate("recordshop_refusals_total", lane=lane)
            table.add_row(
                f"{service} {lane}",
                f"{change.rate('recordshop_group_size_count', lane=lane):,.0f}",
                NONE if size is None else f"{size:,.1f}",
                f"{now.total('recordshop_groups_in_flight', lane=lane):.0f}",
                _ms(change.quantile_ms("recordshop_group_wait_seconds", 0.99, lane=lane)),
                _ms(change.quantile_ms("recordshop_group_commit_seconds", 0.5, lane=lane)),
                _ms(change.quantile_ms("recordshop_group_commit_seconds", 0.99, lane=lane)),
                _alarm(f"{queue:,.0f}/{room:,.0f}", on=queue > room / 2),
                _alarm(f"{refused:,.1f}", on=refused > 0),
            )
        return table

    @staticmethod
    def _open_work(order: Change) -> Text:
        now = order.after
        age_s = now.total("recordshop_oldest_open_order_age_seconds")
        recovered = order.after.total("recordshop_recovered_orders_total")
        line = Text.assemble(
            ("oldest open order ", "dim"), (f"{age_s:.1f} s", "bold red" if age_s > OLD_ORDER_S else ""),
            ("   open work ", "dim"), f"{now.total('recordshop_open_work_rows'):,.0f}",
            ("   recovered ", "dim"), f"{recovered:,.0f}",
        )  # fmt: skip
        for labels, value in now.samples.get("recordshop_circuit_breaker_state", ()):
            if value:
                line.append("   breaker ", style="dim")
                line.append(labels["state"], style="green" if labels["state"] == "closed" else "bold red")
        return line

    def _discs(self) -> RenderableType:
        if self.discs is None:
            return Text("which discs sell: no answer", style="bold red")
        if not self.discs:
            return Text("No order yet.", style="dim")
        table = _table("of the last 100 orders", "for", "copies", "sold", "left")
        for disc in self.discs:
            table.add_row(
                Text(disc.name, overflow="ellipsis", no_wrap=True),
                f"{disc.recent_orders}",
                f"{disc.opening:,}",
                f"{disc.held:,}",
                Text(f"{disc.left:,}", style="yellow" if disc.left == 0 else ""),
            )
        return table

    def _audit(self) -> Text:
        style = {True: "bold green", False: "bold red", None: "yellow"}[self.audit.agrees]
        return Text(self.audit.line, style=style)


def orders_per_s(order: Change) -> float:
    """Return how many placements ended a second, however they did."""
    return order.rate(ORDERS) - order.rate(ORDERS, outcome="cancelled")


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), header_style="dim")
    table.add_column(first, no_wrap=True, max_width=40)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _ms(value: float | None) -> str:
    if value is None:
        return NONE
    return f"{value:,.1f} ms" if value < 10 else f"{value:,.0f} ms"


def _alarm(text: str, *, on: bool) -> Text:
    return Text(text, style="bold red" if on else "")


def _sparkline(values: Sequence[float]) -> str:
    highest = max(values, default=0.0)
    if not highest:
        return ""
    return (
        "".join(BARS[min(len(BARS) - 1, int(value / highest * len(BARS)))] for value in values)
        + f" {highest:,.0f}/s at most"
    )
