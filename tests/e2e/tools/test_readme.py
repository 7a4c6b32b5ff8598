"""The README's grpcurl lines and its Python, run as they stand; only the shop's addresses are the tests' own.

A block with a comment that begins with `# Refused` shows an error: its last command must be answered with one. One that begins with `# For`
shows a stream without an end, which the command's own time ends.
"""

import re
import sys
from pathlib import Path

import grpc
import pytest

from local_shop.shop import LocalShop
from tests.support.shown_commands import blocks_of, run_commands, with_addresses_of

BLOCKS = [block for block in blocks_of("README.md") if re.search(r"^grpcurl ", block, re.MULTILINE)]
# grpcurl exits with 64 and the status code.
STATUS_EXITS = range(64 + 1, 64 + 17)
DEADLINE_EXIT = 64 + grpc.StatusCode.DEADLINE_EXCEEDED.value[0]

# The first build of a Go program takes minutes.
pytestmark = pytest.mark.timeout(900)


def test_the_readme_shows_grpcurl() -> None:
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_the_commands_work_as_they_stand(block: str, grpcurl: Path, local_shop: LocalShop, tmp_path: Path) -> None:
    done = run_commands(with_addresses_of(local_shop, block), programs={"grpcurl": grpcurl}, folder=tmp_path)
    if re.search(r"^# Refused", block, re.MULTILINE):
        assert done.returncode in STATUS_EXITS, done.stderr
    elif re.search(r"^# For ", block, re.MULTILINE):
        assert (done.returncode, bool(done.stdout)) == (DEADLINE_EXIT, True), done.stderr
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("program", blocks_of("README.md", "python"))
def test_the_python_client_buys_as_it_stands(program: str, local_shop: LocalShop, tmp_path: Path) -> None:
    (tmp_path / "buy.py").write_text(with_addresses_of(local_shop, program), encoding="utf-8")
    done = run_commands(f"PYTHONPATH=. {sys.executable} {tmp_path}/buy.py", programs={}, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[0-9a-f-]{36} 5998\n", done.stdout)
