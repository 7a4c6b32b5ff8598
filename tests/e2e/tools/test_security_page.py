"""The calls that docs/security.md shows, as they stand, against a locked shop; only its addresses and its folder are the test's own."""

import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_shop.certs import make_token
from tests.conftest import ProvisionedPostgres
from tests.integration.security.conftest import LockedShop, locked_shops
from tests.support.shown_commands import blocks_of, run_commands, with_addresses_of

PAGE = "docs/security.md"
JOHN_DOE = "0e92cf1e-7bc4-4f9e-8eb6-3c88627efecb"
WE_ARE_REACTIVE = "bcd8a0e9-dc0a-4ae7-a783-458542e2cc39"
(CALLS,) = (block for block in blocks_of(PAGE) if re.search(r"^grpcurl ", block, re.MULTILINE))
(PYTHON,) = blocks_of(PAGE, "python")

# The first build of a Go program takes minutes.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def locked(postgres: ProvisionedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LockedShop]:
    """A locked shop, whose folder of certificates is as `make certs` makes it."""
    with locked_shops(postgres, tmp_path_factory.mktemp("locked")) as open_shop:
        yield open_shop()


def as_here(shown: str, locked: LockedShop) -> str:
    here = with_addresses_of(locked.local, shown).replace(".shop/certs", str(locked.certs))
    return here.replace(".venv/bin/python", sys.executable)


def commands(program: str) -> str:
    """The page's own variables, and its call by this program."""
    variables, *calls = CALLS.split("\n\n")
    (call,) = (call for call in calls if call.startswith(f"{program} "))
    return f"{variables}\n{call}"


def test_grpcurl_lists_the_orders_of_the_customer_whose_token_it_has(
    locked: LockedShop, grpcurl: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CERTS_DIR", str(locked.certs))
    done = run_commands(as_here(commands("grpcurl"), locked), programs={"grpcurl": grpcurl}, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    unsigned = re.sub(r'-H "authorization: [^"]*" ', "", as_here(commands("grpcurl"), locked))
    refused = run_commands(unsigned, programs={"grpcurl": grpcurl}, folder=tmp_path)
    assert "CALLER_UNKNOWN" in refused.stderr


def test_ghz_buys_by_tls_and_with_the_token(
    locked: LockedShop, ghz: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CERTS_DIR", str(locked.certs))
    done = run_commands(as_here(commands("ghz"), locked), programs={"ghz": ghz}, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.search(r"\[OK\]\s+40 responses", done.stdout), done.stdout


def test_the_python_client_gets_in_as_it_stands(locked: LockedShop, tmp_path: Path) -> None:
    token = make_token(locked.certs, role="customer", subject=JOHN_DOE)
    program = f"""
import asyncio

def read_token():
    return {token!r}

async def main():
{textwrap.indent(as_here(PYTHON, locked), "    ")}
    async with shop:
        order = await shop.create_order({JOHN_DOE!r}, {{{WE_ARE_REACTIVE!r}: 1}})
        print(order.customer_id)

asyncio.run(main())
"""
    (tmp_path / "buy.py").write_text(program, encoding="utf-8")
    done = run_commands(f"PYTHONPATH=. {sys.executable} {tmp_path}/buy.py", programs={}, folder=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, JOHN_DOE), done.stderr
