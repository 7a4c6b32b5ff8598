"""A port that is held for workers: nobody else can listen on it, and whoever holds it does not listen either."""

import errno
import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from types import TracebackType
from typing import Self

WILDCARDS = frozenset({"0.0.0.0", "::"})  # noqa: S104 - compared with, not bound.
# An address of every Linux machine that no server listens on: see ReservedPort.open.
UNUSED_ADDRESS = "127.255.255.1"


class ReservedPort:
    """A port bound at `host` as one server alone would bind it; raises OSError if it is in use, or not this machine's.

    The sockets are bound and never listen, so that no connection ends up with them. Number 0 stands for any free port.
    """

    def __init__(self, host: str, number: int) -> None:
        self.number = number
        self._sockets: list[socket.socket] = []
        with ExitStack() as undo:
            undo.callback(self.close)
            for family, address in _addresses(host):
                holder = socket.socket(family, socket.SOCK_STREAM)
                self._sockets.append(holder)
                if family == socket.AF_INET6:
                    holder.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
                _bind_alone(holder, (address, self.number))
                self.number = holder.getsockname()[1]
            undo.pop_all()

    @contextmanager
    def open(self) -> Iterator[None]:
        """Lets processes of this user listen on the port inside the block, by SO_REUSEPORT; outside it a bind fails as ever.

        A wildcard address is the exception: once a worker listens there, Linux lets in whoever asks with SO_REUSEPORT and is the same user.
        """
        self._share(on=True)
        try:
            yield
        finally:
            # Linux remembers the last address that was bound with SO_REUSEPORT, and lets in whoever asks for that one without a look at
            # the sockets that hold it. What it is to remember is one that nobody wants; where that fails, less is kept out.
            with socket.socket() as last, suppress(OSError):
                last.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                last.bind((UNUSED_ADDRESS, self.number))
            self._share(on=False)

    def close(self) -> None:
        """Gives the port up; who listens on it goes on."""
        for holder in self._sockets:
            holder.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _share(self, *, on: bool) -> None:
        for holder in self._sockets:
            holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, on)


def _bind_alone(holder: socket.socket, address: tuple[str, int]) -> None:
    try:
        holder.bind(address)
    except OSError as error:
        if error.errno != errno.EADDRINUSE:
            raise
    else:
        return
    # Connections of a predecessor linger for a minute, and with SO_REUSEADDR they are no obstacle. It is not tried at once and not kept,
    # because two sockets that both have it may be bound to one port as long as neither listens.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    holder.bind(address)
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def _addresses(host: str) -> Sequence[tuple[socket.AddressFamily, str]]:
    """Answers where grpc would listen: a wildcard means IPv6 and IPv4 to it, by one socket where that is possible."""
    bare = host.removeprefix("[").removesuffix("]")
    if bare in WILDCARDS:
        return [(socket.AF_INET6, "::") if socket.has_dualstack_ipv6() else (socket.AF_INET, "0.0.0.0")]  # noqa: S104
    found = socket.getaddrinfo(bare, None, type=socket.SOCK_STREAM)
    return sorted({(family, str(address[0])) for family, _, _, _, address in found})
