"""Asks a gRPC server on this machine for its health: `python -m service_runtime.healthcheck 50051` exits 0 if it is SERVING."""

import sys

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

HOST = "127.0.0.1"
TIMEOUT_S = 3.0


def is_serving(port: int) -> bool:
    """Returns whether the server says that it is SERVING; raises grpc.RpcError if there is none, or none that answers."""
    with grpc.insecure_channel(f"{HOST}:{port}", options=[("grpc.enable_http_proxy", 0)]) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        answer = health.Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT_S)
    return bool(answer.status == health_pb2.HealthCheckResponse.SERVING)


def main() -> None:
    """Exits with 0 if the server on the port that is named is SERVING, else with 1 and a line that says why."""
    try:
        serving = is_serving(int(sys.argv[1]))
    except grpc.RpcError as error:
        raise SystemExit(f"no answer: {error.code().name}") from error
    if not serving:
        raise SystemExit("not serving")


if __name__ == "__main__":
    main()
