"""The rules of the order protocol, one flag each. All hold in the code; a mutant takes one away."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Rules:
    """What the order service and the catalog keep to. Each sentence says what is true while its flag is on."""

    # The catalog's ledger.
    # Stock and ledger row are written by one statement.
    stock_with_ledger: bool = True
    # A refusal is recorded: it is the id's decision for ever.
    refusals_recorded: bool = True
    # Releasing an unknown id leaves a mark that no reserve gets past.
    tombstone: bool = True
    # A second row for an id undoes the whole statement, stock included; ON CONFLICT DO NOTHING would keep the UPDATE.
    conflict_undoes_all: bool = True
    # An id that the ledger knows is answered from the ledger, before anybody looks at the disc.
    ledger_first: bool = True
    # Copies are taken only where there are enough.
    stock_conditional: bool = True
    # The disc is locked first, and its stock is read then.
    locked_then_read: bool = True
    # Of a group, each gets what is left when its turn comes.
    group_exact: bool = True
    # Copies go back only where RESERVED becomes RELEASED.
    released_once: bool = True
    # The mark and the giving back are two statements: each sees what was committed before it.
    release_in_two_statements: bool = True
    # The catalog compares fingerprints: an id always means the same lines.
    fingerprint_in_catalog: bool = True
    # A disc that is off sale takes copies back.
    off_sale_takes_back: bool = True
    # A movement's id counts once.
    movement_once: bool = True
    # Stock is moved by a difference, never set.
    moved_by_difference: bool = True
    # A decision is answered again by a statement that writes, so that it waits for the standby.
    catalog_replays_write: bool = True

    # Taking an order in.
    # The order's id follows from the request; nobody invents one for an attempt.
    id_from_request: bool = True
    # The order is written down before the catalog is asked.
    pending_first: bool = True
    # The order that exists wins, whatever the insert would have written.
    existing_wins: bool = True
    # The insert that meets an order answers it (DO UPDATE); DO NOTHING and a SELECT would see neither row.
    conflict_answers_row: bool = True
    # The order service compares fingerprints.
    fingerprint_in_orders: bool = True
    # The journal's row is written by the statement that inserts the orders.
    journal_with_insert: bool = True
    # What was taken in is never dropped, however late it is.
    pending_never_dropped: bool = True
    # The question for the customer is younger than the call.
    customer_asked_after_call: bool = True
    # Without an answer about the customer, the order is looked for before anything is said.
    order_looked_up: bool = True
    # An order that exists is answered by a statement that writes, so that it waits for the standby.
    order_replays_write: bool = True
    # Of two payloads under one id in one group the first decides, and the other one is told so.
    distinct_in_group: bool = True

    # Deciding and cancelling.
    # PENDING becomes CONFIRMED or REJECTED only if it is PENDING.
    decide_conditional: bool = True
    # Only PENDING or CONFIRMED becomes CANCELLING.
    mark_conditional: bool = True
    # What is answered is the row after the change, not the change that was tried.
    answer_is_row: bool = True
    # Without the catalog's answer the order stays PENDING.
    never_gives_up: bool = True
    # A cancel marks the order before it releases.
    mark_before_release: bool = True
    # The mark brings a row of the cancel's own into the journal.
    cancel_journaled: bool = True
    # An order becomes CANCELLED only after its release.
    release_before_cancelled: bool = True

    # The journal and recovery.
    # The decision takes the group's row along only if it decided all orders of it.
    group_row_until_all_decided: bool = True
    # A row of the journal is deleted by a statement that finds none of its orders open.
    closed_by_looking: bool = True
    # Recovery does not ask for the customer again.
    recovery_asks_no_customer: bool = True
    # A lease only saves work: what its holder writes is as conditional as everybody's.
    lease_only_saves_work: bool = True
    # Recovery acts on orders that it read by a statement that writes, never on what the standby may not have.
    recovery_reads_durably: bool = True

    # The sold-out way.
    # The catalog denies by what it read after the call came, never by what it knew before.
    denies_by_fresh_knowledge: bool = True
    # The denial is in the ledger before the order is REJECTED.
    denial_recorded: bool = True
    # The catalog denies only an id that its ledger does not know.
    denies_unseen_only: bool = True
    # The order is written as REJECTED before anybody is told.
    refusal_written: bool = True
    # An order whose id stands for another payload in the ledger is ended, and not left open.
    other_payload_ends_order: bool = True

    # Orders that are decided later.
    # An order's place in the line is written by the statement that inserts it.
    queued_with_insert: bool = True
    # Places in the line are in the order of the commits.
    position_by_commit: bool = True
    # Who is first in line is asked for first.
    first_in_line_first: bool = True
    # An order in the line is decided by the line's workers alone; a call that is repeated, in whatever mode, answers it as it stands.
    queued_left_to_workers: bool = True
    # A group leaves the line by a statement that finds none of its orders PENDING.
    queue_closed_by_looking: bool = True
    # A worker acts on orders that it read by a statement that writes, never on what the standby may not have.
    worker_reads_durably: bool = True
    # The catalog is asked to deny ahead of an order only where none stands.
    denies_where_none_stands: bool = True

    # The return of a part.
    # What comes back is counted, and is never more than is left: when the return is written down, and when the catalog makes it.
    returned_conditional: bool = True
    # A return's id counts once.
    return_once: bool = True
    # A return's id stands for what was asked for first.
    return_fingerprint: bool = True
    # What is written off comes back and leaves in one statement.
    written_off_at_once: bool = True
    # A release gives back what was not returned before.
    release_net_of_returns: bool = True
    # A part of an order that is not decided is refused.
    undecided_keeps_all: bool = True
    # While one return of an order is under way, no other one begins.
    one_return_at_a_time: bool = True
    # A cancel of the whole waits for a return that is under way.
    cancel_waits_for_return: bool = True
    # A return is counted only while it is the one that is under way.
    return_ended_once: bool = True
    # A return brings a row of its own into the journal.
    return_journaled: bool = True
    # The return of all that is left ends the order.
    last_part_cancels: bool = True


ALL_RULES = Rules()
