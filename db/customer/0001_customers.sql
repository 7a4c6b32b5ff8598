-- migrate:up

-- The people who buy. Each CHECK repeats a bound of recordshop.customer.v1.Customer, so that no way into the table goes round it.
CREATE TABLE customers (
    id uuid PRIMARY KEY,
    -- CPF without punctuation. Its check digits are verified where it is typed in.
    document text NOT NULL UNIQUE CHECK (document ~ '^[0-9]{11}$' AND document <> repeat(left(document, 1), 11)),
    name text NOT NULL
        CHECK (char_length(name) BETWEEN 1 AND 200 AND btrim(name, E' \t\n\v\f\r') <> ''),
    birth_date date NOT NULL,
    email text NOT NULL
        CHECK (char_length(email) BETWEEN 3 AND 254 AND email ~ '^[^@ \t\n\v\f\r]+@[^@ \t\n\v\f\r]+$'),
    phone text NOT NULL
        CHECK (
            phone ~ '^[0-9 +().-]{3,32}$'
            AND char_length(regexp_replace(phone, '[^0-9]', '', 'g')) BETWEEN 3 AND 15
        ),
    active boolean NOT NULL DEFAULT true,
    -- Counts the edits, and is the etag.
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    -- SHA-256 over what CreateCustomer was asked for: a repeated create is told from another one, also after edits.
    created_fingerprint bytea NOT NULL CHECK (octet_length(created_fingerprint) = 32),
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT customers_times CHECK (update_time >= create_time),
    -- "Today" is the day of the edit, in UTC: a CHECK that asked the clock could not be checked again later.
    CONSTRAINT customers_birth_date
    CHECK (birth_date BETWEEN DATE '1900-01-01' AND (update_time AT TIME ZONE 'UTC')::date)
);

-- ListCustomers walks along ids. Each index holds them behind what it filters by, so that no page reads more rows than it answers.
-- E-mail addresses are compared in lower case.
CREATE INDEX customers_email_id ON customers (lower(email), id);
CREATE INDEX customers_active_id ON customers (active, id);

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO customer_service', current_schema());
END
$$;

-- No DELETE: orders keep their customers. No UPDATE of what never changes.
GRANT SELECT, INSERT ON customers TO customer_service;
GRANT UPDATE (document, name, birth_date, email, phone, active, version, update_time) ON customers TO customer_service;

-- migrate:down

DROP TABLE customers;

DO $$
BEGIN
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM customer_service', current_schema());
END
$$;
