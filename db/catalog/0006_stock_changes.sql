-- migrate:up

-- Counts the moves of a disc's stock. Every statement that moves stock raises it by one, in the UPDATE that moves it: the row's lock makes it
-- exact, where a sequence would be committed out of order.
ALTER TABLE discs ADD COLUMN revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0);

-- The last 1,024 moves of each disc, written by the statement that makes them: a move takes the place of the one 1,024 revisions before it,
-- so that nobody needs to clear anything away. The key begins with the disc, as that of the ledger does.
CREATE TABLE stock_changes (
    disc_id uuid NOT NULL,
    revision bigint NOT NULL CHECK (revision >= 1),
    -- What was left after it.
    stock bigint NOT NULL CHECK (stock >= 0),
    -- Not the time of the transaction, which may have begun before the one that moved first: this is told under the disc's lock.
    change_time timestamptz NOT NULL DEFAULT clock_timestamp(),
    slot smallint NOT NULL GENERATED ALWAYS AS (revision % 1024) STORED,
    PRIMARY KEY (disc_id, slot)
) WITH (
    -- The moves of a hot disc are written over those that were written beside each other, and leave a page's indexes alone (HOT) as long as
    -- there is room for a few on it.
    fillfactor = 80
);

GRANT UPDATE (revision) ON discs TO catalog_service;
GRANT SELECT, INSERT ON stock_changes TO catalog_service;
GRANT UPDATE (revision, stock, change_time) ON stock_changes TO catalog_service;

-- As before, and each disc's move of the group, which is one, is counted and kept.
CREATE OR REPLACE FUNCTION reserve_stock(
    p_disc_ids uuid [], p_reservation_ids uuid [], p_quantities integer [], p_fingerprints bytea []
)
RETURNS TABLE (
    place integer, reason text, name text, artist text, price_cents bigint, stock_left bigint, decide_time timestamptz
)
LANGUAGE plpgsql
SET plan_cache_mode = 'force_generic_plan'
AS $$
DECLARE
    entry record;
    current_disc_id uuid;
    remaining bigint;
    places integer[] := '{}';
    reasons text[] := '{}';
    lefts bigint[] := '{}';
    why text;
BEGIN
    PERFORM 1 FROM discs WHERE id = ANY (p_disc_ids) ORDER BY id FOR NO KEY UPDATE;

    FOR entry IN
        SELECT asked.place, asked.disc_id, asked.quantity, discs.id, discs.stock, discs.delete_time
        FROM unnest(p_disc_ids, p_reservation_ids, p_quantities)
            WITH ORDINALITY AS asked (disc_id, reservation_id, quantity, place)
        LEFT JOIN discs ON discs.id = asked.disc_id
        WHERE NOT EXISTS (
            SELECT 1 FROM reservations AS known
            WHERE known.disc_id = asked.disc_id AND known.reservation_id = asked.reservation_id
        )
        ORDER BY asked.disc_id, asked.place
    LOOP
        IF entry.disc_id IS DISTINCT FROM current_disc_id THEN
            current_disc_id := entry.disc_id;
            remaining := entry.stock;
        END IF;
        why := CASE
            WHEN entry.id IS NULL THEN 'DISC_NOT_FOUND'
            WHEN entry.delete_time IS NOT NULL THEN 'DISC_DELETED'
            WHEN remaining < entry.quantity THEN 'OUT_OF_STOCK'
        END;
        IF why IS NULL THEN
            remaining := remaining - entry.quantity;
        END IF;
        places := places || entry.place::integer;
        reasons := reasons || why;
        lefts := lefts || remaining;
    END LOOP;

    WITH moved AS (
        UPDATE discs SET stock = discs.stock - taken.quantity, revision = discs.revision + 1
        FROM (
            SELECT p_disc_ids[decided.place] AS disc_id, sum(p_quantities[decided.place]) AS quantity
            FROM unnest(places, reasons) AS decided (place, reason)
            WHERE decided.reason IS NULL
            GROUP BY 1
        ) AS taken
        WHERE discs.id = taken.disc_id AND discs.stock >= taken.quantity
        RETURNING discs.id, discs.revision, discs.stock
    )
    INSERT INTO stock_changes (disc_id, revision, stock)
    SELECT moved.id, moved.revision, moved.stock FROM moved ORDER BY moved.id
    ON CONFLICT (disc_id, slot) DO UPDATE
    SET revision = excluded.revision, stock = excluded.stock, change_time = excluded.change_time;

    RETURN QUERY
    WITH written AS (
        INSERT INTO reservations (
            disc_id, reservation_id, state, quantity, line_count, fingerprint, name, artist, price_cents, stock_left, reason
        )
        SELECT
            p_disc_ids[decided.place], p_reservation_ids[decided.place],
            CASE WHEN decided.reason IS NULL THEN 'RESERVED' ELSE 'DENIED' END,
            p_quantities[decided.place], 1, p_fingerprints[decided.place],
            discs.name, discs.artist, discs.price_cents, decided.stock_left, decided.reason
        FROM unnest(places, reasons, lefts) AS decided (place, reason, stock_left)
        LEFT JOIN discs ON discs.id = p_disc_ids[decided.place]
        ORDER BY p_disc_ids[decided.place], p_reservation_ids[decided.place]
    )
    SELECT decided.place, decided.reason, discs.name, discs.artist, discs.price_cents, decided.stock_left, now()
    FROM unnest(places, reasons, lefts) AS decided (place, reason, stock_left)
    LEFT JOIN discs ON discs.id = p_disc_ids[decided.place];
END
$$;

-- migrate:down

CREATE OR REPLACE FUNCTION reserve_stock(
    p_disc_ids uuid [], p_reservation_ids uuid [], p_quantities integer [], p_fingerprints bytea []
)
RETURNS TABLE (
    place integer, reason text, name text, artist text, price_cents bigint, stock_left bigint, decide_time timestamptz
)
LANGUAGE plpgsql
SET plan_cache_mode = 'force_generic_plan'
AS $$
DECLARE
    entry record;
    current_disc_id uuid;
    remaining bigint;
    places integer[] := '{}';
    reasons text[] := '{}';
    lefts bigint[] := '{}';
    why text;
BEGIN
    PERFORM 1 FROM discs WHERE id = ANY (p_disc_ids) ORDER BY id FOR NO KEY UPDATE;

    FOR entry IN
        SELECT asked.place, asked.disc_id, asked.quantity, discs.id, discs.stock, discs.delete_time
        FROM unnest(p_disc_ids, p_reservation_ids, p_quantities)
            WITH ORDINALITY AS asked (disc_id, reservation_id, quantity, place)
        LEFT JOIN discs ON discs.id = asked.disc_id
        WHERE NOT EXISTS (
            SELECT 1 FROM reservations AS known
            WHERE known.disc_id = asked.disc_id AND known.reservation_id = asked.reservation_id
        )
        ORDER BY asked.disc_id, asked.place
    LOOP
        IF entry.disc_id IS DISTINCT FROM current_disc_id THEN
            current_disc_id := entry.disc_id;
            remaining := entry.stock;
        END IF;
        why := CASE
            WHEN entry.id IS NULL THEN 'DISC_NOT_FOUND'
            WHEN entry.delete_time IS NOT NULL THEN 'DISC_DELETED'
            WHEN remaining < entry.quantity THEN 'OUT_OF_STOCK'
        END;
        IF why IS NULL THEN
            remaining := remaining - entry.quantity;
        END IF;
        places := places || entry.place::integer;
        reasons := reasons || why;
        lefts := lefts || remaining;
    END LOOP;

    UPDATE discs SET stock = discs.stock - taken.quantity
    FROM (
        SELECT p_disc_ids[decided.place] AS disc_id, sum(p_quantities[decided.place]) AS quantity
        FROM unnest(places, reasons) AS decided (place, reason)
        WHERE decided.reason IS NULL
        GROUP BY 1
    ) AS taken
    WHERE discs.id = taken.disc_id AND discs.stock >= taken.quantity;

    RETURN QUERY
    WITH written AS (
        INSERT INTO reservations (
            disc_id, reservation_id, state, quantity, line_count, fingerprint, name, artist, price_cents, stock_left, reason
        )
        SELECT
            p_disc_ids[decided.place], p_reservation_ids[decided.place],
            CASE WHEN decided.reason IS NULL THEN 'RESERVED' ELSE 'DENIED' END,
            p_quantities[decided.place], 1, p_fingerprints[decided.place],
            discs.name, discs.artist, discs.price_cents, decided.stock_left, decided.reason
        FROM unnest(places, reasons, lefts) AS decided (place, reason, stock_left)
        LEFT JOIN discs ON discs.id = p_disc_ids[decided.place]
        ORDER BY p_disc_ids[decided.place], p_reservation_ids[decided.place]
    )
    SELECT decided.place, decided.reason, discs.name, discs.artist, discs.price_cents, decided.stock_left, now()
    FROM unnest(places, reasons, lefts) AS decided (place, reason, stock_left)
    LEFT JOIN discs ON discs.id = p_disc_ids[decided.place];
END
$$;

DROP TABLE stock_changes;
ALTER TABLE discs DROP COLUMN revision;
