#!/bin/sh
# Runs a file of SQL as the superuser, in the database postgres. PGHOST comes from the environment, the password from a file.
set -eu

PGPASSWORD=$(cat /secrets/postgres)
export PGPASSWORD
exec psql --no-psqlrc --quiet --no-password --username postgres --dbname postgres --file "$1"
