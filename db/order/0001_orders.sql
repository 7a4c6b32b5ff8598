-- migrate:up

-- One row is one order with its lines: PENDING -> CONFIRMED | REJECTED; PENDING or CONFIRMED -> CANCELLING -> CANCELLED.
-- Half of each page stays free, so that deciding an order rewrites it in its page and touches no index; hence no index may name the status.
CREATE TABLE orders (
    id uuid PRIMARY KEY,
    customer_id uuid NOT NULL,
    request_id text NOT NULL CHECK (request_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
    -- Of the sorted lines: tells another payload under the same request_id.
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
    customer_name text NOT NULL CHECK (char_length(customer_name) BETWEEN 1 AND 200),
    masked_document text NOT NULL CHECK (char_length(masked_document) <= 14),
    -- The lines, in the order of disc ids; what was sold and what was left is known after the decision only.
    disc_ids uuid [] NOT NULL CHECK (cardinality(disc_ids) BETWEEN 1 AND 50),
    quantities integer [] NOT NULL CHECK (1 <= ALL (quantities) AND 1000 >= ALL (quantities)),
    names text [],
    artists text [],
    prices_cents bigint [] CHECK (0 <= ALL (prices_cents) AND 100000000 >= ALL (prices_cents)),
    stock_left bigint [] CHECK (0 <= ALL (stock_left)),
    -- The discs that an order was refused for, where they are not on sale.
    refused_disc_ids uuid [],
    total_cents bigint NOT NULL DEFAULT 0 CHECK (total_cents BETWEEN 0 AND 5000000000000),
    status text NOT NULL CHECK (status IN ('PENDING', 'CONFIRMED', 'REJECTED', 'CANCELLING', 'CANCELLED')),
    reason text CHECK (reason IN ('OUT_OF_STOCK', 'DISC_NOT_FOUND', 'DISC_DELETED', 'CUSTOMER_INACTIVE')),
    cancel_request_id text CHECK (cancel_request_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
    -- A repeated call writes here, so that its answer waits for a synchronous standby like the first one's did.
    attempts integer NOT NULL DEFAULT 1,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT orders_lines CHECK (
        cardinality(quantities) = cardinality(disc_ids)
        AND (status <> 'CONFIRMED' OR (
            cardinality(names) = cardinality(disc_ids)
            AND cardinality(artists) = cardinality(disc_ids)
            AND cardinality(prices_cents) = cardinality(disc_ids)
        ))
    ),
    CONSTRAINT orders_reason CHECK ((status = 'REJECTED') = (reason IS NOT NULL))
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.05);

CREATE INDEX orders_newest ON orders (create_time, id);
CREATE INDEX orders_newest_of_customer ON orders (customer_id, create_time, id);

-- The journal of open work: what recovery looks at instead of an index on the status. A row is written in the statement that makes its
-- orders open, and goes only in a statement that finds none of them open.
CREATE TABLE open_work (
    id uuid PRIMARY KEY,
    order_ids uuid [] NOT NULL CHECK (cardinality(order_ids) BETWEEN 1 AND 1000),
    create_time timestamptz NOT NULL DEFAULT now(),
    -- Until then it is somebody's: whoever made it, or the recovery that claimed it last.
    next_attempt_time timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000);

GRANT SELECT, INSERT ON orders TO order_service;
GRANT UPDATE (
    status, reason, names, artists, prices_cents, stock_left, refused_disc_ids, total_cents,
    cancel_request_id, attempts, update_time
) ON orders TO order_service;
GRANT SELECT, INSERT, DELETE ON open_work TO order_service;
GRANT UPDATE (next_attempt_time, attempts) ON open_work TO order_service;
DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO order_service', current_schema());
END
$$;

-- For SQL from outside; kept stable.
CREATE SCHEMA audit;
CREATE VIEW audit.orders AS
SELECT
    orders.id AS order_id, orders.customer_id, orders.request_id, orders.status,
    line.disc_id, line.quantity, line.price_cents
FROM orders
CROSS JOIN LATERAL unnest(orders.disc_ids, orders.quantities, orders.prices_cents) AS line (disc_id, quantity, price_cents);
GRANT USAGE ON SCHEMA audit TO order_service;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO order_service;

-- migrate:down

DROP SCHEMA audit CASCADE;
DROP TABLE open_work;
DROP TABLE orders;

DO $$
BEGIN
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM order_service', current_schema());
END
$$;
