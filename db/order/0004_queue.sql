-- migrate:up

-- The part of the queue that an order waits in while it is PENDING; NULL for orders that do not wait in it.
ALTER TABLE orders ADD COLUMN partition smallint;

-- The queue of orders that are taken in now and decided later. It is split into 16 partitions, so that several workers can decide at once;
-- an order's partition follows from its lowest disc id, so that the orders of a disc stay in their order.
CREATE TABLE queue_partitions (
    partition smallint PRIMARY KEY CHECK (partition BETWEEN 0 AND 15),
    -- Raised in the statement that takes orders in, under this row's lock, which goes with its commit: positions are in the order of the
    -- commits. Those of a sequence would not be: who reads 8 could meet 7 later.
    last_position bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 20);
INSERT INTO queue_partitions (partition) SELECT generate_series(0, 15);

-- One row is what one group has put into a partition, in the order of arrival. It goes when none of its orders is PENDING.
CREATE TABLE order_queue (
    partition smallint NOT NULL,
    position bigint NOT NULL,
    order_ids uuid [] NOT NULL CHECK (cardinality(order_ids) BETWEEN 1 AND 1000),
    create_time timestamptz NOT NULL DEFAULT now(),
    -- Who took the group in, as W3C's traceparent, if that was traced.
    trace_parent text CHECK (octet_length(trace_parent) <= 64),
    PRIMARY KEY (partition, position)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

-- Who decides the orders of a partition, and until when. A lease saves work and nothing else: the catalog decides an order's id once.
CREATE TABLE queue_leases (
    partition smallint PRIMARY KEY CHECK (partition BETWEEN 0 AND 15),
    worker_id uuid,
    lease_end_time timestamptz NOT NULL DEFAULT '-infinity'
) WITH (fillfactor = 20);
INSERT INTO queue_leases (partition) SELECT generate_series(0, 15);

-- The workers that live, among whom the partitions are shared out.
CREATE TABLE queue_workers (
    worker_id uuid PRIMARY KEY,
    lease_end_time timestamptz NOT NULL
) WITH (fillfactor = 20);

GRANT SELECT, UPDATE (last_position) ON queue_partitions TO order_service;
GRANT SELECT, INSERT, DELETE ON order_queue TO order_service;
GRANT SELECT, UPDATE (worker_id, lease_end_time) ON queue_leases TO order_service;
GRANT SELECT, INSERT, DELETE, UPDATE (lease_end_time) ON queue_workers TO order_service;

-- migrate:down

-- Who still waits is left to recovery.
INSERT INTO open_work (id, order_ids, next_attempt_time)
SELECT gen_random_uuid(), order_ids, now() FROM order_queue;

DROP TABLE queue_workers;
DROP TABLE queue_leases;
DROP TABLE order_queue;
DROP TABLE queue_partitions;
ALTER TABLE orders DROP COLUMN partition;
