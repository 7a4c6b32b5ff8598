-- migrate:up

-- The transaction that edited a customer last; NULL while nobody did. A reader who remembers the oldest transaction that was still open finds
-- by it all who were edited since, without a counter that every edit would have to wait for.
ALTER TABLE customers ADD COLUMN edit_xid xid8;

-- As small as there are few edited customers.
CREATE INDEX customers_edit_xid ON customers (edit_xid) WHERE edit_xid IS NOT NULL;

-- A trigger, so that no way into the table goes round it: an edit that it missed would be believed not to have happened.
CREATE FUNCTION note_edit() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    NEW.edit_xid := pg_current_xact_id();
    RETURN NEW;
END
$$;

CREATE TRIGGER customers_note_edit BEFORE UPDATE ON customers FOR EACH ROW EXECUTE FUNCTION note_edit();

-- migrate:down

DROP TRIGGER customers_note_edit ON customers;
DROP FUNCTION note_edit;
DROP INDEX customers_edit_xid;
ALTER TABLE customers DROP COLUMN edit_xid;
