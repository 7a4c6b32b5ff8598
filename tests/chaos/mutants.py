"""Runs the harness against services that break a rule: a harness that does not find that proves nothing."""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from tests.chaos.spell import Plan, Spell
from tests.chaos.stage import Ground, opened_stage

SPELLS_MAX = 10
SPELL_S = 4.0
SETTLE_TIMEOUT_S = 6.0
TOLD_MAX = 3
# Copies that are sold out in the first second.
SOON_GONE = (2, 4, 6)

KILLS = {"kill": 3, "terminate_backends": 1, "half_open": 1}
BUYS = {"order": 4, "duplicates": 4, "delivery": 1}
CANCELS = {"order": 2, "buy_and_cancel": 4, "race_to_cancel": 4, "cancel_and_leave": 3, "delivery": 1}
RETURNS = {"order": 3, "give_back": 4, "buy_and_give_back": 4, "parts_at_once": 2, "return_again": 2, "delivery": 1}


@dataclass(frozen=True)
class Mutant:
    """A rule that is broken, and a schedule that makes it matter: load, faults, and steps that take long."""

    rule: str
    load: Mapping[str, int] = field(default_factory=lambda: {**BUYS, **CANCELS})
    faults: Mapping[str, int] = field(default_factory=lambda: KILLS)
    lags: Sequence[str] = ("*=0.05:0.3",)
    scarce: Sequence[int] = (40, 80, 120)
    fault_interval_s: float = 1.3
    shoppers: int = 8

    @property
    def plan(self) -> Plan:
        """A short spell of it."""
        return Plan(
            seconds=SPELL_S,
            fault_interval_s=self.fault_interval_s,
            shoppers=self.shoppers,
            settle_timeout_s=SETTLE_TIMEOUT_S,
            scarce=self.scarce,
            faults=self.faults,
            load=self.load,
        )


MUTANTS: Mapping[str, Mutant] = {
    "conflicts_are_ignored": Mutant(
        "a second decision about an id undoes its whole statement",
        {"duplicates": 12, "delivery": 1},
        faults={"delay": 1},
        lags=(),
    ),
    "refusals_are_forgotten": Mutant(
        "a refusal is recorded",
        {"duplicates": 10, "buy_and_cancel": 4, "cancel": 2, "loss": 2, "delivery": 1},
        faults={"terminate_backends": 1, "delay": 1},
        lags=("order.taken_in=0.5:0.3", "order.stock_answered=0.7:0.7"),
        shoppers=20,
        scarce=SOON_GONE,
    ),
    "no_mark_is_left": Mutant("releasing an unknown id leaves a mark", CANCELS, lags=("order.taken_in=0.4:0.4",)),
    "copies_come_back_twice": Mutant("copies come back once", {**CANCELS, "cancel": 4}),
    "copies_come_back_unseen": Mutant("every move of stock is counted", {**CANCELS, "cancel": 4}),
    "movements_are_repeated": Mutant("a movement counts once", {**BUYS, "delivery": 4}),
    "stock_is_not_looked_at": Mutant("nothing is sold that is not there", BUYS),
    "ids_are_invented": Mutant("an order's id follows from its request", BUYS),
    "status_is_overwritten": Mutant(
        "a status changes only from the one it is meant to", CANCELS, lags=("order.stock_answered=0.4:0.4",)
    ),
    "journal_is_not_written": Mutant(
        "open work is in the journal",
        {"leave": 4, "order": 1},
        faults={"kill": 3, "half_open": 2, "cut": 2},
        lags=("order.taken_in=0.5:0.8",),
        fault_interval_s=0.5,
    ),
    "queue_is_closed_first": Mutant(
        "a queued order is in line until it is decided",
        {"queue_and_leave": 1},
        faults={"kill": 3, "half_open": 2, "cut": 2},
        lags=("order.stock_answered=0.5:0.8",),
        fault_interval_s=0.5,
    ),
    "release_comes_first": Mutant(
        "a cancel marks the order before it gives the copies back",
        # Few cancels of each order: the next one would put right what a kill has left.
        {"order": 6, "cancel_and_leave": 4, "delivery": 1},
        faults={"kill": 2, "postgres_restart": 3},
        lags=("order.stock_released=0.8:0.8",),
    ),
    "memory_refuses": Mutant(
        "sold out is said by the catalog, as of now", {"order": 12, "delivery": 1}, scarce=SOON_GONE
    ),
    "recovery_rejects": Mutant("recovery asks, it does not decide", BUYS, lags=("order.stock_answered=0.2:2.5",)),
    "payloads_are_not_compared": Mutant(
        "a request_id stands for one payload", {"order": 2, "two_payloads": 2, "used_id": 2}
    ),
    "returns_are_made_twice": Mutant("copies of a return come back once", RETURNS),
    "written_off_copies_are_shelved": Mutant("what is written off never reaches the shelf", RETURNS),
    "returns_are_not_journaled": Mutant(
        "a return that is under way is in the journal",
        {"order": 3, "return_and_leave": 6},
        faults={"kill": 3, "half_open": 2, "cut": 2},
        lags=("order.return_recorded=0.6:0.8",),
        fault_interval_s=0.5,
    ),
    "returns_are_not_compared": Mutant(
        "a return's request_id stands for one return", {"order": 3, "used_return_id": 4}
    ),
    "cancel_overtakes_return": Mutant(
        "a cancel of the whole waits for a return that is under way",
        {"order": 4, "return_and_cancel": 6, "delivery": 1},
        lags=("order.return_recorded=0.5:0.3",),
    ),
}


@dataclass
class MutantsRan:
    """Per mutant: what was found, and after how many seconds of load and checks."""

    found: dict[str, dict[str, object]] = field(default_factory=dict)
    caught: int = 0

    @property
    def all_caught(self) -> bool:
        """Whether the harness can be trusted."""
        return self.caught == len(self.found) > 0

    def as_json(self) -> dict[str, object]:
        """The report as it stands in chaos-mutants.json."""
        return {"total": len(self.found), "caught": self.caught, "mutants": self.found}

    def last_line(self) -> str:
        """The verdict."""
        missed = [name for name, found in self.found.items() if not found["caught"]]
        word = "OK" if self.all_caught else "FAILED"
        return f"CHAOS MUTANTS {word} total={len(self.found)} caught={self.caught}{''.join(f' missed={name}' for name in missed)}"


async def run_mutants(ground: Ground, seed: str, show: Callable[[str], None], only: str = "") -> MutantsRan:
    """Runs each mutant, or those with `only` in their names, until it is caught, for SPELLS_MAX spells at most."""
    ran = MutantsRan()
    for name, mutant in MUTANTS.items():
        if only not in name:
            continue
        found = await _run(ground, name, mutant, seed, show)
        ran.found[name] = {"rule": mutant.rule, **found}
        ran.caught += bool(found["caught"])
        show(f"{name}: {'caught after ' + str(found['seconds']) + ' s' if found['caught'] else 'MISSED'} {found['by']}")
    return ran


async def _run(ground: Ground, name: str, mutant: Mutant, seed: str, show: Callable[[str], None]) -> dict[str, object]:
    lags = [part for lag in mutant.lags for part in ("--lag", lag)]
    async with opened_stage(ground, f"mutant_{name}", ("--mutant", name, *lags)) as stage:
        begin_s = time.monotonic()
        for number in range(SPELLS_MAX):
            spell = Spell(stage, mutant.plan, f"{seed}.{name}.{number}", lambda text: show(f"{name} {text}"))
            violations = (await spell.run()).violations
            if violations:
                rules = list(dict.fromkeys(violation.rule for violation in violations))
                return {
                    "caught": True,
                    "seconds": round(time.monotonic() - begin_s, 1),
                    "spells": number + 1,
                    "by": rules,
                    "violations": [violation.as_json() for violation in violations[:TOLD_MAX]],
                }
        return {"caught": False, "seconds": round(time.monotonic() - begin_s, 1), "spells": SPELLS_MAX, "by": []}
