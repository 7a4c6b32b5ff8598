-- migrate:up

-- PostgreSQL lets every role lower synchronous_commit for its own session, by SET or for ever by ALTER ROLE, and no privilege can refuse that.
-- So what the service would write that way is refused instead. Asked once for each statement, however many rows it writes; a WHEN would cost more
-- than the function does (some 10 us), as it is parsed anew each time. Whoever has called a function that runs as the owner is its session_user.
CREATE FUNCTION refuse_lowered_durability() RETURNS trigger
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

CREATE TRIGGER customers_durable BEFORE INSERT OR UPDATE ON customers FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();
CREATE TRIGGER pending_anonymizations_durable BEFORE INSERT OR UPDATE ON pending_anonymizations
FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();

-- migrate:down

DROP TRIGGER customers_durable ON customers;
DROP TRIGGER pending_anonymizations_durable ON pending_anonymizations;
DROP FUNCTION refuse_lowered_durability;
