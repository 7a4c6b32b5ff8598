"""The override files that put the composed shop behind TLS, without a Docker engine."""

import re
from pathlib import Path
from typing import Any

import pytest
from compose_spec import PyOptions

from catalog_service.settings import CatalogSettings
from customer_service.settings import CustomerSettings
from order_service.settings import OrderSettings

ROOT = Path(__file__).parents[3]
VARIABLE = re.compile(r"\$\{(\w+):-([^}]*)\}")
SETTINGS = {"catalog": CatalogSettings, "customer": CustomerSettings, "order": OrderSettings}
PORTS = {"catalog": "50051", "customer": "50052", "order": "50053"}


def read(name: str) -> dict[str, Any]:
    text = (ROOT / "compose" / name).read_text(encoding="utf-8")
    return PyOptions(apply_merge=True).from_yaml(VARIABLE.sub(r"\2", text)).to_dict()["services"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("name", SETTINGS)
def test_each_service_is_given_all_that_being_locked_needs(name: str) -> None:
    service = read("tls.yaml")[name]
    environment = service["environment"]
    fields = SETTINGS[name].model_fields
    assert {variable.lower() for variable in environment} <= fields.keys()
    before = read("compose.yaml")[name]["environment"]
    assert {needed.upper() for needed in SETTINGS[name].needed_outside} <= environment.keys() | before.keys()
    assert environment["ALLOW_INSECURE"] == "false"
    assert service["healthcheck"]["test"][-2:] == [PORTS[name], environment["TLS_CERT_FILE"]]
    # Only its own files, and none that it could change.
    assert service["volumes"] == [f"{name}-certs:/certs:ro"]


def test_who_hands_out_the_files_reaches_nobody() -> None:
    handing = read("tls.yaml")["certs"]
    assert handing["network_mode"] == "none"
    assert handing["read_only"] is True
    assert handing["cap_drop"] == ["ALL"]


@pytest.mark.parametrize("name", SETTINGS)
def test_no_other_postgres_is_connected_to(name: str) -> None:
    environment = read("postgres-tls.yaml")[name]["environment"]
    assert environment == {"POSTGRES_SSLMODE": "verify-full", "POSTGRES_SSLROOTCERT_FILE": "/certs/ca.pem"}
