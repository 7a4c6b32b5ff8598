-- migrate:up

-- Finds a part of a text through an index. Trusted: the owner of the database may create it.
CREATE EXTENSION IF NOT EXISTS pg_trgm;

-- What the shop sells. Each CHECK repeats a bound of recordshop.catalog.v1.Disc, so that no way into the table goes round it.
CREATE TABLE discs (
    id uuid PRIMARY KEY,
    name text NOT NULL
        CHECK (char_length(name) BETWEEN 1 AND 200 AND btrim(name, E' \t\n\v\f\r') <> ''),
    artist text NOT NULL
        CHECK (char_length(artist) BETWEEN 1 AND 200 AND btrim(artist, E' \t\n\v\f\r') <> ''),
    year_of_release integer NOT NULL CHECK (year_of_release BETWEEN 1860 AND 2100),
    genre text NOT NULL
        CHECK (char_length(genre) BETWEEN 1 AND 100 AND btrim(genre, E' \t\n\v\f\r') <> ''),
    price_cents bigint NOT NULL CHECK (price_cents BETWEEN 0 AND 100000000),
    -- What the audit starts from. Nobody changes it: the service may not update this column.
    opening_stock bigint NOT NULL CHECK (opening_stock BETWEEN 0 AND 1000000000),
    -- A delivery fills it up to 1,000,000,000; copies that come back after that are never turned away.
    stock bigint NOT NULL CHECK (stock BETWEEN 0 AND 1000000000000),
    -- Counts the edits of a disc's own fields, and is its etag. A sale leaves it as it is.
    version bigint NOT NULL DEFAULT 1 CHECK (version >= 1),
    -- SHA-256 over what CreateDisc was asked for: a repeated create is told from another one, also after edits.
    created_fingerprint bytea NOT NULL CHECK (octet_length(created_fingerprint) = 32),
    create_time timestamptz NOT NULL DEFAULT now(),
    update_time timestamptz NOT NULL DEFAULT now(),
    delete_time timestamptz
) WITH (
    -- A disc that sells is updated thousands of times a minute. Its next version goes onto the same page as long as there is room,
    -- and then touches no index (HOT); its old ones are cleared away early, without pauses.
    fillfactor = 50,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 500,
    autovacuum_vacuum_cost_delay = 0
);

-- No index may name `stock`: every sale would have to write all indexes again.
--
-- Text is compared in lower case. With text_pattern_ops these serve an exact match, then in the order of ids, and a prefix.
CREATE INDEX discs_name_id ON discs (lower(name) text_pattern_ops, id);
CREATE INDEX discs_artist_id ON discs (lower(artist) text_pattern_ops, id);
CREATE INDEX discs_genre_id ON discs (lower(genre) text_pattern_ops, id);
CREATE INDEX discs_year_id ON discs (year_of_release, id);

-- A part of any of the three texts. New entries are gathered before they are sorted in, which makes writing discs eight times faster;
-- readers go through what was gathered, so that it is kept small.
CREATE INDEX discs_text_parts ON discs
USING gin (lower(name) gin_trgm_ops, lower(artist) gin_trgm_ops, lower(genre) gin_trgm_ops)
WITH (gin_pending_list_limit = 256);

DO $$
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO catalog_service', current_schema());
END
$$;

-- No DELETE: a disc that is off sale stays for the orders that hold it. No UPDATE of what never changes.
GRANT SELECT, INSERT ON discs TO catalog_service;
GRANT UPDATE (name, artist, year_of_release, genre, price_cents, stock, version, update_time, delete_time)
ON discs TO catalog_service;

-- migrate:down

DROP TABLE discs;

DO $$
BEGIN
    EXECUTE format('REVOKE USAGE ON SCHEMA %I FROM catalog_service', current_schema());
END
$$;

DROP EXTENSION pg_trgm;
