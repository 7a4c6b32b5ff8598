"""Errors as a test reads them, from any service."""

from collections.abc import Awaitable
from dataclasses import dataclass

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status


@dataclass(frozen=True)
class Refusal:
    """What an error says: its code, its one reason with figures, and the fields that were bad."""

    code: grpc.StatusCode
    reason: str
    metadata: dict[str, str]
    bad_fields: tuple[str, ...] = ()

    def says(self, code: grpc.StatusCode, reason: str, **metadata: str) -> bool:
        """Tell whether it is this error, with these figures among others."""
        return (self.code, self.reason) == (code, reason) and self.metadata.items() >= metadata.items()


async def refusal_of(call: Awaitable[object]) -> Refusal:
    """Await a call that must fail, and read its error; every error has one ErrorInfo of the shop's domain."""
    with pytest.raises(grpc.aio.AioRpcError) as raised:
        await call
    return read_refusal(raised.value)


def read_refusal(error: grpc.aio.AioRpcError) -> Refusal:
    """Read an error's details."""
    status = rpc_status.from_call(error)
    assert status is not None, f"an error without details: {error}"
    infos, fields = [], []
    for detail in status.details:
        info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
        if detail.Unpack(info):
            infos.append(info)
        if detail.Unpack(bad):
            fields += [violation.field for violation in bad.field_violations]
    assert [info.domain for info in infos] == ["recordshop"]
    return Refusal(error.code(), infos[0].reason, dict(infos[0].metadata), tuple(fields))


async def bad_fields_of(call: Awaitable[object]) -> set[str]:
    """Await a call that must fail as INVALID_ARGUMENT, and return the fields that it names."""
    refusal = await refusal_of(call)
    assert refusal.code is grpc.StatusCode.INVALID_ARGUMENT, refusal
    return set(refusal.bad_fields)
