"""What errors said to callers, kept to be looked through."""

from collections.abc import Awaitable
from typing import Any

import grpc
from grpc_status import rpc_status


class KeptErrors:
    """Makes calls that may fail, and keeps all that their errors say."""

    def __init__(self) -> None:
        self._said: list[str] = []

    @property
    def text(self) -> str:
        """All of them."""
        return "\n".join(self._said)

    def keep(self, said: str) -> None:
        """Keeps what was said in an answer."""
        self._said.append(said)

    async def code_of(self, call: Awaitable[Any] | Any) -> grpc.StatusCode:
        """Makes a call, or reads a stream to its end, and answers how it ended."""
        try:
            if hasattr(call, "__aiter__"):
                async for _ in call:
                    pass
            else:
                await call
        except grpc.aio.AioRpcError as error:
            self.keep(f"{error.details()} {rpc_status.from_call(error)} {error.trailing_metadata()}")
            return error.code()
        return grpc.StatusCode.OK
