-- migrate:up

-- Customers who are anonymized: orders that are still on their way in with a person's name are taken in without it.
CREATE TABLE anonymized_customers (
    customer_id uuid PRIMARY KEY,
    create_time timestamptz NOT NULL DEFAULT now()
);

-- The snapshot of an anonymized customer is empty.
ALTER TABLE orders
DROP CONSTRAINT orders_customer_name_check,
ADD CONSTRAINT orders_customer_name_check CHECK (char_length(customer_name) <= 200);

-- The first step. Whoever takes orders in looks into the table, and holds its lightest lock to the end of the transaction. This one waits until
-- all of them have ended, and nobody begins meanwhile: who ended has written orders that the second step finds, and who begins later finds the
-- customer here. It waits half a second at most, so that nobody is held up for longer.
CREATE FUNCTION note_anonymized_customer(wanted uuid) RETURNS void
LANGUAGE plpgsql
SECURITY DEFINER
SET lock_timeout = '500ms'
AS $$
BEGIN
    LOCK TABLE anonymized_customers IN ACCESS EXCLUSIVE MODE;
    INSERT INTO anonymized_customers (customer_id) VALUES (wanted) ON CONFLICT DO NOTHING;
END
$$;

-- The second step, again and again until it finds none: some of the customer's orders lose their snapshot. No other statement may write to a
-- snapshot, and this one writes to those of customers who are in the table alone.
CREATE FUNCTION anonymize_orders(wanted uuid, orders_max integer) RETURNS integer
LANGUAGE sql
SECURITY DEFINER
AS $$
    WITH mine AS (
        SELECT id FROM orders
        WHERE customer_id = (SELECT customer_id FROM anonymized_customers WHERE customer_id = wanted)
            AND (customer_name <> '' OR masked_document <> '')
        LIMIT orders_max
    ), locked AS (
        -- In the order of ids, as everybody does.
        SELECT id FROM orders WHERE id = ANY (ARRAY(SELECT id FROM mine)) ORDER BY id FOR NO KEY UPDATE
    ), anonymized AS (
        UPDATE orders SET customer_name = '', masked_document = ''
        WHERE id = ANY (ARRAY(SELECT id FROM locked))
        RETURNING id
    )
    SELECT count(*)::integer FROM anonymized
$$;

REVOKE ALL ON FUNCTION note_anonymized_customer FROM PUBLIC;
REVOKE ALL ON FUNCTION anonymize_orders FROM PUBLIC;
GRANT EXECUTE ON FUNCTION note_anonymized_customer TO order_service;
GRANT EXECUTE ON FUNCTION anonymize_orders TO order_service;
GRANT SELECT ON anonymized_customers TO order_service;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION note_anonymized_customer SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION anonymize_orders SET search_path = %I, pg_temp', current_schema());
END
$$;

-- migrate:down

DROP FUNCTION anonymize_orders;
DROP FUNCTION note_anonymized_customer;
DROP TABLE anonymized_customers;
-- Snapshots that are empty stay so: the earlier bound is for new ones.
ALTER TABLE orders
DROP CONSTRAINT orders_customer_name_check,
ADD CONSTRAINT orders_customer_name_check CHECK (char_length(customer_name) BETWEEN 1 AND 200) NOT VALID;
