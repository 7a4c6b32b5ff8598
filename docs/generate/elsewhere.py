"""What is set outside the services' settings classes; a test finds variables of the Makefile, commands and compose that are missing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class Variable:
    """A variable, its default in Markdown, and what it does."""

    name: str
    default: str
    text: str


MAKE = (
    Variable("PYTHON", "`python3`", "The Python that `.venv` is made with."),
    Variable("SHOP_DIR", "`.shop`", "Where data and reports are kept."),
    Variable("CERTS_DIR", "`.shop/certs`", "`make certs`: where certificates and keys are kept."),
    Variable("CATALOG_PORT", "`50051`", "`make run`: the catalog's port."),
    Variable("CUSTOMER_PORT", "`50052`", "`make run`: the customer service's port."),
    Variable("ORDER_PORT", "`50053`", "`make run`: the order service's port."),
    Variable("CATALOG_METRICS_PORT", "any free port", "`make run`: the port of the catalog's metrics."),
    Variable("CUSTOMER_METRICS_PORT", "any free port", "`make run`: the port of the customer service's metrics."),
    Variable("ORDER_METRICS_PORT", "any free port", "`make run`: the port of the order service's metrics."),
    Variable("TOP_ONCE", "none", "`make top`: 1 shows one frame and ends."),
    Variable(
        "PG_BIN",
        "none",
        "A folder with PostgreSQL's programs, 15 or later, to run instead of the PostgreSQL that comes along.",
    ),
    Variable("DEMO_SECONDS", "`60`", "`make demo`: seconds of the sale; it sells 2,000 copies in 60."),
    Variable("DEMO_RATE", "`50`", "`make demo`: orders a second during the sale."),
    Variable("DEMO_CLIENTS", "`90`", "`make demo`: clients of the storm that follows."),
    Variable(
        "BENCH_QUICK",
        "none",
        "`make bench`: anything but 0 measures the most important things only, within three minutes.",
    ),
    Variable(
        "EXPERIMENT_QUICK",
        "none",
        "`make experiment`: anything but 0 measures a part of the experiment, within five minutes.",
    ),
    Variable("CHAOS_MINUTES", "`1`", "`make chaos`: how long the nemesis strikes."),
    Variable("CHAOS_SEED", "a new one", "`make chaos`: repeats the faults and the load of an earlier run."),
    Variable("CATALOG_ADDR", "of `.shop/shop.env`", "`make ghz`: the catalog to load, as host:port."),
    Variable("ORDER_ADDR", "of `.shop/shop.env`", "`make ghz`: the order service to load, as host:port."),
)
COMPOSE = (
    Variable("CATALOG_PORT", "`50051`", "The catalog's port on 127.0.0.1."),
    Variable("CUSTOMER_PORT", "`50052`", "The customer service's port on 127.0.0.1."),
    Variable("ORDER_PORT", "`50053`", "The order service's port on 127.0.0.1."),
    Variable("CERTS_DIR", "`./.shop/certs`", "`compose/tls.yaml`: where the files are that `make certs` made."),
    Variable("STOCK_STRATEGY", "`grouped`", "How the catalog takes stock: grouped, atomic, pessimistic or optimistic."),
    Variable("ORDER_MODE", "`sync`", "When CreateOrder answers a caller who names no mode: sync, async or hybrid."),
    Variable("SHOP_IMAGE", "`record-shop:local`", "The name that the services' image is built under."),
    Variable("POSTGRES_IMAGE", "`postgres:18`", "PostgreSQL's image; `compose/images.env` pins it."),
    Variable(
        "PYTHON_IMAGE", "`python:3.13-slim`", "What the services' image is built from; `compose/images.env` pins it."
    ),
    Variable(
        "OTEL_EXPORTER_OTLP_ENDPOINT", "none", "Where all services send their traces, such as `http://collector:4317`."
    ),
    Variable("OTEL_TRACES_SAMPLER", "`parentbased_always_on`", "Which calls all services trace."),
    Variable("OTEL_TRACES_SAMPLER_ARG", "`1`", "The share of calls that a `traceidratio` sampler chooses."),
    Variable("PROMETHEUS_PORT", "`9090`", "Profile `observability`: Prometheus' port on 127.0.0.1."),
    Variable("GRAFANA_PORT", "`3000`", "Profile `observability`: Grafana's port on 127.0.0.1."),
    Variable("JAEGER_PORT", "`16686`", "Profile `observability`: the port of Jaeger's pages on 127.0.0.1."),
)

# Under each heading a sentence, and the variables.
ELSEWHERE: Mapping[str, tuple[str, Sequence[Variable]]] = MappingProxyType(
    {
        "Make": ("Variables that the commands of the Makefile read, as in `DEMO_SECONDS=10 make demo`.", MAKE),
        "Compose": ("Variables of `docker compose up`, exported or in the file `.env` beside `compose.yaml`.", COMPOSE),
    }
)
