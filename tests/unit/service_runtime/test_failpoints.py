"""Nothing that is shipped can switch a failpoint on: only a test's own entry point does, and no test is shipped."""

import tomllib
from pathlib import Path

from service_runtime import failpoints

ROOT = Path(__file__).parents[3]
SHIPPED = ("service_runtime", "catalog_service", "customer_service", "order_service", "recordshop", "local_shop")


async def test_without_a_handler_a_failpoint_is_passed() -> None:
    reached = []

    async def handler(name: str) -> None:
        reached.append(name)

    await failpoints.reach("order.taken_in")
    failpoints.install(handler)
    try:
        await failpoints.reach("order.taken_in")
    finally:
        failpoints.install(None)
    await failpoints.reach("order.taken_in")
    assert reached == ["order.taken_in"]


def test_nothing_that_is_shipped_installs_a_handler_or_reads_of_one_in_its_environment() -> None:
    sources = {path: path.read_text(encoding="utf-8") for package in SHIPPED for path in (ROOT / package).rglob("*.py")}
    assert len(sources) > len(SHIPPED)
    for path, text in sources.items():
        if path.name != "failpoints.py":
            assert "failpoints.install" not in text, path
            assert "failpoints import" not in text, path
            assert "failpoints._" not in text, path
        assert "FAILPOINT" not in text, path


def test_no_test_is_shipped() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = project["tool"]["setuptools"]["packages"]
    assert {package.partition(".")[0] for package in packages} <= set(SHIPPED)
    image = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in image
    assert not [line for line in image if line.startswith("!tests")]
