"""Named places between two steps of a protocol, where a test can stop, kill or delay the process.

Nothing in a service installs a handler, and no setting can: only a test's own entry point does.
"""

from collections.abc import Awaitable, Callable

_handler: Callable[[str], Awaitable[None]] | None = None


def install(handler: Callable[[str], Awaitable[None]] | None) -> None:
    """Lets a test's handler be awaited at every failpoint; None takes it away."""
    global _handler  # noqa: PLW0603 - one process has one handler, and the steps must not carry it around.
    _handler = handler


async def reach(name: str) -> None:
    """Marks a place between two steps."""
    if _handler is not None:
        await _handler(name)
