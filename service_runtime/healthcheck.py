"""Asks a gRPC server on this machine for its health: `python -m service_runtime.healthcheck 50051` exits 0 if it is SERVING.

A server with TLS is asked with the path of its certificate behind the port: just this certificate is trusted.
"""

import sys
from contextlib import closing
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

HOST = "127.0.0.1"
TIMEOUT_S = 3.0


def is_serving(port: int, certificate: Path | None = None) -> bool:
    """Returns whether the server says that it is SERVING; raises grpc.RpcError if there is none, or none that answers."""
    with closing(_channel(f"{HOST}:{port}", certificate)) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def _channel(address: str, certificate: Path | None) -> grpc.Channel:
    options: list[tuple[str, str | int]] = [("grpc.enable_http_proxy", 0)]
    if certificate is None:
        return grpc.insecure_channel(address, options=options)
    pem = certificate.read_bytes()
    # Its names are those by which others know the service, hardly ever this machine's loopback.
    options.append(("grpc.ssl_target_name_override", _first_name(pem)))
    return grpc.secure_channel(address, grpc.ssl_channel_credentials(pem), options=options)


def _first_name(pem: bytes) -> str:
    from cryptography import x509  # noqa: PLC0415 - only who has TLS pays for the import.

    certificate = x509.load_pem_x509_certificates(pem)[0]
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return next(iter(names.get_values_for_type(x509.DNSName)), HOST)


def main() -> None:
    """Exits with 0 if the server on the port that is named is SERVING, else with 1 and a line that says why."""
    try:
        serving = is_serving(int(sys.argv[1]), *map(Path, sys.argv[2:3]))
    except grpc.RpcError as error:
        raise SystemExit(f"no answer: {error.code().name}") from error
    if not serving:
        raise SystemExit("not serving")


if __name__ == "__main__":
    main()
