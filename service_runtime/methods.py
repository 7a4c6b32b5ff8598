"""The methods of a server, read from the descriptors of its services."""

from collections.abc import Sequence

from google.protobuf import descriptor_pool
from grpc_health.v1 import health
from grpc_reflection.v1alpha import reflection

from service_runtime.metrics import Method

KINDS = {
    (False, False): "unary",
    (True, False): "client_stream",
    (False, True): "server_stream",
    (True, True): "bidi_stream",
}


def methods_of(service_names: Sequence[str]) -> list[Method]:
    """Answers all methods of these services, of health and of reflection: kind, service and name of each."""
    pool = descriptor_pool.Default()
    return [
        (KINDS[method.client_streaming, method.server_streaming], name, method.name)
        for name in (*service_names, health.SERVICE_NAME, reflection.SERVICE_NAME)
        for method in pool.FindServiceByName(name).methods
    ]
