"""The benchmark's quick audit finds what the shop's own would find."""

import pytest

from benchmarks import audit
from benchmarks.audit import audit_sums
from benchmarks.load import LoadGenerator
from benchmarks.menu import Menu
from benchmarks.plan import smallest_plan
from benchmarks.stage import Stage

ONE_ORDER = "(SELECT id FROM orders WHERE status = 'CONFIRMED' ORDER BY create_time DESC LIMIT 1)"
ONE_RESERVATION = "(SELECT reservation_id FROM reservations WHERE state = 'RESERVED' LIMIT 1)"
SWAPPED = f"""
UPDATE orders SET id = overlay(id::text PLACING 'ffff' FROM 1)::uuid WHERE id = {ONE_ORDER}
"""
SECOND = f"""
CREATE TEMPORARY TABLE second ON COMMIT DROP AS SELECT * FROM orders WHERE id = {ONE_ORDER};
UPDATE second SET id = gen_random_uuid(), status = 'CANCELLED';
INSERT INTO orders SELECT * FROM second
"""


async def test_each_kind_of_disagreement_is_found(
    stage: Stage, client: LoadGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "SETTLE_S", 0.0)
    async with stage.shop("audited") as shop:
        assert (await Menu(smallest_plan(), stage.props, client).single("unary", shop).measure()).counts
        orders, catalog = shop.books._orders, shop.books._catalog
        agreeing = await audit_sums(orders, catalog)
        assert (agreeing.disagreements, agreeing.orders_sold, agreeing.copies_sold) == (0, 181, 181)
        for connection, spoil, word in (
            (orders, f"DELETE FROM orders WHERE id = {ONE_ORDER}", "180 with 180 copies"),
            (orders, SWAPPED, "181 with 181 copies"),
            (orders, SECOND, "1 request ids have several orders"),
            (orders, f"UPDATE orders SET quantities = '{{2}}' WHERE id = {ONE_ORDER}", "181 with 182 copies"),
            (orders, f"UPDATE orders SET returned = '{{1}}' WHERE id = {ONE_ORDER}", "181 with 180 copies"),
            (orders, f"UPDATE orders SET status = 'CANCELLING' WHERE id = {ONE_ORDER}", "1 orders are open"),
            (orders, "DELETE FROM orders", "none on orders"),
            (
                catalog,
                f"UPDATE reservations SET state = 'RELEASED' WHERE reservation_id = {ONE_RESERVATION}",
                "are left",
            ),
            (catalog, f"UPDATE reservations SET returned = 1 WHERE reservation_id = {ONE_RESERVATION}", "are left"),
            (catalog, "UPDATE discs SET stock = stock + 1 WHERE opening_stock = 0", "of 0 copies 1 are left"),
        ):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(spoil)
            verdict = await audit_sums(orders, catalog)
            await transaction.rollback()
            assert verdict.disagreements > 0
            assert any(word in fault for fault in verdict.faults), verdict.faults
        assert (await audit_sums(orders, catalog)).disagreements == 0
