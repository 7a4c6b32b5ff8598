-- migrate:up

-- The ledger: one decision per reservation, one row per disc of it, for ever.
-- The key begins with the disc, so that the audit of a disc is a range, and so that an engine that shards by disc can keep it.
-- There is no foreign key to discs: a refusal of an unknown disc and a tombstone are recorded too.
CREATE TABLE reservations (
    disc_id uuid NOT NULL,
    reservation_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('RESERVED', 'DENIED', 'RELEASED')),
    quantity integer NOT NULL,
    -- How many discs the whole reservation has: a release must name all of them.
    line_count smallint NOT NULL CHECK (line_count BETWEEN 1 AND 50),
    -- Of the reservation's sorted lines; absent in a tombstone, whose lines nobody told.
    fingerprint bytea CHECK (octet_length(fingerprint) = 16),
    name text,
    artist text,
    price_cents bigint,
    stock_left bigint CHECK (stock_left >= 0),
    reason text CHECK (reason IN ('OUT_OF_STOCK', 'DISC_NOT_FOUND', 'DISC_DELETED')),
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (disc_id, reservation_id),
    CONSTRAINT reservations_quantity CHECK (
        quantity BETWEEN 1 AND 1000 OR (quantity = 0 AND state = 'RELEASED' AND fingerprint IS NULL)
    ),
    CONSTRAINT reservations_snapshot CHECK (state <> 'RESERVED' OR (name IS NOT NULL AND price_cents IS NOT NULL))
);

CREATE TABLE stock_movements (
    disc_id uuid NOT NULL,
    movement_id text NOT NULL CHECK (movement_id ~ '^[A-Za-z0-9._:-]{1,64}$'),
    delta bigint NOT NULL CHECK (delta <> 0 AND delta BETWEEN -1000000000 AND 1000000000),
    reason text NOT NULL CHECK (char_length(reason) BETWEEN 1 AND 200),
    state text NOT NULL CHECK (state IN ('APPLIED', 'REFUSED')),
    stock_left bigint NOT NULL CHECK (stock_left >= 0),
    -- A repeated call writes here, so that its answer waits for a synchronous standby like the first one's did.
    attempts integer NOT NULL DEFAULT 1,
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (disc_id, movement_id)
);

GRANT SELECT, INSERT ON reservations, stock_movements TO catalog_service;
GRANT UPDATE (state, update_time) ON reservations TO catalog_service;
GRANT UPDATE (attempts) ON stock_movements TO catalog_service;

-- For SQL from outside; kept stable.
CREATE SCHEMA audit;
CREATE VIEW audit.stock AS
SELECT
    discs.id AS disc_id,
    discs.opening_stock AS opening,
    (
        SELECT coalesce(sum(delta), 0)
        FROM stock_movements
        WHERE stock_movements.disc_id = discs.id AND stock_movements.state = 'APPLIED'
    )::bigint AS moved,
    discs.stock
FROM discs;
CREATE VIEW audit.reservations AS
SELECT reservation_id, state, disc_id, quantity FROM reservations;
GRANT USAGE ON SCHEMA audit TO catalog_service;
GRANT SELECT ON ALL TABLES IN SCHEMA audit TO catalog_service;

-- migrate:down

DROP SCHEMA audit CASCADE;
DROP TABLE stock_movements;
DROP TABLE reservations;
