"""Channels to the neighbours."""

import json
from collections.abc import Sequence
from typing import Any, cast

import grpc

from service_runtime import tracing
from service_runtime.access_settings import AccessSettings
from service_runtime.renewed_channel import RenewedChannel
from service_runtime.tls import TlsFiles

# A neighbour that restarts is found again at once, not after grpc's usual second and more.
RECONNECT_BACKOFF_MIN_MS = 50
RECONNECT_BACKOFF_MAX_MS = 500
ATTEMPTS_MAX = 3


def open_channel(address: str, service_name: str, settings: AccessSettings) -> grpc.aio.Channel:
    """Opens a channel whose calls to service_name, all of them safe to repeat, are tried again when the neighbour is unavailable.

    With a CA of the services in the settings it is mutual TLS, with certificates that are renewed when their files are.
    """
    options = _options(service_name)
    if settings.tls_ca_file is None or settings.tls_cert_file is None or settings.tls_key_file is None:
        return tracing.traced_channel(grpc.aio.insecure_channel(address, options=options))
    files = TlsFiles(certificate=settings.tls_cert_file, key=settings.tls_key_file, ca=settings.tls_ca_file)
    renewed = RenewedChannel(
        files=files,
        connect=lambda credentials: tracing.traced_channel(
            grpc.aio.secure_channel(address, credentials, options=options)
        ),
    )
    # It makes the same calls; what else a channel can do is nothing that a client of a neighbour uses.
    return cast("grpc.aio.Channel", renewed)


def _options(service_name: str) -> Sequence[tuple[str, Any]]:
    retry_policy = {
        "maxAttempts": ATTEMPTS_MAX,
        "initialBackoff": "0.05s",
        "maxBackoff": "0.5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    service_config = {"methodConfig": [{"name": [{"service": service_name}], "retryPolicy": retry_policy}]}
    return [
        # Neighbours are reached directly: grpc would send even a loopback address through a proxy that the environment names.
        ("grpc.enable_http_proxy", 0),
        ("grpc.initial_reconnect_backoff_ms", RECONNECT_BACKOFF_MIN_MS),
        ("grpc.min_reconnect_backoff_ms", RECONNECT_BACKOFF_MIN_MS),
        ("grpc.max_reconnect_backoff_ms", RECONNECT_BACKOFF_MAX_MS),
        ("grpc.service_config", json.dumps(service_config)),
    ]
