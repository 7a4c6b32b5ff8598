"""The README's grpcurl lines, run as they stand; only the shop's addresses are the tests' own.

A block with a comment that begins with `# Refused` shows an error: its last command must be answered with one. One that begins with `# For`
shows a stream without an end, which the command's own time ends.
"""

import os
import re
import subprocess
from pathlib import Path

import grpc
import pytest

from local_shop.shop import LocalShop

ROOT = Path(__file__).parents[3]
BLOCKS = [
    block
    for block in re.findall(
        r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE
    )
    if re.search(r"^grpcurl ", block, re.MULTILINE)
]
BLOCK_TIMEOUT_S = 60.0
# grpcurl exits with 64 and the status code.
STATUS_EXITS = range(64 + 1, 64 + 17)
DEADLINE_EXIT = 64 + grpc.StatusCode.DEADLINE_EXCEEDED.value[0]

# The first build of a Go program takes minutes.
pytestmark = pytest.mark.timeout(900)


def test_the_readme_shows_grpcurl() -> None:
    assert BLOCKS


@pytest.mark.parametrize("block", BLOCKS)
def test_the_commands_work_as_they_stand(block: str, grpcurl: Path, local_shop: LocalShop, tmp_path: Path) -> None:
    (tmp_path / "grpcurl").symlink_to(grpcurl.absolute())
    done = subprocess.run(
        ["bash", "-eu", "-c", with_addresses_of(local_shop, block)],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=BLOCK_TIMEOUT_S,
        check=False,
    )
    if re.search(r"^# Refused", block, re.MULTILINE):
        assert done.returncode in STATUS_EXITS, done.stderr
    elif re.search(r"^# For ", block, re.MULTILINE):
        assert (done.returncode, bool(done.stdout)) == (DEADLINE_EXIT, True), done.stderr
    else:
        assert done.returncode == 0, done.stderr


def with_addresses_of(shop: LocalShop, block: str) -> str:
    addresses = {
        "127.0.0.1:50051": shop.catalog_addr,
        "127.0.0.1:50052": shop.customer_addr,
        "127.0.0.1:50053": shop.order_addr,
    }
    return re.sub(r"127\.0\.0\.1:5005[1-3]", lambda usual: addresses[usual[0]], block)
