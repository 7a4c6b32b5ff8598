"""A channel to a neighbour whose certificates are replaced while it is in use."""

import asyncio
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import grpc
import structlog

from service_runtime.tls import TlsFiles, channel_credentials

# How often the files are looked at, while calls are made.
LOOK_EVERY_S = 1.0
# What a call may take that was begun before the certificates were replaced.
FAREWELL_S = 60.0

log = structlog.get_logger(__name__)


class RenewedChannel:
    """Makes each call on a channel that was opened with the certificates of now; calls under way end on the one that they began on.

    gRPC for Python can renew the certificates of a server, but not those of a channel.
    """

    def __init__(self, *, files: TlsFiles, connect: Callable[[grpc.ChannelCredentials], grpc.aio.Channel]) -> None:
        self._files = files
        self._connect = connect
        self._look_at_s = 0.0
        self._farewells: set[asyncio.Task[None]] = set()
        self._channel = connect(channel_credentials(files.read()))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for farewell in self._farewells:
            farewell.cancel()
        await asyncio.gather(*self._farewells, return_exceptions=True)
        await self._channel.close()

    def unary_unary(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        """The method of the channel that there is at each call."""
        return self._method("unary_unary", arguments, options)

    def unary_stream(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        """The method of the channel that there is at each call."""
        return self._method("unary_stream", arguments, options)

    def stream_unary(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        """The method of the channel that there is at each call."""
        return self._method("stream_unary", arguments, options)

    def stream_stream(self, *arguments: Any, **options: Any) -> Callable[..., Any]:
        """The method of the channel that there is at each call."""
        return self._method("stream_stream", arguments, options)

    def _method(self, kind: str, arguments: tuple[Any, ...], options: dict[str, Any]) -> Callable[..., Any]:
        made_by: grpc.aio.Channel | None = None
        made: Any = None

        def call(*given: Any, **how: Any) -> Any:
            nonlocal made_by, made
            channel = self._current()
            if channel is not made_by:
                made_by, made = channel, getattr(channel, kind)(*arguments, **options)
            return made(*given, **how)

        return call

    def _current(self) -> grpc.aio.Channel:
        now_s = time.monotonic()
        if now_s >= self._look_at_s:
            self._look_at_s = now_s + LOOK_EVERY_S
            pems = self._files.renewed()
            if pems is not None:
                log.info("the certificates were replaced: connecting anew")
                farewell = asyncio.create_task(self._channel.close(FAREWELL_S))
                self._farewells.add(farewell)
                farewell.add_done_callback(self._farewells.discard)
                self._channel = self._connect(channel_credentials(pems))
        return self._channel
