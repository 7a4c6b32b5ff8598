"""A wire that passes on, delays, cuts, and keeps what it should have passed on."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from tests.chaos.proxy import Mode, Wire

ANSWER_TIMEOUT_S = 5.0
SILENCE_S = 0.1


@pytest.fixture
async def wire() -> AsyncIterator[Wire]:
    """A wire to somebody who answers each line in capitals."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while line := await reader.readline():
                writer.write(line.upper())
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    wire = Wire()
    await wire.open()
    wire.target_port = server.sockets[0].getsockname()[1]
    yield wire
    await wire.close()
    await asyncio.wait_for(ended.wait(), ANSWER_TIMEOUT_S)
    server.close()


class Caller:
    """One connection through a wire."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def ask(self, text: str) -> str:
        self._writer.write(f"{text}\n".encode())
        return await self.hear()

    async def hear(self, timeout_s: float = ANSWER_TIMEOUT_S) -> str:
        """The next answer; nothing if the connection has ended."""
        with suppress(ConnectionError):
            async with asyncio.timeout(timeout_s):
                return (await self._reader.readline()).decode().strip()
        return ""

    async def hang_up(self) -> None:
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def connected(wire: Wire) -> Caller:
    host, _, port = wire.address.partition(":")
    return Caller(*await asyncio.open_connection(host, int(port)))


async def test_it_passes_questions_and_answers_on(wire: Wire) -> None:
    caller = await connected(wire)
    assert await caller.ask("one") == "ONE"
    await wire.switch(Mode.DELAY, delay_s=0.01)
    assert await caller.ask("two") == "TWO"
    await caller.hang_up()


@pytest.mark.parametrize("mode", [Mode.BLACK_HOLE, Mode.DEAF])
@pytest.mark.parametrize("resets", [False, True])
async def test_what_is_held_back_arrives_late_or_never(wire: Wire, mode: Mode, resets: bool) -> None:  # noqa: FBT001
    caller = await connected(wire)
    assert await caller.ask("one") == "ONE"
    await wire.switch(mode)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(SILENCE_S):
            await caller.ask("two")
    await wire.heal(resets=resets)
    assert await caller.hear() == ("" if resets else "TWO")
    await caller.hang_up()


async def test_a_cut_ends_connections_and_lets_none_in_until_it_is_healed(wire: Wire) -> None:
    caller = await connected(wire)
    assert await caller.ask("one") == "ONE"
    await wire.switch(Mode.CUT)
    for cut_off in (caller, await connected(wire)):
        assert await cut_off.hear() == ""
        await cut_off.hang_up()
    await wire.heal(resets=False)
    again = await connected(wire)
    assert await again.ask("two") == "TWO"
    await again.hang_up()
