"""Server reflection that grpcurl and ghz can use, error details included."""

from collections.abc import Sequence
from typing import Any

import grpc
from google.protobuf import descriptor_pool
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha import reflection


class _MethodAwarePool:
    """The default descriptor pool, which also finds methods.

    ghz asks for the file of a method's name, and protobuf's own pool only knows files of services: the method's service answers for it.
    """

    def __init__(self) -> None:
        self._pool: Any = descriptor_pool.Default()
        # grpcurl shows error details only if reflection knows their types; asking for the file here keeps it in the pool.
        self._pool.FindFileByName(error_details_pb2.DESCRIPTOR.name)

    def FindFileContainingSymbol(self, symbol: str) -> Any:  # noqa: N802 - the pool's own name for it.
        try:
            return self._pool.FindFileContainingSymbol(symbol)
        except KeyError:
            service, _, _ = symbol.rpartition(".")
            return self._pool.FindFileContainingSymbol(service)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._pool, name)


def enable_reflection(server: grpc.aio.Server, service_names: Sequence[str]) -> None:
    """Answers grpc.reflection.v1alpha for the named services and for itself."""
    reflection.enable_server_reflection([*service_names, reflection.SERVICE_NAME], server, pool=_MethodAwarePool())
