#!/opt/record-shop/bin/python
"""Brings the three databases up to date, each as its owner. PGHOST and the owners' passwords come from the environment."""

import os
import subprocess
import sys

MIGRATIONS = "/opt/record-shop/db"
# The folder of migrations, the database, its owner, the variable of the owner's password.
DATABASES = (
    ("catalog", "catalog", "catalog_owner", "CATALOG_OWNER_PASSWORD"),
    ("customer", "customer", "customer_owner", "CUSTOMER_OWNER_PASSWORD"),
    ("order", "orders", "order_owner", "ORDER_OWNER_PASSWORD"),
)


def main() -> None:
    """Migrate one database after the other; the first one that fails ends it with dbmate's exit code."""
    host = os.environ["PGHOST"]
    for folder, database, owner, password in DATABASES:
        print(f"migrating {database}", flush=True)
        url = f"postgres://{owner}@{host}/{database}?sslmode=disable"
        # The password stays out of the URL, where some characters would have to be written otherwise. Not `up`, which
        # knocks at the database postgres first, to see whether it has to make this one, and is refused.
        command = ["dbmate", "--url", url, "--no-dump-schema", "--migrations-dir", f"{MIGRATIONS}/{folder}", "migrate"]
        done = subprocess.run(command, env=os.environ | {"PGPASSWORD": os.environ[password]}, check=False)
        if done.returncode != 0:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
