-- The role `monitor`, which reads PostgreSQL's own statistics, such as how far standbys are behind, and no table of the shop's.
--
-- Run by a superuser with psql 15 or later, after db/roles.sql, as often as you like:
--     MONITOR_PASSWORD=... psql -X -d postgres -f db/monitor.sql
-- The observability profile of compose does. With PASSWORDS_DIR the password is the content of the file `monitor` in that folder.

\set ON_ERROR_STOP on
\set QUIET on

\getenv monitor_password MONITOR_PASSWORD
\getenv passwords_dir PASSWORDS_DIR
\if :{?passwords_dir}
    \set monitor_password `cat :'passwords_dir'/monitor`
\endif
\if :{?monitor_password} \else \set monitor_password '' \endif

SELECT :'monitor_password' = '' AS missing \gset
\if :missing
    \warn 'db/monitor.sql needs MONITOR_PASSWORD in its environment'
    DO $$ BEGIN RAISE EXCEPTION 'a password is missing'; END $$;
\endif

-- A statement that fails would otherwise be written to the server's log with the password in it.
SET log_min_error_statement = 'panic';
SET log_statement = 'none';
SET log_min_duration_statement = -1;

SELECT 'CREATE ROLE monitor' WHERE NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = 'monitor') \gexec

-- Two connections are what db/roles.sql leaves free of max_connections = 200.
SELECT format(
    'ALTER ROLE monitor LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS CONNECTION LIMIT 2 PASSWORD %L',
    :'monitor_password'
) \gexec

GRANT pg_monitor TO monitor;
ALTER ROLE monitor SET statement_timeout = '5s';
ALTER ROLE monitor SET default_transaction_read_only = on;

-- db/roles.sql lets nobody into the database `postgres` but superusers.
GRANT CONNECT ON DATABASE postgres TO monitor;
