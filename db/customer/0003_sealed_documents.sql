-- migrate:up

-- A document is kept encrypted, and found, and unique, by a keyed hash; both begin with four bytes that name the key. Only the service has the
-- key: what comes past it, from seeds or from before this migration, waits in `document` until the service has sealed it.
ALTER TABLE customers
ALTER COLUMN document DROP NOT NULL,
DROP CONSTRAINT customers_document_key,
ADD COLUMN document_hash bytea CHECK (octet_length(document_hash) = 36),
ADD COLUMN sealed_document bytea CHECK (octet_length(sealed_document) = 43),
-- When the person was removed from the row; see anonymize_customer.
ADD COLUMN anonymize_time timestamptz,
ALTER COLUMN birth_date DROP NOT NULL,
DROP CONSTRAINT customers_name_check,
DROP CONSTRAINT customers_email_check,
DROP CONSTRAINT customers_phone_check,
ADD CONSTRAINT customers_name_check
CHECK (
    anonymize_time IS NOT NULL
    OR (char_length(name) BETWEEN 1 AND 200 AND btrim(name, E' \t\n\v\f\r') <> '')
),
ADD CONSTRAINT customers_email_check
CHECK (
    anonymize_time IS NOT NULL
    OR (char_length(email) BETWEEN 3 AND 254 AND email ~ '^[^@ \t\n\v\f\r]+@[^@ \t\n\v\f\r]+$')
),
ADD CONSTRAINT customers_phone_check
CHECK (
    anonymize_time IS NOT NULL
    OR (
        phone ~ '^[0-9 +().-]{3,32}$'
        AND char_length(regexp_replace(phone, '[^0-9]', '', 'g')) BETWEEN 3 AND 15
    )
),
ADD CONSTRAINT customers_person
CHECK (
    CASE
        WHEN anonymize_time IS NULL
            THEN birth_date IS NOT NULL
            AND (document IS NOT NULL OR document_hash IS NOT NULL)
            AND (document_hash IS NULL) = (sealed_document IS NULL)
        ELSE
            name = '' AND email = '' AND phone = '' AND NOT active
            AND num_nonnulls(document, document_hash, sealed_document, birth_date) = 0
    END
);

CREATE UNIQUE INDEX customers_document_hash ON customers (document_hash);
-- Those that wait, which is nobody soon after the service's start.
CREATE UNIQUE INDEX customers_document_unsealed ON customers (document) WHERE document IS NOT NULL;

-- Whose orders do not know yet that the person is gone: the service asks the order service until it has an answer.
CREATE TABLE pending_anonymizations (
    customer_id uuid PRIMARY KEY,
    create_time timestamptz NOT NULL DEFAULT now(),
    -- Until then it is somebody's: whoever made it, or whoever claimed it last.
    next_attempt_time timestamptz NOT NULL,
    attempts integer NOT NULL DEFAULT 0
);

-- The service may seal documents and remove persons in no other way than by these two, and never writes a document as it is.
CREATE FUNCTION seal_documents(
    ids uuid [], seen_documents text [], seen_hashes bytea [], hashes bytea [], sealed bytea [], fingerprints bytea []
) RETURNS void
LANGUAGE sql
SECURITY DEFINER
AS $$
    UPDATE customers SET
        document = NULL,
        document_hash = new.hash,
        sealed_document = new.sealed,
        created_fingerprint = new.fingerprint
    FROM unnest(ids, seen_documents, seen_hashes, hashes, sealed, fingerprints)
        AS new (id, seen_document, seen_hash, hash, sealed, fingerprint)
    WHERE customers.id = new.id
        -- Whoever was edited, or sealed, meanwhile is looked at again.
        AND customers.document IS NOT DISTINCT FROM new.seen_document
        AND customers.document_hash IS NOT DISTINCT FROM new.seen_hash
        AND customers.anonymize_time IS NULL
$$;

-- Of one who is anonymized already it writes the row as it is, so that a repeated answer is as durable as the first one.
CREATE FUNCTION anonymize_customer(wanted uuid, patience interval) RETURNS void
LANGUAGE sql
SECURITY DEFINER
AS $$
    WITH anonymized AS (
        UPDATE customers SET
            document = NULL,
            document_hash = NULL,
            sealed_document = NULL,
            name = '',
            birth_date = NULL,
            email = '',
            phone = '',
            active = false,
            -- No content has it: whoever creates the customer again is refused.
            created_fingerprint = decode(repeat('00', 32), 'hex'),
            version = version + (anonymize_time IS NULL)::integer,
            update_time = CASE WHEN anonymize_time IS NULL THEN greatest(update_time, now()) ELSE update_time END,
            anonymize_time = coalesce(anonymize_time, now())
        WHERE id = wanted
        RETURNING id, anonymize_time
    )
    INSERT INTO pending_anonymizations (customer_id, next_attempt_time)
    SELECT id, now() + patience FROM anonymized WHERE anonymize_time = now()
    ON CONFLICT DO NOTHING
$$;

REVOKE ALL ON FUNCTION seal_documents FROM PUBLIC;
REVOKE ALL ON FUNCTION anonymize_customer FROM PUBLIC;
GRANT EXECUTE ON FUNCTION seal_documents TO customer_service;
GRANT EXECUTE ON FUNCTION anonymize_customer TO customer_service;
REVOKE INSERT ON customers FROM customer_service;
REVOKE UPDATE (document) ON customers FROM customer_service;
GRANT INSERT (id, document_hash, sealed_document, name, birth_date, email, phone, created_fingerprint)
ON customers TO customer_service;
GRANT UPDATE (document_hash, sealed_document) ON customers TO customer_service;
GRANT SELECT, DELETE, UPDATE (next_attempt_time, attempts) ON pending_anonymizations TO customer_service;

DO $$
BEGIN
    EXECUTE format('ALTER FUNCTION seal_documents SET search_path = %I, pg_temp', current_schema());
    EXECUTE format('ALTER FUNCTION anonymize_customer SET search_path = %I, pg_temp', current_schema());
END
$$;

-- migrate:down

-- Who was anonymized, or is sealed, has no document that SQL could put back.
DO $$
BEGIN
    IF EXISTS (SELECT FROM customers WHERE document IS NULL) THEN
        RAISE EXCEPTION 'documents are sealed: the earlier version cannot read them';
    END IF;
END
$$;

DROP FUNCTION anonymize_customer;
DROP FUNCTION seal_documents;
DROP TABLE pending_anonymizations;
DROP INDEX customers_document_unsealed;
DROP INDEX customers_document_hash;
ALTER TABLE customers
DROP CONSTRAINT customers_person,
DROP CONSTRAINT customers_name_check,
DROP CONSTRAINT customers_email_check,
DROP CONSTRAINT customers_phone_check,
DROP COLUMN anonymize_time,
DROP COLUMN sealed_document,
DROP COLUMN document_hash,
ALTER COLUMN birth_date SET NOT NULL,
ALTER COLUMN document SET NOT NULL,
ADD CONSTRAINT customers_document_key UNIQUE (document),
ADD CONSTRAINT customers_name_check
CHECK (char_length(name) BETWEEN 1 AND 200 AND btrim(name, E' \t\n\v\f\r') <> ''),
ADD CONSTRAINT customers_email_check
CHECK (char_length(email) BETWEEN 3 AND 254 AND email ~ '^[^@ \t\n\v\f\r]+@[^@ \t\n\v\f\r]+$'),
ADD CONSTRAINT customers_phone_check
CHECK (
    phone ~ '^[0-9 +().-]{3,32}$'
    AND char_length(regexp_replace(phone, '[^0-9]', '', 'g')) BETWEEN 3 AND 15
);
GRANT INSERT ON customers TO customer_service;
GRANT UPDATE (document) ON customers TO customer_service;
