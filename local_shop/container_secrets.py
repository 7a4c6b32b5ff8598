"""Makes the secrets of the shop in containers: `python -m local_shop.container_secrets FOLDER`.

Each subfolder is a volume that one kind of container sees, and everything in a volume is for whoever sees it. A file that is there stays
as it is, so that a second start changes nothing, and so that passwords of one's own can be put there. It needs nothing but Python itself.
"""

import base64
import secrets
import sys
from pathlib import Path

PASSWORD_BYTES = 24
DOCUMENT_KEY_BYTES = 32
MODE = 0o444

SUPERUSER = "postgres"
MONITOR = "monitor"
OWNERS = ("catalog_owner", "customer_owner", "order_owner")
SERVICES = {"catalog": "catalog_service", "customer": "customer_service", "order": "order_service"}
ROLES = (SUPERUSER, MONITOR, *OWNERS, *SERVICES.values())


def make_secrets(folder: Path) -> None:
    """Makes what is missing: in `roles` every role's password, under its name; elsewhere what is needed there."""
    roles = {role: _kept(folder / "roles" / role, _random(PASSWORD_BYTES)) for role in ROLES}
    _kept(folder / "postgres" / SUPERUSER, roles[SUPERUSER])
    _kept(folder / "monitor" / "password", roles[MONITOR])
    for owner in OWNERS:
        _kept(folder / "owners" / owner, roles[owner])
    for service, role in SERVICES.items():
        _kept(folder / service / "password", roles[role])
    _kept(folder / "customer" / "document.key", _random(DOCUMENT_KEY_BYTES))


def _random(size_bytes: int) -> str:
    return base64.b64encode(secrets.token_bytes(size_bytes)).decode()


def _kept(path: Path, text: str) -> str:
    """What the file holds, which is `text` if it is new. It is never seen half written."""
    if not path.exists():
        unfinished = path.with_name(f"{path.name}.unfinished")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.chmod(MODE)
        unfinished.replace(path)
    return path.read_text(encoding="utf-8")


if __name__ == "__main__":
    make_secrets(Path(sys.argv[1]))
