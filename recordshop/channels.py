"""Opens the connections to the services."""

import grpc

OPTIONS = (
    # A service that comes back is met within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    # A peer that vanished without a word is noticed while a call waits for it.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    # grpc sends even calls to 127.0.0.1 through the proxy that the environment names; the shop is called directly.
    ("grpc.enable_http_proxy", 0),
)


def open_channel(address: str) -> grpc.aio.Channel:
    """Opens a channel to `host:port`; it connects with its first call."""
    return grpc.aio.insecure_channel(address, options=OPTIONS)
