"""Free TCP ports of this machine for servers that end with the process that chose them."""

import random
import socket
from contextlib import ExitStack

HOST = "127.0.0.1"

# Below the range that Linux takes the ports of outgoing connections from (32768 and up): otherwise any connection
# could take the port between its choice here and the server's bind.
PORT_MIN = 20_000
PORT_MAX = 32_000
ATTEMPTS_MAX = 200


def free_port() -> int:
    """Return a port that nothing listened on a moment ago."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """Return `count` different ports that nothing listened on a moment ago; OSError if there are too few.

    They are chosen at random, so that two runs on one machine at the same time hardly ever meet.
    """
    ports: list[int] = []
    with ExitStack() as held:
        for _ in range(ATTEMPTS_MAX * count):
            if len(ports) == count:
                return ports
            # Held until all are chosen, so that none is chosen twice. No SO_REUSEADDR: a lingering port is not free.
            candidate = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM))
            port = random.randint(PORT_MIN, PORT_MAX)  # noqa: S311 -- spreads ports, guards nothing
            try:
                candidate.bind((HOST, port))
            except OSError:
                continue
            ports.append(port)
    if len(ports) == count:
        return ports
    raise OSError(f"found only {len(ports)} of {count} free ports between {PORT_MIN} and {PORT_MAX}")
