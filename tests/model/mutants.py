"""Which world shows what each rule is for, and within how many steps."""

from typing import NamedTuple

from tests.model import worlds
from tests.model.world import World


class Mutant(NamedTuple):
    """A rule that does not hold in a world, and the length of the shortest way to something wrong."""

    rule: str
    world: World
    steps: int


MUTANTS = (
    Mutant("stock_with_ledger", worlds.DUPLICATES, 2),
    Mutant("refusals_recorded", worlds.DELIVERIES, 6),
    Mutant("tombstone", worlds.DUPLICATES, 4),
    Mutant("conflict_undoes_all", worlds.STATEMENTS, 6),
    Mutant("ledger_first", worlds.DUPLICATES, 5),
    Mutant("stock_conditional", worlds.SALE, 4),
    Mutant("locked_then_read", worlds.STATEMENTS_OF_TWO, 6),
    Mutant("group_exact", worlds.GROUP, 2),
    Mutant("released_once", worlds.DUPLICATES, 6),
    Mutant("release_in_two_statements", worlds.STATEMENTS, 7),
    Mutant("fingerprint_in_catalog", worlds.SOLD_OUT_PAYLOADS, 4),
    Mutant("off_sale_takes_back", worlds.STOCK_ROOM, 3),
    Mutant("movement_once", worlds.DELIVERIES, 2),
    Mutant("moved_by_difference", worlds.STOCK_ROOM, 4),
    Mutant("catalog_replays_write", worlds.STANDBY, 6),
    Mutant("id_from_request", worlds.DUPLICATES, 2),
    Mutant("pending_first", worlds.DUPLICATES, 1),
    Mutant("existing_wins", worlds.DUPLICATES, 3),
    Mutant("conflict_answers_row", worlds.DUPLICATES, 2),
    Mutant("fingerprint_in_orders", worlds.PAYLOADS, 4),
    Mutant("journal_with_insert", worlds.DUPLICATES, 1),
    Mutant("pending_never_dropped", worlds.DUPLICATES, 2),
    Mutant("customer_asked_after_call", worlds.CUSTOMERS, 5),
    Mutant("order_looked_up", worlds.CUSTOMERS, 3),
    Mutant("order_replays_write", worlds.STANDBY, 4),
    Mutant("distinct_in_group", worlds.GROUP_OF_ONE_ID, 3),
    Mutant("decide_conditional", worlds.DUPLICATES, 4),
    Mutant("mark_conditional", worlds.DUPLICATES, 5),
    Mutant("answer_is_row", worlds.DELIVERIES, 4),
    Mutant("never_gives_up", worlds.DUPLICATES, 3),
    Mutant("mark_before_release", worlds.DUPLICATES, 4),
    Mutant("cancel_journaled", worlds.DUPLICATES, 4),
    Mutant("release_before_cancelled", worlds.DUPLICATES, 3),
    Mutant("group_row_until_all_decided", worlds.GROUP, 4),
    Mutant("closed_by_looking", worlds.GROUP, 5),
    Mutant("recovery_asks_no_customer", worlds.CUSTOMERS, 6),
    Mutant("lease_only_saves_work", worlds.DUPLICATES, 5),
    Mutant("recovery_reads_durably", worlds.STANDBY, 8),
    Mutant("denies_by_fresh_knowledge", worlds.SOLD_OUT, 4),
    Mutant("denial_recorded", worlds.SOLD_OUT_STANDBY, 4),
    Mutant("denies_unseen_only", worlds.SOLD_OUT, 4),
    Mutant("refusal_written", worlds.SOLD_OUT, 3),
    Mutant("other_payload_ends_order", worlds.SOLD_OUT_PAYLOADS, 2),
    Mutant("queued_with_insert", worlds.QUEUE, 1),
    Mutant("position_by_commit", worlds.QUEUE, 4),
    Mutant("first_in_line_first", worlds.QUEUE, 4),
    Mutant("queued_left_to_workers", worlds.QUEUE_GROUP, 4),
    Mutant("queue_closed_by_looking", worlds.QUEUE_GROUP, 6),
    Mutant("worker_reads_durably", worlds.QUEUE_STANDBY, 5),
    Mutant("denies_where_none_stands", worlds.QUEUE_SOLD_OUT, 3),
    Mutant("returned_conditional", worlds.RETURN_PAYLOADS, 5),
    Mutant("return_once", worlds.RETURN_PAYLOADS, 5),
    Mutant("return_fingerprint", worlds.RETURN_PAYLOADS, 4),
    Mutant("written_off_at_once", worlds.RETURNS, 2),
    Mutant("release_net_of_returns", worlds.RETURNS, 4),
    Mutant("undecided_keeps_all", worlds.RETURN_UNDECIDED, 4),
    Mutant("one_return_at_a_time", worlds.RETURN_PAYLOADS, 4),
    Mutant("cancel_waits_for_return", worlds.RETURNS, 4),
    Mutant("return_ended_once", worlds.RETURN_PAYLOADS, 6),
    Mutant("return_journaled", worlds.RETURNS, 1),
    Mutant("last_part_cancels", worlds.RETURN_PAYLOADS, 4),
)
