#!/bin/sh
# Brings the three databases up to date, each as its owner. PGHOST and the owners' passwords come from the environment.
set -eu

migrate() { # The folder of migrations, the database, its owner, the owner's password.
    echo "migrating $2"
    # The password stays out of the URL, where some characters would have to be written otherwise. Not `up`, which
    # knocks at the database postgres first, to see whether it has to make this one, and is refused.
    PGPASSWORD=$4 dbmate --url "postgres://$3@$PGHOST/$2?sslmode=disable" --no-dump-schema \
        --migrations-dir "/opt/record-shop/db/$1" migrate
}

migrate catalog catalog catalog_owner "$CATALOG_OWNER_PASSWORD"
migrate customer customer customer_owner "$CUSTOMER_OWNER_PASSWORD"
migrate order orders order_owner "$ORDER_OWNER_PASSWORD"
