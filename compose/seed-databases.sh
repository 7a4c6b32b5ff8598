#!/bin/sh
# Adds the first records, those that are not there yet. PGHOST and the owners' passwords come from the environment.
set -eu

seed() { # The file, the database, its owner, the owner's password.
    echo "seeding $2"
    PGPASSWORD=$4 psql --no-psqlrc --quiet --no-password --set ON_ERROR_STOP=1 --single-transaction \
        --username "$3" --dbname "$2" --file "/db/seed/$1.sql"
}

seed catalog catalog catalog_owner "$CATALOG_OWNER_PASSWORD"
seed customer customer customer_owner "$CUSTOMER_OWNER_PASSWORD"
