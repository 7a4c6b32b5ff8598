"""Ports that servers can be given."""

import socket

import pytest

from local_shop import ports


def test_free_ports_differ_and_lie_below_those_of_outgoing_connections() -> None:
    chosen = ports.free_ports(5)
    assert len(set(chosen)) == 5
    assert all(ports.PORT_MIN <= port <= ports.PORT_MAX < 32_768 for port in chosen)


def test_a_port_that_is_listened_on_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    taken, free = ports.free_ports(2)
    choices = iter([taken, free])
    with socket.create_server(("127.0.0.1", taken)):
        monkeypatch.setattr("random.randint", lambda *_: next(choices))
        assert ports.free_port() == free
