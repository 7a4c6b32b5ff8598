-- migrate:up

-- Decides reservations of one line each, of any discs, in one statement; the arrays have one element for each, in the order of arrival.
--
-- Answers a row for each reservation that it decided, by its place in the arrays; one that the ledger knows already is left out.
-- The discs are locked first, in the order of their ids, and only then are the ledger and the stock looked at: each statement of a
-- function sees what was committed before it began. Within a disc the first to arrive is the first to be served, and who asks for more
-- than is left is refused without holding up those behind.
-- Nobody else decides while the lock is held, but a release may leave a tombstone: the primary key then undoes the whole statement.
CREATE FUNCTION reserve_stock(
    p_disc_ids uuid [], p_reservation_ids uuid [], p_quantities integer [], p_fingerprints bytea []
)
RETURNS TABLE (
    place integer, reason text, name text, artist text, price_cents bigint, stock_left bigint, decide_time timestamptz
)
LANGUAGE plpgsql
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

-- migrate:down

DROP FUNCTION reserve_stock;
