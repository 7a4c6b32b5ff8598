"""The table of who may call what is whole, or nothing starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
DATABASE = {"POSTGRES_USER": "nobody", "POSTGRES_PASSWORD": "secret", "POSTGRES_DB": "nothing"}
EXIT_TIMEOUT_S = 60.0
EXIT_BAD_TABLE = 4


@pytest.mark.parametrize(
    ("service", "change", "said"),
    [
        ("order", "del ORDERS['GetOrder']", "OrderService.GetOrder has no row"),
        ("catalog", "del STOCK['ReserveStock']", "StockService.ReserveStock has no row"),
        ("customer", "CUSTOMERS['GetDocument'] = {'admin'}", "CustomerService.GetDocument is no method"),
        ("customer", "CUSTOMERS['GetCustomer'] = {'root'}", "nobody is a root"),
    ],
)
def test_a_service_whose_table_does_not_fit_its_methods_does_not_start(service: str, change: str, said: str) -> None:
    program = f"from {service}_service.access import *; {change}; from {service}_service.__main__ import main; main([])"
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **DATABASE},
        capture_output=True,
        text=True,
        timeout=EXIT_TIMEOUT_S,
        check=False,
    )
    assert ended.returncode == EXIT_BAD_TABLE
    assert said in ended.stderr
