"""Python environments to install into, apart from the one that this runs in."""

import json
import subprocess
import sys
import venv
from pathlib import Path
from typing import Any

PIP_TIMEOUT_S = 600.0


class PipFailed(Exception):
    """pip did not do what it was asked to; the message has its words."""


class Environment:
    """An environment in a folder, with nothing in it at first: pip works on it from outside."""

    def __init__(self, folder: Path) -> None:
        venv.create(folder)
        self.python = folder / "bin" / "python"

    def install_lock(self, lock: Path) -> None:
        """Install what a lock file names and nothing else, by its hashes, and run no package's own code; PipFailed if it cannot be."""
        self._pip(
            "install", "--quiet", "--require-hashes", "--no-deps", "--only-binary", ":all:", "--requirement", lock
        )

    def check(self) -> None:
        """PipFailed if a package lacks what it needs."""
        self._pip("check")

    def packages(self) -> list[dict[str, Any]]:
        """Return the metadata of each package, as PEP 566 names them, by name."""
        installed = json.loads(self._pip("inspect", "--local"))["installed"]
        return sorted((package["metadata"] for package in installed), key=lambda package: package["name"].lower())

    def _pip(self, *arguments: str | Path) -> str:
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", self.python, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PIP_TIMEOUT_S, check=False)
        if done.returncode != 0:
            raise PipFailed(f"pip {arguments[0]} failed:\n{done.stdout}{done.stderr}".rstrip())
        return done.stdout
