"""The rows of the benchmark: what is measured, and how."""

import asyncio
from dataclasses import replace
from typing import Protocol

from benchmarks.books import CONFIRMED, fault_of
from benchmarks.load import Call, Load, LoadGenerator
from benchmarks.pace import Pace
from benchmarks.pgbench import Pgbench
from benchmarks.rounds import Round, measured
from benchmarks.shops import BenchShop
from benchmarks.usage import CpuMeter


class Row(Protocol):
    """Something that is measured once in each round."""

    name: str

    async def measure(self) -> Round:
        """Measure it."""


class OrderRow:
    """Orders of one shop: a round counts if they, and nothing else, are in its databases as `status`."""

    def __init__(
        self,
        name: str,
        *,
        shop: BenchShop,
        generator: LoadGenerator,
        call: Call,
        clients: int,
        pace: Pace,
        orders_per_call: int = 1,
        status: str = CONFIRMED,
    ) -> None:
        self.name = name
        self._shop = shop
        self._generator = generator
        self._call = call
        self._clients = clients
        self._pace = pace
        self._orders_per_call = orders_per_call
        self._status = status

    async def measure(self) -> Round:
        """Let the clients order, and hold what they saw against the books."""
        calls = self._pace.calls
        mark = await self._shop.books.mark()
        before = self._shop.cpu.read()
        load = await self._generator.run(self._call, calls=calls, clients=self._clients)
        after = self._shop.cpu.read()
        new = await self._shop.books.since(mark)
        self._pace.learn(calls, load.seconds)
        size = self._orders_per_call
        return measured(
            self.name,
            load,
            clients=self._clients,
            cpu_s=(before, after),
            shop=self._shop.name,
            orders_per_call=size,
            fault=fault_of(asked=calls * size, answered=load.answered * size, status=self._status, new=new),
        )


class BesideBatches:
    """Single callers while others send batches as fast as they can: told are the single callers' orders."""

    def __init__(
        self,
        name: str,
        *,
        shop: BenchShop,
        generator: LoadGenerator,
        single: Call,
        batch: Call,
        clients: int,
        batch_clients: int,
        batch_size: int,
        pace: Pace,
        batch_pace: Pace,
    ) -> None:
        self.name = name
        self._shop = shop
        self._generator = generator
        self._single, self._batch = single, batch
        self._clients, self._batch_clients = clients, batch_clients
        self._batch_size = batch_size
        self._pace, self._batch_pace = pace, batch_pace

    async def measure(self) -> Round:
        """Run both loads at once; the batches should outlast the single orders."""
        calls, batches = self._pace.calls, self._batch_pace.calls
        mark = await self._shop.books.mark()
        before = self._shop.cpu.read()
        singles, bulk = await asyncio.gather(
            self._generator.run(self._single, calls=calls, clients=self._clients),
            self._generator.run(self._batch, calls=batches, clients=self._batch_clients),
        )
        after = self._shop.cpu.read()
        new = await self._shop.books.since(mark)
        self._pace.learn(calls, singles.seconds)
        self._batch_pace.learn(batches, bulk.seconds)
        asked, answered = (
            one + many * self._batch_size for one, many in ((calls, batches), (singles.answered, bulk.answered))
        )
        fault = fault_of(asked=asked, answered=answered, status=CONFIRMED, new=new)
        told = measured(
            self.name, singles, clients=self._clients, cpu_s=(before, after), shop=self._shop.name, fault=fault
        )
        # Both loads used it together.
        return replace(told, cpu_us_per_order={})


class EchoRow:
    """The empty handler: a round counts if all calls were answered."""

    def __init__(
        self, name: str, *, generator: LoadGenerator, call: Call, clients: int, pace: Pace, cpu: CpuMeter
    ) -> None:
        self.name = name
        self._generator = generator
        self._call = call
        self._clients = clients
        self._pace = pace
        self._cpu = cpu

    async def measure(self) -> Round:
        """Let the clients ask for nothing."""
        calls = self._pace.calls
        before = self._cpu.read()
        load = await self._generator.run(self._call, calls=calls, clients=self._clients)
        after = self._cpu.read()
        self._pace.learn(calls, load.seconds)
        fault = None if load.answered == calls else f"{load.answered} of {calls} calls were answered"
        return measured(self.name, load, clients=self._clients, cpu_s=(before, after), fault=fault)


class PgbenchRow:
    """pgbench on the same server: a round counts if its tables hold what it says that it did."""

    def __init__(self, name: str, *, pgbench: Pgbench, clients: int, pace: Pace, cpu: CpuMeter) -> None:
        self.name = name
        self._pgbench = pgbench
        self._clients = clients
        self._pace = pace
        self._cpu = cpu

    async def measure(self) -> Round:
        """Run pgbench."""
        calls = self._pace.calls
        taken, written = await self._pgbench.taken_and_written()
        before = self._cpu.read()
        load = await self._pgbench.run(clients=self._clients, calls=calls)
        after = self._cpu.read()
        taken_after, written_after = await self._pgbench.taken_and_written()
        self._pace.learn(calls, load.seconds)
        done = (taken_after - taken, written_after - written)
        return measured(self.name, load, clients=self._clients, cpu_s=(before, after), fault=_pgbench_fault(load, done))


def _pgbench_fault(load: Load, done: tuple[int, int]) -> str | None:
    if done == (load.answered, load.answered):
        return None
    return (
        f"{load.answered} transactions were processed, and the database holds {done[0]} copies taken, {done[1]} orders"
    )
