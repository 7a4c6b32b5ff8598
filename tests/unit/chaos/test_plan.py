"""The nemesis' plan and the load's choices follow from the seed."""

import random
from collections import Counter

from tests.chaos.desk import Desk
from tests.chaos.faults import KINDS, Fault
from tests.chaos.history import History
from tests.chaos.load import KINDS as ACTIONS
from tests.chaos.nemesis import plan_faults
from tests.chaos.run import SHORT_RUN_S, SPELL_S
from tests.chaos.shopper import Shelf, Shopper
from tests.chaos.spell import Plan
from tests.chaos.wishes import Wish
from tests.unit.chaos.stories import CUSTOMER, DISC

OTHER_DISC = "0b2f5c4e-9d9f-4d0e-8a55-0d3c3b8a6f02"
FAULTS_MIN = 30


def planned(seed: str, seconds: float = SPELL_S, skipped: tuple[str, ...] = ()) -> list[Fault]:
    interval_s = Plan().fault_interval_s
    return plan_faults(random.Random(seed), seconds=seconds, interval_s=interval_s, skipped=skipped, weights=None)


def wishes(seed: str) -> list[Wish]:
    shopper = Shopper(Desk(History(), []), Shelf([DISC], OTHER_DISC), CUSTOMER, seed)
    return [shopper.wish() for _ in range(50)]


def test_a_seed_repeats_its_plan_and_another_does_not() -> None:
    assert planned("1") == planned("1") != planned("2")
    assert wishes("1") == wishes("1") != wishes("2")


def test_a_short_run_has_enough_faults_and_each_spell_has_every_kind() -> None:
    for seed in range(20):
        spells = [planned(f"{seed}.{number}") for number in range(int(SHORT_RUN_S / SPELL_S))]
        assert sum(map(len, spells)) >= FAULTS_MIN
        assert all({fault.kind for fault in spell} == set(KINDS) for spell in spells)


def test_what_cannot_be_done_here_is_not_planned() -> None:
    assert "full_disk" not in {fault.kind for fault in planned("1", 600, ("full_disk",))}


def test_each_fault_has_a_target_of_its_kind_and_ends_in_time() -> None:
    faults = planned("1", 600)
    assert [fault.at_s for fault in faults] == sorted(fault.at_s for fault in faults)
    for fault in faults:
        assert fault.target in KINDS[fault.kind].targets
        assert fault.lasts_s <= max(0.1, KINDS[fault.kind].lasts_max_s)


def test_weights_choose_what_happens() -> None:
    faults = plan_faults(random.Random(1), seconds=100, interval_s=1, skipped=(), weights={"kill": 9, "cut": 1})
    counted = Counter(fault.kind for fault in faults)
    assert counted.keys() == {"kill", "cut"}
    assert counted["kill"] > counted["cut"]


def test_the_same_request_id_gets_another_payload() -> None:
    shopper = Shopper(Desk(History(), []), Shelf([DISC], OTHER_DISC), CUSTOMER, "1")
    for _ in range(100):
        wish = shopper.wish()
        other = shopper.other_payload(wish)
        assert other.order_id == wish.order_id
        assert other.lines != wish.lines


def test_the_load_has_every_kind_that_the_rules_are_about() -> None:
    wanted = {
        "order",
        "duplicates",
        "two_payloads",
        "used_id",
        "cancel",
        "race_to_cancel",
        "give_back",
        "buy_and_give_back",
        "return_and_cancel",
        "return_again",
        "used_return_id",
        "delivery",
        "batch",
        "stream",
    }
    assert wanted <= ACTIONS.keys()
