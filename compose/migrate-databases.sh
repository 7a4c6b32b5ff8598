#!/bin/sh
# Brings the three databases up to date, each as its owner. PGHOST comes from the environment, the owners' passwords from files.
set -eu

migrate() { # The folder of migrations, the database, its owner.
    echo "migrating $2"
    # Not `up`, which knocks at the database postgres first, to see whether it has to make this one, and is refused.
    PGPASSWORD=$(cat "/secrets/$3") dbmate --url "postgres://$3@$PGHOST/$2?sslmode=disable" --no-dump-schema \
        --migrations-dir "/opt/record-shop/db/$1" migrate
}

migrate catalog catalog catalog_owner
migrate customer customer customer_owner
migrate order orders order_owner
