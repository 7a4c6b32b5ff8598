-- migrate:up

-- What came back of each line, in the order of the lines; NULL while nothing did, which takes no room in the row.
-- The return that is under way, if there is one: a second one, and a cancel of the whole, wait until it has ended.
-- Neither is in an index, so that a return rewrites the order in its page.
ALTER TABLE orders
ADD COLUMN returned integer [] CHECK (0 <= ALL (returned) AND 1000 >= ALL (returned)),
ADD COLUMN open_return_id uuid,
ADD CONSTRAINT orders_returned CHECK (cardinality(returned) = cardinality(disc_ids));

-- One row is one return of a part of an order, or of all that was left of it: PENDING -> APPLIED | REFUSED. Its id follows from the order's id
-- and the return's request_id.
CREATE TABLE order_returns (
    id uuid PRIMARY KEY,
    order_id uuid NOT NULL,
    request_id text NOT NULL CHECK (request_id ~ '^[A-Za-z0-9._:-]+$' AND octet_length(request_id) <= 64),
    -- Of the lines and the disposition that were asked for: tells another payload under the same request_id.
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
    disc_ids uuid [] NOT NULL CHECK (cardinality(disc_ids) BETWEEN 1 AND 50),
    quantities integer [] NOT NULL CHECK (1 <= ALL (quantities) AND 1000 >= ALL (quantities)),
    disposition text NOT NULL CHECK (disposition IN ('RESTOCK', 'WRITE_OFF')),
    state text NOT NULL DEFAULT 'PENDING' CHECK (state IN ('PENDING', 'APPLIED', 'REFUSED')),
    -- A repeated call writes here, so that its answer waits for a synchronous standby like the first one's did.
    attempts integer NOT NULL DEFAULT 1,
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT order_returns_lines CHECK (cardinality(quantities) = cardinality(disc_ids))
) WITH (fillfactor = 80);

-- For auditors, who look for orders with a return under way; it is as small as there are few of those.
CREATE INDEX order_returns_open ON order_returns (order_id) WHERE state = 'PENDING';

GRANT SELECT, INSERT ON order_returns TO order_service;
GRANT UPDATE (state, attempts, update_time) ON order_returns TO order_service;
GRANT UPDATE (returned, open_return_id) ON orders TO order_service;

CREATE OR REPLACE VIEW audit.orders AS
SELECT
    orders.id AS order_id, orders.customer_id, orders.request_id, orders.status,
    line.disc_id, line.quantity, line.price_cents, coalesce(line.returned, 0) AS returned
FROM orders
CROSS JOIN LATERAL unnest(orders.disc_ids, orders.quantities, orders.prices_cents, orders.returned)
    AS line (disc_id, quantity, price_cents, returned);

CREATE VIEW audit.order_returns AS
SELECT
    order_returns.id AS return_id, order_returns.order_id, order_returns.request_id, order_returns.state, order_returns.disposition,
    line.disc_id, line.quantity
FROM order_returns
CROSS JOIN LATERAL unnest(order_returns.disc_ids, order_returns.quantities) AS line (disc_id, quantity);
GRANT SELECT ON audit.order_returns TO order_service;

-- migrate:down

DROP VIEW audit.order_returns;
DROP VIEW audit.orders;
CREATE VIEW audit.orders AS
SELECT
    orders.id AS order_id, orders.customer_id, orders.request_id, orders.status,
    line.disc_id, line.quantity, line.price_cents
FROM orders
CROSS JOIN LATERAL unnest(orders.disc_ids, orders.quantities, orders.prices_cents) AS line (disc_id, quantity, price_cents);
GRANT SELECT ON audit.orders TO order_service;

DROP TABLE order_returns;
ALTER TABLE orders
DROP CONSTRAINT orders_returned,
DROP COLUMN open_return_id,
DROP COLUMN returned;
