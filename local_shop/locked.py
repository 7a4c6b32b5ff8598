"""The settings of a shop behind locks: TLS, services that know each other by their certificates, and callers by their tokens."""

from collections.abc import Mapping
from pathlib import Path

from local_shop.certs import AUDIENCE, CA_FILE, ISSUER, JWKS_FILE, SPIFFE_ID
from local_shop.ports import HOST

# By whom each service is called.
CALLERS = {"catalog": "order", "customer": "order", "order": "customer"}


def locked_settings(folder: Path, mtls_ports: Mapping[str, int]) -> dict[str, dict[str, str]]:
    """Returns, by service, the settings with which it uses what `make_certs` made in `folder`.

    `mtls_ports` are the ports, by service, at which its neighbours call it.
    """
    settings = {service: _of_service(folder, service) for service in CALLERS}
    for service, port in mtls_ports.items():
        caller = CALLERS[service]
        settings[service] |= {"MTLS_PORT": str(port), "SERVICE_SANS": f"{caller}={SPIFFE_ID.format(caller)}"}
        settings[caller][f"{service.upper()}_ADDR"] = f"{HOST}:{port}"
    return settings


def _of_service(folder: Path, service: str) -> dict[str, str]:
    return {
        "TLS_CERT_FILE": str(folder / f"{service}.pem"),
        "TLS_KEY_FILE": str(folder / f"{service}.key"),
        "TLS_CA_FILE": str(folder / CA_FILE),
        "TOKEN_ISSUER": ISSUER,
        "TOKEN_AUDIENCE": AUDIENCE,
        "TOKEN_KEYS_FILE": str(folder / JWKS_FILE),
    }
