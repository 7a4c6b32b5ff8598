#!/opt/record-shop/bin/python
"""Brings the three databases up to date, each as its owner. PGHOST comes from the environment, the owners' passwords from files."""

import os
import subprocess
import sys
from pathlib import Path

MIGRATIONS = "/opt/record-shop/db"
# A file for each owner, named as the role.
SECRETS = Path("/secrets")
# The folder of migrations, the database, its owner.
DATABASES = (
    ("catalog", "catalog", "catalog_owner"),
    ("customer", "customer", "customer_owner"),
    ("order", "orders", "order_owner"),
)


def main() -> None:
    """Migrate one database after the other; the first one that fails ends it with dbmate's exit code."""
    host = os.environ["PGHOST"]
    for folder, database, owner in DATABASES:
        print(f"migrating {database}", flush=True)
        url = f"postgres://{owner}@{host}/{database}?sslmode=disable"
        # The password stays out of the URL, where some characters would have to be written otherwise. Not `up`, which
        # knocks at the database postgres first, to see whether it has to make this one, and is refused.
        command = ["dbmate", "--url", url, "--no-dump-schema", "--migrations-dir", f"{MIGRATIONS}/{folder}", "migrate"]
        done = subprocess.run(
            command, env=os.environ | {"PGPASSWORD": (SECRETS / owner).read_text(encoding="utf-8")}, check=False
        )
        if done.returncode != 0:
            sys.exit(done.returncode)


if __name__ == "__main__":
    main()
