"""Runs a service whose failpoints a test holds: `python -m tests.faults.entry order_service`, then the service's own arguments.

At each failpoint the process asks on the socket that FAILPOINT_SOCKET names, and waits for the word: to go on, or to die on the spot.
"""

import asyncio
import importlib
import os
import signal
import sys

from service_runtime import failpoints

SOCKET_VARIABLE = "FAILPOINT_SOCKET"
GO, DIE = b"go\n", b"die\n"


async def ask(name: str) -> None:
    """Stops here until the test has spoken. A test that is gone holds nobody."""
    try:
        reader, writer = await asyncio.open_unix_connection(os.environ[SOCKET_VARIABLE])
    except OSError:
        return
    try:
        writer.write(f"{os.getpid()} {name}\n".encode())
        if await reader.readline() == DIE:
            os.kill(os.getpid(), signal.SIGKILL)
    finally:
        writer.close()


def main() -> None:
    """Installs the handler, and then is the service, started as ever."""
    if os.environ.get(SOCKET_VARIABLE):
        failpoints.install(ask)
    importlib.import_module(f"{sys.argv[1]}.__main__").main(sys.argv[2:])


if __name__ == "__main__":
    main()
