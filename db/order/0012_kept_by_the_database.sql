-- migrate:up

-- PostgreSQL lets every role lower synchronous_commit for its own session, by SET or for ever by ALTER ROLE, and no privilege can refuse that.
-- So what the service would write that way is refused instead. Asked once for each statement, however many rows it writes; a WHEN would cost more
-- than the function does (some 10 us), as it is parsed anew each time. Whoever has called a function that runs as the owner is its session_user.
CREATE FUNCTION refuse_lowered_durability() RETURNS trigger
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

CREATE TRIGGER orders_durable BEFORE INSERT OR UPDATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();
CREATE TRIGGER order_returns_durable BEFORE INSERT OR UPDATE ON order_returns FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();
CREATE TRIGGER anonymized_customers_durable BEFORE INSERT OR UPDATE ON anonymized_customers
FOR EACH STATEMENT EXECUTE FUNCTION refuse_lowered_durability();

-- Names and prices are written once, in the statement that decides the order; what was asked for never changes (no UPDATE of it is granted).
-- After that the service's role cannot change what was sold, nor bring an order back from its end. Whoever mends data by hand is another role.
CREATE FUNCTION refuse_change_of_sale() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    IF current_user <> 'order_service' THEN
        RETURN NULL;
    END IF;
    IF (old.reason, old.names, old.artists, old.prices_cents, old.total_cents, old.stock_left, old.refused_disc_ids)
        IS DISTINCT FROM
        (new.reason, new.names, new.artists, new.prices_cents, new.total_cents, new.stock_left, new.refused_disc_ids)
        OR (new.status <> old.status AND (old.status, new.status) NOT IN (('CONFIRMED', 'CANCELLING'), ('CANCELLING', 'CANCELLED')))
    THEN
        RAISE EXCEPTION 'a decided order keeps its lines, and can only be cancelled' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NULL;
END
$$;

-- Behind the update, since one ahead of it would lock each row once more. The statement that decides orders never meets the function.
CREATE TRIGGER orders_stay
AFTER UPDATE OF status, reason, names, artists, prices_cents, total_cents, stock_left, refused_disc_ids ON orders
FOR EACH ROW WHEN (old.status <> 'PENDING')
EXECUTE FUNCTION refuse_change_of_sale();

-- migrate:down

DROP TRIGGER orders_stay ON orders;
DROP FUNCTION refuse_change_of_sale;
DROP TRIGGER orders_durable ON orders;
DROP TRIGGER anonymized_customers_durable ON anonymized_customers;
DROP TRIGGER order_returns_durable ON order_returns;
DROP FUNCTION refuse_lowered_durability;
