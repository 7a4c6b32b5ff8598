-- The three databases, each with the role that owns it (migrations) and the role that its service works as.
--
-- Run by a superuser with psql 15 or later, as often as you like:
--     psql -X -d postgres -f db/roles.sql
-- The six passwords come from files in the folder that PASSWORDS_DIR names, each named as its role (catalog_owner, catalog_service
-- and so on), or else from the environment (CATALOG_OWNER_PASSWORD and so on), so that no list of processes shows them. A further run sets
-- them anew.

\set ON_ERROR_STOP on
\set QUIET on

\getenv catalog_owner_password CATALOG_OWNER_PASSWORD
\getenv catalog_service_password CATALOG_SERVICE_PASSWORD
\getenv customer_owner_password CUSTOMER_OWNER_PASSWORD
\getenv customer_service_password CUSTOMER_SERVICE_PASSWORD
\getenv order_owner_password ORDER_OWNER_PASSWORD
\getenv order_service_password ORDER_SERVICE_PASSWORD

\getenv passwords_dir PASSWORDS_DIR
\if :{?passwords_dir}
    \set catalog_owner_password `cat :'passwords_dir'/catalog_owner`
    \set catalog_service_password `cat :'passwords_dir'/catalog_service`
    \set customer_owner_password `cat :'passwords_dir'/customer_owner`
    \set customer_service_password `cat :'passwords_dir'/customer_service`
    \set order_owner_password `cat :'passwords_dir'/order_owner`
    \set order_service_password `cat :'passwords_dir'/order_service`
\endif

\if :{?catalog_owner_password} \else \set catalog_owner_password '' \endif
\if :{?catalog_service_password} \else \set catalog_service_password '' \endif
\if :{?customer_owner_password} \else \set customer_owner_password '' \endif
\if :{?customer_service_password} \else \set customer_service_password '' \endif
\if :{?order_owner_password} \else \set order_owner_password '' \endif
\if :{?order_service_password} \else \set order_service_password '' \endif

-- A statement that fails would otherwise be written to the server's log with the password in it.
SET log_min_error_statement = 'panic';
SET log_statement = 'none';
SET log_min_duration_statement = -1;

CREATE TEMPORARY TABLE shop (database, owner, owner_password, service, service_password) AS VALUES
    ('catalog', 'catalog_owner', :'catalog_owner_password', 'catalog_service', :'catalog_service_password'),
    ('customer', 'customer_owner', :'customer_owner_password', 'customer_service', :'customer_service_password'),
    ('orders', 'order_owner', :'order_owner_password', 'order_service', :'order_service_password');

SELECT string_agg(upper(role) || '_PASSWORD', ', ') AS missing
FROM (SELECT owner, owner_password FROM shop UNION ALL SELECT service, service_password FROM shop)
    AS roles (role, password)
WHERE password = '' \gset

\if :{?missing}
    \warn 'db/roles.sql needs these in its environment:' :missing
    DO $$ BEGIN RAISE EXCEPTION 'passwords are missing'; END $$;
\endif

-- Roles. Nobody is a member of another role, so nobody reaches another's data.
SELECT format('CREATE ROLE %I', role)
FROM (SELECT owner FROM shop UNION ALL SELECT service FROM shop) AS roles (role)
WHERE role NOT IN (SELECT rolname FROM pg_roles) \gexec

-- The limits add up to 195, just under the 197 connections that max_connections = 200 leaves to ordinary roles.
SELECT format(
    'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT %s PASSWORD %L',
    role, connections, password
)
FROM (
    SELECT owner, owner_password, 10 FROM shop UNION ALL SELECT service, service_password, 55 FROM shop
) AS roles (role, password, connections) \gexec

-- A service's statement that takes this long is stuck. The owners have no limits: a migration takes what it takes.
SELECT format('ALTER ROLE %I SET %s = %L', service, name, value)
FROM shop, (VALUES
    ('statement_timeout', '5s'),
    ('lock_timeout', '2s'),
    ('idle_in_transaction_session_timeout', '10s')
) AS limits (name, value) \gexec

-- Every statement of a service finds its rows by an index. A planner that last saw a table empty would go through all of it instead, at every
-- order, until somebody has analyzed the table.
SELECT format('ALTER ROLE %I SET enable_seqscan = off', service) FROM shop \gexec

-- The details of an error quote the row that it is about (`Key (document)=(...)`), and those of a statement that is logged are its arguments:
-- a person's data is not for the server's log.
SELECT format('ALTER ROLE %I SET log_error_verbosity = terse', service) FROM shop \gexec

-- Databases. From template0, so that order and case of text are the same whatever locale the cluster was made with.
SELECT format(
    'CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'' LOCALE_PROVIDER libc LOCALE ''C.UTF-8''',
    database, owner
)
FROM shop
WHERE database NOT IN (SELECT datname FROM pg_database) \gexec

SELECT format('ALTER DATABASE %I OWNER TO %I', database, owner) FROM shop \gexec

-- PUBLIC, which is every role there is, may connect nowhere; each service may connect to its own database.
SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', datname)
FROM pg_database
WHERE datname IN ('postgres', 'template1', current_database()) OR datname IN (SELECT database FROM shop) \gexec

SELECT format('GRANT CONNECT ON DATABASE %I TO %I', database, service) FROM shop \gexec

-- The schema public belongs to whoever owns the database (role pg_database_owner, PostgreSQL 15), and to nobody else
-- any more. What the service may do in it is granted by the migrations, next to the tables.
\connect catalog
REVOKE ALL ON SCHEMA public FROM PUBLIC;
\connect customer
REVOKE ALL ON SCHEMA public FROM PUBLIC;
\connect orders
REVOKE ALL ON SCHEMA public FROM PUBLIC;
