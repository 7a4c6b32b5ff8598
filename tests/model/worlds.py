"""The worlds that are explored: small ones always, and larger ones with MODEL_DEEP=1."""

from dataclasses import replace

from tests.model.world import CANCEL, CREATE, DEACTIVATE, ENQUEUE, RESTOCK, RETURN, TAKE_OFF_SALE, Call, Return, World

# Orders A and B of one copy each, and what is done with them.
A, B, C = (0, 1), (1, 1), (2, 1)
A_OF_TWO = (0, 2)
CANCEL_A, CANCEL_B = Call(CANCEL, (A,)), Call(CANCEL, (B,))
DELIVERY, LOSS = Call(RESTOCK, ((0, 1),), 2), Call(RESTOCK, ((1, -1),))

SALE = World(
    name="two orders for the last copy, one of them cancelled",
    opening=1,
    requests=2,
    calls=(Call(CREATE, (A,)), Call(CREATE, (B,)), CANCEL_A),
)
DUPLICATES = World(
    name="one order, asked for twice and cancelled twice",
    opening=1,
    requests=1,
    calls=(Call(CREATE, (A,), 2), Call(CANCEL, (A,), 2)),
)
PAYLOADS = World(
    name="one request_id with two payloads, cancelled",
    opening=2,
    requests=1,
    calls=(Call(CREATE, (A,)), Call(CREATE, (A_OF_TWO,)), CANCEL_A),
)
DELIVERIES = World(
    name="a sold-out disc, and a delivery",
    opening=0,
    requests=1,
    calls=(Call(CREATE, (A,), 2), CANCEL_A, DELIVERY),
)
GROUP = World(
    name="a group of two orders for the last copy, one of them asked for beside it",
    opening=1,
    requests=2,
    calls=(Call(CREATE, (A, B)), Call(CREATE, (B,))),
)
GROUP_CANCELLED = World(
    name="a group of two orders for the last copy, one of them cancelled",
    opening=1,
    requests=2,
    calls=(Call(CREATE, (A, B)), CANCEL_A),
)
GROUP_OF_ONE_ID = World(
    name="a group in which one request_id stands twice, with two payloads",
    opening=2,
    requests=1,
    calls=(Call(CREATE, (A, A_OF_TWO)), Call(CREATE, (A_OF_TWO,))),
)
STATEMENTS = World(
    name="statements that look at one moment and write at another",
    opening=1,
    requests=1,
    calls=(Call(CREATE, (A,)), CANCEL_A),
    split=True,
)
STATEMENTS_OF_TWO = replace(
    STATEMENTS,
    name="statements of two orders for the last copy",
    requests=2,
    calls=(Call(CREATE, (A,)), Call(CREATE, (B,))),
)
CUSTOMERS = World(
    name="a customer who is deactivated, and a customer service that may not answer",
    opening=1,
    requests=1,
    calls=(Call(CREATE, (A,), 2), CANCEL_A, Call(DEACTIVATE)),
    customers=True,
)
STOCK_ROOM = World(
    name="deliveries, losses and the disc's end beside a cancel and a sale",
    opening=1,
    requests=2,
    calls=(CANCEL_A, Call(CREATE, (B,)), DELIVERY, LOSS, Call(TAKE_OFF_SALE)),
    placed=(A,),
)
SOLD_OUT = World(
    name="the sold-out way, a duplicate on either way, and a delivery",
    opening=1,
    requests=2,
    calls=(Call(CREATE, (A,), 2), Call(CREATE, (B,)), Call(RESTOCK, ((0, 1),))),
    sold_out_way=True,
)
SOLD_OUT_PAYLOADS = World(
    name="the sold-out way, with two payloads under one request_id",
    opening=1,
    requests=1,
    calls=(Call(CREATE, (A,)), Call(CREATE, (A_OF_TWO,)), Call(RESTOCK, ((0, 1),))),
    sold_out_way=True,
)
SOLD_OUT_STANDBY = World(
    name="the sold-out way, and a commit that the standby never gets",
    opening=1,
    requests=2,
    calls=(Call(CREATE, (A,)), Call(CREATE, (B,))),
    sold_out_way=True,
    losses=1,
    claims_apart=True,
)
STANDBY = World(
    name="a commit that the standby never gets",
    opening=1,
    requests=1,
    calls=(Call(CREATE, (A,), 2), CANCEL_A),
    losses=1,
    claims_apart=True,
)
RETURNS = World(
    name="parts that come back or are written off, beside a cancel",
    opening=2,
    requests=1,
    calls=(Call(RETURN, ((0, 1),)), Call(RETURN, ((1, 0),)), CANCEL_A),
    returns=(Return(0), Return(0, is_written_off=True)),
    placed=(A_OF_TWO,),
)
RETURN_PAYLOADS = replace(
    RETURNS,
    name="a part's request_id with two quantities, and a second part",
    calls=(Call(RETURN, ((0, 1),)), Call(RETURN, ((0, 2),)), Call(RETURN, ((1, 2),))),
)
RETURN_UNDECIDED = World(
    name="a part of an order that is placed at the same time",
    opening=2,
    requests=1,
    calls=(Call(CREATE, (A_OF_TWO,)), Call(RETURN, ((0, 1),)), CANCEL_A),
    returns=(Return(0),),
)

QUEUE = World(
    name="two orders in the line for the last copy, and two workers",
    opening=1,
    requests=2,
    calls=(Call(ENQUEUE, (A,)), Call(ENQUEUE, (B,))),
    workers=2,
)
QUEUE_CANCELLED = World(
    name="an order in the line, asked for in both modes, cancelled, and two workers",
    opening=1,
    requests=1,
    calls=(Call(ENQUEUE, (A,)), Call(CREATE, (A,)), CANCEL_A),
    workers=2,
)
QUEUE_GROUP = World(
    name="a group in the line of which one is cancelled and one asked for again",
    opening=1,
    requests=2,
    calls=(Call(ENQUEUE, (A, B)), Call(CREATE, (B,)), CANCEL_A),
)
QUEUE_SOLD_OUT = World(
    name="a line for a disc that is sold out, the sold-out way, and a delivery",
    opening=0,
    requests=2,
    calls=(Call(ENQUEUE, (A,)), Call(ENQUEUE, (B,)), Call(CREATE, (B,)), Call(RESTOCK, ((0, 1),))),
    sold_out_way=True,
)
QUEUE_PAYLOADS = World(
    name="one request_id with two payloads in two modes, and the sold-out way",
    opening=1,
    requests=1,
    calls=(Call(ENQUEUE, (A,)), Call(CREATE, (A_OF_TWO,)), Call(ENQUEUE, (A_OF_TWO,))),
    sold_out_way=True,
    workers=2,
)
QUEUE_STANDBY = World(
    name="an order in the line, and a commit that the standby never gets",
    opening=1,
    requests=1,
    calls=(Call(ENQUEUE, (A,), 2), CANCEL_A),
    losses=1,
)

ALWAYS = (
    SALE,
    DUPLICATES,
    PAYLOADS,
    DELIVERIES,
    GROUP,
    GROUP_CANCELLED,
    GROUP_OF_ONE_ID,
    STATEMENTS,
    STATEMENTS_OF_TWO,
    CUSTOMERS,
    STOCK_ROOM,
    SOLD_OUT,
    SOLD_OUT_PAYLOADS,
    SOLD_OUT_STANDBY,
    STANDBY,
    RETURNS,
    RETURN_PAYLOADS,
    RETURN_UNDECIDED,
    QUEUE,
    QUEUE_CANCELLED,
    QUEUE_GROUP,
    QUEUE_SOLD_OUT,
    QUEUE_PAYLOADS,
    QUEUE_STANDBY,
)

# With more callers, two recoveries, two workers, and more than one lost commit.
DEEP = (
    replace(SALE, name="the sale, with two recoveries", sweepers=2),
    replace(SALE, name="the sale, one order asked for twice", calls=(Call(CREATE, (A,), 2), *SALE.calls[1:])),
    replace(DUPLICATES, name="the order asked for twice, with two recoveries", sweepers=2),
    replace(GROUP_CANCELLED, name="the group of which one is cancelled, with two recoveries", sweepers=2),
    replace(
        SOLD_OUT,
        name="the sold-out way, and a cancel",
        calls=(Call(CREATE, (A,)), *SOLD_OUT.calls[1:], CANCEL_A),
    ),
    replace(STANDBY, name="two commits that the standby never gets", losses=2),
    replace(RETURNS, name="the parts and the cancel, with two recoveries", sweepers=2),
    replace(
        QUEUE,
        name="the line, one order cancelled and one asked for again, with two workers",
        calls=(*QUEUE.calls, Call(CREATE, (B,)), CANCEL_A),
    ),
    replace(QUEUE_STANDBY, name="the line, two lost commits, and two workers", losses=2, workers=2),
)
