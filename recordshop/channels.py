"""Opens the connections to the services: in the clear on one machine, by TLS and with a token elsewhere."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

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


@dataclass(frozen=True, kw_only=True)
class Tls:
    """How to be sure of the services, and how to prove oneself by a certificate.

    `ca` is the PEM file of the CA that signed the services' certificates; without one, gRPC's own list of CAs decides. `certificate` and
    `key` are a client certificate's PEM files, for services at their ports for neighbours. `server_name` is the name that the services'
    certificates must have, if it is not the one that they are called by.
    """

    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    server_name: str | None = None

    def credentials(self) -> grpc.ChannelCredentials:
        """Reads the files."""
        pems = [None if path is None else path.read_bytes() for path in (self.ca, self.key, self.certificate)]
        return grpc.ssl_channel_credentials(*pems)


# Answers the token to call with now. It is asked at every call, so that it can answer a new one before the old one expires.
TokenSource = Callable[[], str]


def open_channel(address: str, *, tls: Tls | None = None, token: str | TokenSource | None = None) -> grpc.aio.Channel:
    """Opens a channel to `host:port`; it connects with its first call.

    A token is sent as `authorization: Bearer ...`, and only by TLS: without it ValueError.
    """
    if tls is None:
        if token is not None:
            raise ValueError("a token is sent by TLS alone: give tls=Tls(ca=...)")
        return grpc.aio.insecure_channel(address, options=OPTIONS)
    credentials = tls.credentials()
    if token is not None:
        credentials = grpc.composite_channel_credentials(credentials, _call_credentials(token))
    names = () if tls.server_name is None else (("grpc.ssl_target_name_override", tls.server_name),)
    return grpc.aio.secure_channel(address, credentials, options=(*OPTIONS, *names))


def _call_credentials(token: str | TokenSource) -> grpc.CallCredentials:
    if isinstance(token, str):
        return grpc.access_token_call_credentials(token)
    return grpc.metadata_call_credentials(_Bearer(token))


class _Bearer(grpc.AuthMetadataPlugin):
    def __init__(self, source: TokenSource) -> None:
        self._source = source

    def __call__(self, context: grpc.AuthMetadataContext, callback: grpc.AuthMetadataPluginCallback) -> None:
        del context
        try:
            metadata = (("authorization", f"Bearer {self._source()}"),)
        except Exception as error:  # noqa: BLE001 - gRPC fails the call with it; raised here it would hang.
            callback((), error)
            return
        callback(metadata, None)
