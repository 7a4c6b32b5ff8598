"""A port that is held for workers, on the machine's own sockets."""

import errno
import socket
from collections.abc import Iterator

import grpc
import pytest

from local_shop.ports import free_port
from service_runtime.reserved_port import ReservedPort

HOST = "127.0.0.1"
ANYWHERE = "0.0.0.0"
TIMEOUT_S = 10.0


def listener(address: str, number: int, *, reuseport: int) -> socket.socket:
    """Listen as a server does; OSError if that is not allowed."""
    server = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    try:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, reuseport)
        server.bind((address, number))
        server.listen()
    except OSError:
        server.close()
        raise
    return server


def refused(address: str, number: int, *, reuseport: int) -> bool:
    """Tell whether nobody may listen there."""
    try:
        listener(address, number, reuseport=reuseport).close()
    except OSError as error:
        return error.errno == errno.EADDRINUSE
    return False


@pytest.fixture
def port() -> Iterator[ReservedPort]:
    """A reserved port of this machine's choice."""
    with ReservedPort(HOST, 0) as reserved:
        yield reserved


@pytest.mark.parametrize("address", [HOST, ANYWHERE])
@pytest.mark.parametrize("reuseport", [0, 1])
def test_nobody_listens_on_a_reserved_port(port: ReservedPort, address: str, reuseport: int) -> None:
    assert refused(address, port.number, reuseport=reuseport)
    with pytest.raises(OSError, match="in use"):
        ReservedPort(address, port.number)


def test_who_is_let_in_listens_and_nobody_joins_him_afterwards(port: ReservedPort) -> None:
    servers = []
    for _ in range(3):
        with port.open():
            servers.append(listener(HOST, port.number, reuseport=1))
            # Still nobody's who does not want to share it.
            assert refused(HOST, port.number, reuseport=0)
        for address in (HOST, ANYWHERE):
            for reuseport in (0, 1):
                assert refused(address, port.number, reuseport=reuseport)
    for server in servers:
        server.close()


async def test_a_server_with_the_options_that_grpc_has_by_itself_is_kept_out(port: ReservedPort) -> None:
    with port.open():
        worker = listener(HOST, port.number, reuseport=1)
    with worker:
        for address in (HOST, "[::]"):
            server = grpc.aio.server()
            with pytest.raises(RuntimeError):
                server.add_insecure_port(f"{address}:{port.number}")
            await server.stop(None)


def test_no_connection_ends_up_with_the_reserved_port(port: ReservedPort) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((HOST, port.number), TIMEOUT_S)
    with port.open():
        server = listener(HOST, port.number, reuseport=1)
    with server:
        server.settimeout(TIMEOUT_S)
        for _ in range(50):
            with socket.create_connection((HOST, port.number), TIMEOUT_S) as client, server.accept()[0] as accepted:
                assert accepted.getpeername() == client.getsockname()


def test_a_port_that_somebody_listens_on_is_in_use() -> None:
    for reuseport in (0, 1):
        with listener(HOST, 0, reuseport=reuseport) as server:
            for address in (HOST, ANYWHERE, "localhost"):
                with pytest.raises(OSError, match="in use"):
                    ReservedPort(address, server.getsockname()[1])


def test_lingering_connections_of_a_predecessor_are_no_obstacle() -> None:
    number = free_port()
    server = listener(HOST, number, reuseport=0)
    with socket.create_connection((HOST, number), TIMEOUT_S) as client, server:
        server.accept()[0].close()
        assert client.recv(1) == b""
    with ReservedPort(HOST, number) as first:
        assert refused(HOST, number, reuseport=1)
        with pytest.raises(OSError, match="in use"):
            ReservedPort(HOST, number)
        with first.open():
            listener(HOST, number, reuseport=1).close()


@pytest.mark.parametrize("host", [HOST, ANYWHERE, "[::]", "[::1]"])
async def test_wherever_grpc_would_listen_the_port_is_reserved(host: str) -> None:
    with ReservedPort(host, 0) as port:
        server = grpc.aio.server()
        with pytest.raises(RuntimeError):
            server.add_insecure_port(f"{host}:{port.number}")
        await server.stop(None)


@pytest.mark.parametrize("host", [ANYWHERE, "[::]"])
def test_a_wildcard_stands_for_ipv6_and_ipv4(host: str) -> None:
    with ReservedPort(host, 0) as port:
        for address in ("::1", HOST):
            assert refused(address, port.number, reuseport=1)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(OSError, match="assign"):
        ReservedPort("192.0.2.1", 0)
