-- migrate:up

-- The same bound as before, written so that it costs little: a counted repetition keeps as many states as it counts, which took a quarter
-- of the time of every insert and every decision.
ALTER TABLE orders
DROP CONSTRAINT orders_request_id_check,
ADD CONSTRAINT orders_request_id_check CHECK (request_id ~ '^[A-Za-z0-9._:-]+$' AND octet_length(request_id) <= 64);

-- A decided order is half as large again as a pending one: it has names and prices. All orders of a page must find room in it when they are
-- decided, or each that does not is written into every index.
ALTER TABLE orders SET (fillfactor = 40);

-- migrate:down

ALTER TABLE orders SET (fillfactor = 50);

ALTER TABLE orders
DROP CONSTRAINT orders_request_id_check,
ADD CONSTRAINT orders_request_id_check CHECK (request_id ~ '^[A-Za-z0-9._:-]{1,64}$');
