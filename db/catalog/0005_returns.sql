-- migrate:up

-- What came back of a line while its reservation was held; NULL while nothing did, which takes no room in the row. A RESERVED line holds the rest.
ALTER TABLE reservations
ADD COLUMN returned integer CONSTRAINT reservations_returned CHECK (returned BETWEEN 1 AND quantity);

-- One row per disc of a return, for ever. The key begins with the disc, as that of the reservations does.
CREATE TABLE stock_returns (
    disc_id uuid NOT NULL,
    return_id uuid NOT NULL,
    reservation_id uuid NOT NULL,
    quantity integer NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
    disposition text NOT NULL CHECK (disposition IN ('RESTOCK', 'WRITE_OFF')),
    -- Of the return's sorted lines: tells others under the same id.
    fingerprint bytea NOT NULL CHECK (octet_length(fingerprint) = 16),
    stock_left bigint NOT NULL CHECK (stock_left >= 0),
    create_time timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (disc_id, return_id)
);

-- The movement of a return that is written off has an id that no caller can choose.
ALTER TABLE stock_movements
DROP CONSTRAINT stock_movements_movement_id_check,
ADD CONSTRAINT stock_movements_movement_id_check CHECK (movement_id ~ '^(return/)?[A-Za-z0-9._:-]{1,64}$');

GRANT SELECT, INSERT ON stock_returns TO catalog_service;
GRANT UPDATE (returned) ON reservations TO catalog_service;

CREATE OR REPLACE VIEW audit.reservations AS
SELECT reservation_id, state, disc_id, quantity, coalesce(returned, 0) AS returned FROM reservations;
CREATE VIEW audit.stock_returns AS
SELECT return_id, reservation_id, disposition, disc_id, quantity FROM stock_returns;
GRANT SELECT ON audit.stock_returns TO catalog_service;

-- migrate:down

DROP VIEW audit.stock_returns;
DROP VIEW audit.reservations;
CREATE VIEW audit.reservations AS
SELECT reservation_id, state, disc_id, quantity FROM reservations;
GRANT SELECT ON audit.reservations TO catalog_service;

-- Movements of returns that were written off stay: the copies are gone.
ALTER TABLE stock_movements
DROP CONSTRAINT stock_movements_movement_id_check,
ADD CONSTRAINT stock_movements_movement_id_check CHECK (movement_id ~ '^[A-Za-z0-9._:-]{1,64}$') NOT VALID;

DROP TABLE stock_returns;
ALTER TABLE reservations DROP COLUMN returned;
