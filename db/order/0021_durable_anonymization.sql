-- migrate:up

-- Also what the service writes by functions that run as the owner.
CREATE OR REPLACE FUNCTION refuse_lowered_durability() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') AND 'order_service' IN (current_user, session_user) THEN
        RAISE EXCEPTION 'synchronous_commit is %: what is written now could be lost after it was acknowledged',
            current_setting('synchronous_commit')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER anonymized_customers_durable BEFORE INSERT OR UPDATE ON anonymized_customers
FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();

-- migrate:down

DROP TRIGGER anonymized_customers_durable ON anonymized_customers;
CREATE OR REPLACE FUNCTION refuse_lowered_durability() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') AND current_user = 'order_service' THEN
        RAISE EXCEPTION 'synchronous_commit is %: what is written now could be lost after it was acknowledged',
            current_setting('synchronous_commit')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;
