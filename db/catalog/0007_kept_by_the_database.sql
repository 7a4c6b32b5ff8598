-- migrate:up

-- PostgreSQL lets every role lower synchronous_commit for its own session, by SET or for ever by ALTER ROLE, and no privilege can refuse that.
-- So what the service would write that way is refused instead. Asked once for each statement, however many rows it writes; a WHEN would cost more
-- than the function does (some 10 us), as it is parsed anew each time.
CREATE FUNCTION refuse_lowered_durability() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_setting('synchronous_commit') NOT IN ('on', 'remote_apply') AND current_user = 'catalog_service' THEN
        RAISE EXCEPTION 'synchronous_commit is %: what is written now could be lost after it was acknowledged',
            current_setting('synchronous_commit')
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER discs_durable BEFORE INSERT OR UPDATE ON discs FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();
CREATE TRIGGER reservations_durable BEFORE INSERT OR UPDATE ON reservations FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();
CREATE TRIGGER stock_movements_durable BEFORE INSERT OR UPDATE ON stock_movements FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();
CREATE TRIGGER stock_returns_durable BEFORE INSERT OR UPDATE ON stock_returns FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();

-- migrate:down

DROP TRIGGER discs_durable ON discs;
DROP TRIGGER reservations_durable ON reservations;
DROP TRIGGER stock_movements_durable ON stock_movements;
DROP TRIGGER stock_returns_durable ON stock_returns;
DROP FUNCTION refuse_lowered_durability;
