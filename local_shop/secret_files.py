"""The shop's secrets as files beside its databases, each for its owner alone: roles' passwords, and the key of customers' documents."""

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from local_shop.postgres import LocalPostgres
from local_shop.private_files import write_private

FOLDER = "secrets"
DOCUMENT_KEY_BYTES = 32


@dataclass(frozen=True)
class SecretFiles:
    """Where the files are. Processes are told their names, never what is in them."""

    folder: Path

    @classmethod
    def of(cls, server: LocalPostgres) -> Self:
        """The files of the shop on this server."""
        return cls(server.data_dir.with_name(FOLDER))

    @property
    def pgpass(self) -> Path:
        """All passwords as libpq reads them (PostgreSQL manual, 32.16)."""
        return self.folder / "pgpass"

    @property
    def document_key(self) -> Path:
        """The key that customers' documents are encrypted with: without it nobody reads them again."""
        return self.folder / "document.key"

    def password(self, role: str) -> Path:
        """A role's password."""
        return self.folder / role

    def write(self, passwords: Mapping[str, str]) -> None:
        """Writes the passwords, by role, and makes the key if there is none; a file that is right stays as it is."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        for role, password in passwords.items():
            _write(self.password(role), password)
        _write(self.pgpass, "".join(f"*:*:*:{role}:{_escaped(password)}\n" for role, password in passwords.items()))
        if not self.document_key.exists():
            write_private(self.document_key, base64.b64encode(secrets.token_bytes(DOCUMENT_KEY_BYTES)).decode() + "\n")


def _write(path: Path, text: str) -> None:
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_private(path, text)


def _escaped(password: str) -> str:
    return password.replace("\\", "\\\\").replace(":", "\\:")
