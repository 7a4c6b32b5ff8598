-- migrate:up

-- Also what the service writes by functions that run as the owner.
CREATE OR REPLACE FUNCTION refuse_lowered_durability() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') AND 'customer_service' IN (current_user, session_user) THEN
        RAISE EXCEPTION 'synchronous_commit is %: what is written now could be lost after it was acknowledged',
            current_setting('synchronous_commit')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER pending_anonymizations_durable BEFORE INSERT OR UPDATE ON pending_anonymizations
FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();

-- migrate:down

DROP TRIGGER pending_anonymizations_durable ON pending_anonymizations;
CREATE OR REPLACE FUNCTION refuse_lowered_durability() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') AND current_user = 'customer_service' THEN
        RAISE EXCEPTION 'synchronous_commit is %: what is written now could be lost after it was acknowledged',
            current_setting('synchronous_commit')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;
