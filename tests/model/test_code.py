"""The model says which statements and steps of the code it stands for: they exist, and say what it takes them to say."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.model import queueing, recovering, stock_room
from tests.model.happenings import BEGINS
from tests.model.steps import STEPS, again

HERE, ROOT = Path(__file__).parent, Path(__file__).parents[2]
NAME = re.compile(r"`((?:catalog|customer|order)_service\.[\w.]+)`")
FAILPOINT = re.compile(r"`((?:catalog|order|recovery)\.[a-z_]+)`")
REACHED = re.compile(r'failpoints\.reach\("([a-z_.]+)"\)')
NOT_IN_THE_CODE = "does not do"
# Steps that nobody's word leads to.
OWN_STEPS = (recovering.claims, recovering.close, queueing.looks, queueing.close, stock_room.adjust)

# What the steps of the model take for granted about the statements that they stand for.
SAYS = [
    ("order_service.intake.INSERT", "ON CONFLICT (id) DO UPDATE"),
    ("order_service.intake.INSERT", "INSERT INTO open_work"),
    ("order_service.repository.FIND", "UPDATE orders"),
    ("order_service.repository.GET_DURABLE", "FOR KEY SHARE"),
    ("order_service.repository.DECIDE", "orders.status = 'PENDING'"),
    ("order_service.repository.DECIDE", "DELETE FROM open_work"),
    ("order_service.repository.MARK_CANCELLING", "status IN ('PENDING', 'CONFIRMED')"),
    ("order_service.repository.MARK_CANCELLING", "INSERT INTO open_work"),
    ("order_service.repository.FINISH_CANCEL", "status = 'CANCELLING'"),
    ("order_service.repository.MARK_CANCELLING", "open_return_id IS NULL"),
    ("order_service.journal.CLOSE", "NOT EXISTS"),
    ("order_service.journal.CLOSE", "open_return_id IS NOT NULL"),
    ("order_service.order_queue.ENQUEUE", "ON CONFLICT (id) DO UPDATE"),
    ("order_service.order_queue.ENQUEUE", "INSERT INTO order_queue"),
    ("order_service.order_queue.ENQUEUE", "FOR NO KEY UPDATE"),
    ("order_service.order_queue.HEAD", "ORDER BY position"),
    ("order_service.order_queue.CLOSE", "NOT EXISTS"),
    ("order_service.order_queue.CLOSE", "orders.status = 'PENDING'"),
    ("order_service.returns.BEGIN", "status = 'CONFIRMED' AND open_return_id IS NULL"),
    ("order_service.returns.BEGIN", "INSERT INTO open_work"),
    ("order_service.returns.END", "open_return_id = $1"),
    ("catalog_service.stock.reservations.RESERVE", "FOR NO KEY UPDATE"),
    ("catalog_service.stock.reservations.DECIDED", "FOR KEY SHARE"),
    ("catalog_service.stock.reservations.TOMBSTONE", "ON CONFLICT DO NOTHING"),
    ("catalog_service.stock.reservations.GIVE_BACK", "state = 'RESERVED'"),
    ("catalog_service.stock.reservations.GIVE_BACK", "quantity - coalesce(returned, 0)"),
    ("catalog_service.stock.returns.RETURN", "held.state = 'RESERVED'"),
    ("catalog_service.stock.returns.RETURN", "coalesce(held.returned, 0) + asked.quantity <= held.quantity"),
    ("catalog_service.stock.returns.RETURN", "NOT EXISTS"),
    ("catalog_service.stock.denials.DENY", "discs.stock < asked.quantity"),
    ("catalog_service.stock.denials.DENY", "ON CONFLICT DO NOTHING"),
    ("catalog_service.stock.movements.ADJUST", "FOR NO KEY UPDATE"),
    ("catalog_service.stock.movements.DECIDED", "UPDATE stock_movements"),
]


def docstrings() -> Iterator[str]:
    for path in HERE.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
                yield ast.get_docstring(node) or ""


def found(pattern: re.Pattern[str]) -> set[str]:
    return {name for text in docstrings() for name in pattern.findall(text)}


def resolved(name: str) -> object:
    """Import as much of a dotted name as is a module, and look up the rest."""
    parts = name.split(".")
    rest: list[str] = []
    while not (ROOT / Path(*parts)).with_suffix(".py").exists():
        rest.insert(0, parts.pop())
        assert parts, name
    value: object = import_module(".".join(parts))
    for part in rest:
        value = getattr(value, part)
    return value


@pytest.mark.parametrize("name", sorted(found(NAME)))
def test_what_the_model_stands_for_exists(name: str) -> None:
    assert resolved(name)


def test_every_step_says_what_it_stands_for() -> None:
    for step in {*STEPS.values(), *BEGINS.values(), *OWN_STEPS} - {again}:
        text = step.__doc__ or ""
        assert NAME.search(text) or NOT_IN_THE_CODE in text, step


def test_the_model_has_a_step_before_and_after_every_failpoint() -> None:
    sources = [
        path.read_text() for service in ("catalog", "order") for path in (ROOT / f"{service}_service").rglob("*.py")
    ]
    assert found(FAILPOINT) == {name for source in sources for name in REACHED.findall(source)}


@pytest.mark.parametrize(("name", "words"), SAYS)
def test_a_statement_says_what_the_model_takes_it_to_say(name: str, words: str) -> None:
    assert words in str(resolved(name))


def test_no_statement_that_takes_stock_skips_a_row_that_exists() -> None:
    functions = [path.read_text() for path in sorted((ROOT / "db" / "catalog").glob("*.sql"))]
    [*_, function] = [
        text
        for text in functions
        if "CREATE FUNCTION reserve_stock" in text or "REPLACE FUNCTION reserve_stock" in text
    ]
    for statement in (function, str(resolved("catalog_service.stock.reservations.RESERVE"))):
        _, ledger = statement.split("-- migrate:down")[0].split("INSERT INTO reservations")
        assert "ON CONFLICT" not in ledger
