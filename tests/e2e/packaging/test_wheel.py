"""The package as others install it: built from a checkout without stubs, used where the sources are not."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
NOT_IN_A_CHECKOUT = (
    ".git",
    ".venv",
    ".shop",
    ".tools",
    "build",
    "*.egg-info",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
)
BUILD_TIMEOUT_S = 170.0
USE = """
import recordshop.client, recordshop.order.v1
from recordshop.catalog.v1 import catalog_pb2, catalog_pb2_grpc, stock_pb2, stock_pb2_grpc
from recordshop.customer.v1 import customer_pb2, customer_pb2_grpc
from recordshop.order.v1 import order_pb2, order_pb2_grpc
print(recordshop.order.v1.__path__[0])
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the package was installed into."""
    folder = tmp_path_factory.mktemp("package")
    checkout, installed = folder / "checkout", folder / "installed"
    shutil.copytree(ROOT, checkout, ignore=shutil.ignore_patterns(*NOT_IN_A_CHECKOUT))
    for service in ("catalog", "customer", "order"):
        shutil.rmtree(checkout / "recordshop" / service)
    # With the build's tools from this environment, so that the test needs no network; .ci/run does it without them.
    options = [
        "--quiet",
        "--disable-pip-version-check",
        "--root-user-action=ignore",
        "--no-deps",
        "--no-build-isolation",
    ]
    command = [sys.executable, "-m", "pip", "install", *options, "--target", str(installed), str(checkout)]
    subprocess.run(command, check=True, timeout=BUILD_TIMEOUT_S)
    shutil.rmtree(checkout)
    return installed


def test_the_stubs_are_part_of_the_installed_package(installed: Path) -> None:
    # Isolated from this environment's own copy: only its third-party packages are seen.
    program = f"import sys; sys.path[:0] = [{str(installed)!r}]\n{USE}"
    answer = subprocess.run(
        [sys.executable, "-I", "-c", program],
        cwd=installed.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert Path(answer.stdout.strip()) == installed / "recordshop" / "order" / "v1"


def test_the_stubs_are_typed(installed: Path) -> None:
    assert (installed / "recordshop" / "py.typed").exists()
    for service in ("catalog", "customer", "order"):
        folder = installed / "recordshop" / service / "v1"
        assert (folder / f"{service}_pb2.pyi").exists()
        assert (folder / f"{service}_pb2_grpc.pyi").exists()
