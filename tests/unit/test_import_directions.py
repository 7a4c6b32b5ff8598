"""Who may import whom, read from the sources: services are strangers to each other, and inside one everything leads downwards."""

import ast
import re
import tomllib
from collections.abc import Iterator, Mapping
from fnmatch import fnmatch
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("catalog_service", "customer_service", "order_service")
PACKAGES = (*SERVICES, "service_runtime", "recordshop", "local_shop")
STUBS = re.compile(r"recordshop\.(catalog|customer|order)\.v1(\.|$)")

# What each package may import of ours beside itself. Services see of recordshop the stubs alone.
ALLOWED = {
    **dict.fromkeys(SERVICES, ("recordshop", "service_runtime")),
    "service_runtime": (),
    "recordshop": (),
    "local_shop": ("recordshop",),
}

# A service's modules from top to bottom. Imports lead down or stay level, and never in a circle.
LAYERS = (
    ("__main__",),
    ("servicer",),
    ("*mapping",),
    ("anonymization", "audit", "backlog", "batch", "cancellation", "queue_worker", "recovery", "streams"),
    ("admission", "fair_lane", "hybrid", "lanes", "placement", "registration", "returning", "taking", "watching"),
    ("guarded_catalog", "processing", "return_processing"),
    (
        "repository",
        "intake",
        "rows",
        "*_client",
        "*_search",
        "*_lines",
        "anonymizations",
        "atomic",
        "changes",
        "deciding",
        "journal",
        "denials",
        "edits",
        "listing",
        "movements",
        "optimistic",
        "order_queue",
        "pessimistic",
        "queue_leases",
        "reservations",
        "returns",
        "sealing",
    ),
    (
        "settings",
        "metrics",
        "model",
        "known_customers",
        "return_model",
        "sold_out",
        "errors",
        "cpf",
        "documents",
        "merge",
        "__init__",
        "access",
    ),
)
WIRE = ("__main__", "servicer", "*mapping", "*_client")
DATA_LAYER = LAYERS[-2]
SQL = re.compile(r"\s*(SELECT|INSERT|UPDATE|DELETE|WITH|SET|CREATE|ALTER|DROP|TRUNCATE|COPY|LOCK)\s")

Sources = Mapping[str, ast.Module]


def read_sources() -> Sources:
    """Parse all our modules but the generated stubs, by their full names; a package is named `package.__init__`."""
    paths = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]
    names = {path: ".".join(path.relative_to(ROOT).with_suffix("").parts) for path in paths}
    return {name: ast.parse(path.read_text(encoding="utf-8")) for path, name in names.items() if not STUBS.match(name)}


def imports_of(module: str, sources: Sources) -> set[str]:
    """Return what a module imports, wherever in it: modules by their full names, `from a import b` as `a.b`."""
    found: set[str] = set()
    for node in ast.walk(sources[module]):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            near = module.split(".")[: -node.level] if node.level else []
            origin = ".".join([*near, *filter(None, [node.module])])
            found |= {f"{origin}.{alias.name}" for alias in node.names}
    return found


def module_of(imported: str, sources: Sources) -> str | None:
    """Return which of our modules an import leads to: itself, the one that it is a name of, or none."""
    for name in (imported, imported.rpartition(".")[0]):
        for candidate in (name, f"{name}.__init__"):
            if candidate in sources:
                return candidate
    return None


def is_any_of(module: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(module.rpartition(".")[2], pattern) for pattern in patterns)


def layer_of(module: str) -> int:
    return next((depth for depth, patterns in enumerate(LAYERS) if is_any_of(module, patterns)), -1)


def strangers(sources: Sources) -> Iterator[str]:
    """Name imports of packages that a package must not know."""
    for module in sources:
        own = module.partition(".")[0]
        for imported in imports_of(module, sources):
            package = imported.partition(".")[0]
            if package in PACKAGES and package != own and package not in ALLOWED[own]:
                yield f"{module} imports {imported}"
            if own in SERVICES and package == "recordshop" and not STUBS.match(imported):
                yield f"{module} imports {imported}, which is no stub"


def upwards(sources: Sources) -> Iterator[str]:
    """Name imports inside a service that lead up, and modules whose place nobody has decided."""
    for module in sources:
        if module.partition(".")[0] not in SERVICES:
            continue
        if layer_of(module) < 0:
            yield f"{module} has no layer"
        for imported in imports_of(module, sources):
            target = module_of(imported, sources)
            if target is None or target.partition(".")[0] != module.partition(".")[0]:
                continue
            if layer_of(target) < layer_of(module):
                yield f"{module} imports {target}, which is above it"
            if is_any_of(target, ("settings",)) and not is_any_of(module, ("__main__", "settings")):
                yield f"{module} imports {target}: settings are handed out by __main__"
            if ".stock." in target and ".stock." not in module and not is_any_of(module, ("__main__", "servicer")):
                yield f"{module} imports {target}: how stock is taken is nobody else's business"


def circles(sources: Sources) -> Iterator[str]:
    """Name a circle of imports, if there is one."""
    graph: dict[str, set[str]] = {}
    for module in sources:
        targets = {module_of(imported, sources) for imported in imports_of(module, sources)}
        graph[module] = {target for target in targets if target is not None and target != module}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield " -> ".join(error.args[1])


def misplaced_wire(sources: Sources) -> Iterator[str]:
    """Name imports of stubs, protobuf and grpc away from a service's edges."""
    for module in sources:
        if module.partition(".")[0] in SERVICES and not is_any_of(module, WIRE):
            for imported in imports_of(module, sources):
                if re.match(r"(grpc|google|recordshop)(\.|_|$)", imported):
                    yield f"{module} imports {imported}"


def misplaced_sql(sources: Sources) -> Iterator[str]:
    """Name modules of the services that use asyncpg without having statements, or have statements above the data layer."""
    for module, source in sources.items():
        if module.partition(".")[0] not in SERVICES:
            continue
        texts = [node.value for node in ast.walk(source) if isinstance(node, ast.Constant)]
        has_sql = any(isinstance(text, str) and SQL.match(text) for text in texts)
        uses_asyncpg = any(imported.partition(".")[0] == "asyncpg" for imported in imports_of(module, sources))
        if uses_asyncpg and not has_sql:
            yield f"{module} imports asyncpg and has no SQL"
        if (has_sql or uses_asyncpg) and not is_any_of(module, DATA_LAYER):
            yield f"{module} has SQL or asyncpg above the data layer"


def misplaced_environment(sources: Sources) -> Iterator[str]:
    """Name modules, other than settings, that read the environment."""
    for module, source in sources.items():
        if module.partition(".")[0] == "local_shop" or is_any_of(module, ("*settings",)):
            continue
        names = {node.attr for node in ast.walk(source) if isinstance(node, ast.Attribute)}
        names |= {imported.rpartition(".")[2] for imported in imports_of(module, sources)}
        for name in sorted(names & {"environ", "environb", "getenv", "BaseSettings"}):
            yield f"{module} uses {name}"


RULES = (strangers, upwards, circles, misplaced_wire, misplaced_sql, misplaced_environment)


def faults(sources: Sources) -> list[str]:
    return [fault for rule in RULES for fault in rule(sources)]


def test_no_import_leads_where_it_must_not() -> None:
    sources = read_sources()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {package.partition(".")[0] for package in project["tool"]["setuptools"]["packages"]}
    assert {module.partition(".")[0] for module in sources} == packages == set(PACKAGES)
    assert faults(sources) == []


@pytest.mark.parametrize(
    ("module", "line"),
    [
        ("order_service.placement", "import catalog_service.model"),
        ("order_service.placement", "from customer_service import model"),
        ("order_service.catalog_client", "from recordshop.client import RecordShop"),
        ("order_service.placement", "from local_shop.ports import free_port"),
        ("service_runtime.server", "from recordshop.order.v1 import order_pb2"),
        ("service_runtime.server", "from order_service.errors import OrderNotFound"),
        ("recordshop.client", "from service_runtime.errors import ServiceError"),
        ("local_shop.shop", "from order_service.model import order_id_for"),
        ("order_service.repository", "from order_service.processing import OrderProcessing"),
        ("order_service.repository", "from .processing import OrderProcessing"),
        ("order_service.repository", "def late():\n    from order_service import placement"),
        ("order_service.model", "from order_service.repository import OrderRepository"),
        ("order_service.placement", "from order_service.settings import OrderSettings"),
        ("order_service.helpers", ""),
        ("catalog_service.repository", "from catalog_service.stock.model import Balance"),
        ("order_service.processing", "from recordshop.order.v1 import order_pb2"),
        ("order_service.processing", "import grpc"),
        ("order_service.model", "from google.protobuf.timestamp_pb2 import Timestamp"),
        ("order_service.placement", "import asyncpg"),
        ("order_service.repository", "import asyncpg"),
        ("order_service.placement", 'NOW = "SELECT now()"'),
        ("order_service.placement", "import os\nhost = os.environ['HOST']"),
        ("service_runtime.server", "from os import getenv"),
        ("order_service.model", "from pydantic_settings import BaseSettings"),
    ],
)
def test_an_import_in_a_forbidden_direction_is_found(module: str, line: str) -> None:
    known = (
        "order_service.processing",
        "order_service.placement",
        "order_service.repository",
        "order_service.settings",
    )
    empty = {name: ast.Module([], []) for name in (*known, "catalog_service.stock.model", "order_service.model")}
    assert faults(empty) == []
    assert len(faults({**empty, module: ast.parse(line)})) > 0


def test_a_circle_of_imports_is_found() -> None:
    there = ast.parse("from order_service.order_search import PAGES")
    back = ast.parse("from order_service.repository import ROWS")
    (circle,) = circles({"order_service.repository": there, "order_service.order_search": back})
    assert set(circle.split(" -> ")) == {"order_service.repository", "order_service.order_search"}


def test_an_order_takes_its_way_through_the_files_as_drawn() -> None:
    sources = read_sources()
    for module, below in (
        ("order_service.servicer", "order_service.placement"),
        ("order_service.placement", "order_service.processing"),
        ("order_service.processing", "order_service.repository"),
        ("order_service.processing", "order_service.catalog_client"),
        ("catalog_service.stock.servicer", "catalog_service.stock.reservations"),
    ):
        assert below in {module_of(imported, sources) for imported in imports_of(module, sources)}
