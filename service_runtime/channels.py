"""Channels to the neighbours."""

import json

import grpc

from service_runtime import tracing

# A neighbour that restarts is found again at once, not after grpc's usual second and more.
RECONNECT_BACKOFF_MIN_MS = 50
RECONNECT_BACKOFF_MAX_MS = 500
ATTEMPTS_MAX = 3


def open_channel(address: str, service_name: str) -> grpc.aio.Channel:
    """Opens a channel whose calls to service_name, all of them safe to repeat, are tried again when the neighbour is unavailable."""
    retry_policy = {
        "maxAttempts": ATTEMPTS_MAX,
        "initialBackoff": "0.05s",
        "maxBackoff": "0.5s",
        "backoffMultiplier": 2,
        "retryableStatusCodes": ["UNAVAILABLE"],
    }
    service_config = {"methodConfig": [{"name": [{"service": service_name}], "retryPolicy": retry_policy}]}
    channel = grpc.aio.insecure_channel(
        address,
        options=[
            # Neighbours are reached directly: grpc would send even a loopback address through a proxy that the environment names.
            ("grpc.enable_http_proxy", 0),
            ("grpc.initial_reconnect_backoff_ms", RECONNECT_BACKOFF_MIN_MS),
            ("grpc.min_reconnect_backoff_ms", RECONNECT_BACKOFF_MIN_MS),
            ("grpc.max_reconnect_backoff_ms", RECONNECT_BACKOFF_MAX_MS),
            ("grpc.service_config", json.dumps(service_config)),
        ],
    )
    return tracing.traced_channel(channel)
