"""Commands that the project's pages show, made ready to run against the tests' shop."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from local_shop.shop import LocalShop

ROOT = Path(__file__).parents[2]
COMMANDS_TIMEOUT_S = 60.0


def blocks_of(page: str, language: str = "sh") -> Sequence[str]:
    """Return the blocks of a language on a page, `README.md` or `docs/requests.md`."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


def with_addresses_of(shop: LocalShop, commands: str) -> str:
    """Put a shop's addresses where the usual ones are named."""
    addresses = {
        "127.0.0.1:50051": shop.catalog_addr,
        "127.0.0.1:50052": shop.customer_addr,
        "127.0.0.1:50053": shop.order_addr,
    }
    return re.sub(r"127\.0\.0\.1:5005[1-3]", lambda usual: addresses[usual[0]], commands)


def run_commands(
    commands: str, *, programs: Mapping[str, Path], folder: Path, timeout_s: float = COMMANDS_TIMEOUT_S
) -> "subprocess.CompletedProcess[str]":
    """Run commands as they stand in the project's folder, until one fails; `programs` are found by these names, by links in `folder`."""
    for name, program in programs.items():
        link = folder / name
        if not link.is_symlink():
            link.symlink_to(program.absolute())
    return subprocess.run(
        ["bash", "-eu", "-c", commands],
        cwd=ROOT,
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
