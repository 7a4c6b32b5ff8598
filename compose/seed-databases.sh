#!/bin/sh
# Adds the first records, those that are not there yet. PGHOST comes from the environment, the owners' passwords from files.
set -eu

seed() { # The file, the database, its owner.
    echo "seeding $2"
    PGPASSWORD=$(cat "/secrets/$3") psql --no-psqlrc --quiet --no-password --set ON_ERROR_STOP=1 --single-transaction \
        --username "$3" --dbname "$2" --file "/db/seed/$1.sql"
}

seed catalog catalog catalog_owner
seed customer customer customer_owner
