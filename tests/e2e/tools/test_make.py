"""The Makefile's targets that no other test and no step of CI goes through, run as the README shows them."""

import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from local_shop.ports import free_ports
from local_shop.shop_env import ShopEnv
from tests.support.shop_command import ShopCommand

ROOT = Path(__file__).parents[3]
START_TIMEOUT_S = 60.0
TARGET_TIMEOUT_S = 240.0
# Tests that make started have these: a make inside of another says where it enters and leaves.
OF_AN_OUTER_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS", "MAKE_TERMOUT", "MAKE_TERMERR"}
STUBS = ROOT / "recordshop" / "order" / "v1" / "order_pb2_grpc.py"

pytestmark = [
    pytest.mark.timeout(900),
    # The targets run what is in .venv; it is there wherever the tests were started by make.
    pytest.mark.usefixtures("made_environment"),
]


@pytest.fixture(scope="module")
def made_environment() -> None:
    assert shutil.which("make"), "the README asks for make"
    assert (ROOT / ".venv" / "bin" / "python").exists(), "make test makes .venv first"


def environment(folder: Path, **settings: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if name not in OF_AN_OUTER_MAKE}
    return inherited | {"SHOP_DIR": str(folder)} | settings


def make(target: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["make", target],
        cwd=ROOT,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=TARGET_TIMEOUT_S,
        check=False,
    )


@pytest.fixture(scope="module")
def running_by_make(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of a shop that `make run` runs on free ports; Ctrl-C ends it."""
    folder = tmp_path_factory.mktemp("made")
    ports = dict(zip(("CATALOG_PORT", "CUSTOMER_PORT", "ORDER_PORT"), map(str, free_ports(3)), strict=True))
    with subprocess.Popen(
        ["make", "run"],
        cwd=ROOT,
        env=environment(folder, **ports),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    ) as process:
        shop = ShopCommand(process)
        shop.read_until("Ctrl-C closes it")
        shop.wait_for(folder / "shop.env")
        yield folder
        # A terminal sends Ctrl-C to everybody in the foreground.
        os.killpg(process.pid, signal.SIGINT)
        process.communicate(timeout=START_TIMEOUT_S)
    assert not (folder / "shop.env").exists()


def test_help_names_every_target_that_the_readme_shows(tmp_path: Path) -> None:
    shown = set(re.findall(r"\bmake ([a-z]+)\b", (ROOT / "README.md").read_text(encoding="utf-8")))
    told = set(re.findall(r"^  make ([a-z]+)", make("help", tmp_path).stdout, re.MULTILINE))
    assert shown <= told


def test_proto_builds_the_stubs_anew(tmp_path: Path) -> None:
    before = STUBS.stat().st_mtime_ns
    assert make("proto", tmp_path).returncode == 0
    assert STUBS.stat().st_mtime_ns > before


def test_a_shop_that_make_runs_is_loaded_and_audited_by_make(running_by_make: Path, ghz: Path) -> None:
    assert ShopEnv.read(running_by_make / "shop.env").order_addr
    loaded = make("ghz", running_by_make)
    assert loaded.returncode == 0, loaded.stdout + loaded.stderr
    assert loaded.stdout.rstrip().splitlines()[-1].startswith("AUDIT OK ")
    audited = make("audit", running_by_make)
    assert audited.returncode == 0, audited.stdout + audited.stderr
    assert audited.stdout.rstrip().splitlines()[-1].startswith("AUDIT OK ")
