"""What the image is made of, without a Docker engine: gathered from an environment that the lock file was installed into, and entered."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from supply.environment import Environment

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "requirements.lock"
GATHER_TIMEOUT_S = 300.0
RUN_TIMEOUT_S = 60.0
# What somebody who got in would look for.
UNWANTED = {
    *("sh", "bash", "dash", "busybox", "env", "perl", "gcc", "cc", "c++", "ld", "as", "make", "apt", "apt-get", "dpkg"),
    *("pip", "pip3", "curl", "wget", "ssh", "su", "sudo", "mount"),
}
ENTER = ["chroot"] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--root"]
# Where Debian has both; the root itself is told nothing.
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
# By far most of what a service loads, and by different ways: extensions of C, of C++ and of Rust, TLS, and names of hosts.
USE = """
import asyncio, asyncpg, grpc, grpc_health.v1.health, pydantic_core, ssl, socket, uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from opentelemetry.sdk.trace import TracerProvider
Ed25519PrivateKey.generate()
socket.getaddrinfo("localhost", 80)
import pwd
print(pwd.getpwuid(10001).pw_name)
"""

pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment with what the services run on."""
    environment = Environment(tmp_path_factory.mktemp("shop") / "venv")
    environment.install_lock(LOCK)
    return environment


@pytest.fixture(scope="module")
def root(environment: Environment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that would become the image."""
    folder = tmp_path_factory.mktemp("image")
    venv = environment.python.parents[1]
    subprocess.run(
        [os.path.realpath(environment.python), ROOT / "compose" / "runtime_root.py", folder, venv],
        check=True,
        timeout=GATHER_TIMEOUT_S,
    )
    # As the engine puts it there.
    (folder / "etc" / "hosts").write_text("127.0.0.1 localhost\n", encoding="utf-8")
    return folder


def test_there_is_no_shell_no_compiler_and_no_package_manager(root: Path) -> None:
    programs = {
        path.name for path in root.rglob("*") if path.is_symlink() or (path.is_file() and os.access(path, os.X_OK))
    }
    assert not programs & UNWANTED
    assert "python" in programs


def test_python_and_all_that_the_services_load_run_in_it(root: Path, environment: Environment) -> None:
    done = subprocess.run(
        [*ENTER, root, environment.python, "-I", "-c", USE],
        env={"PATH": PATH},
        capture_output=True,
        text=True,
        timeout=RUN_TIMEOUT_S,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "shop\n"), done.stderr


def test_no_link_leads_nowhere(root: Path) -> None:
    for link in [path for path in root.rglob("*") if path.is_symlink()]:
        target = link.readlink()
        assert os.path.lexists(root / target.relative_to("/") if target.is_absolute() else link.parent / target), link


def test_nothing_is_taken_twice_and_everything_is_compiled(root: Path) -> None:
    modules = list(root.rglob("asyncio/events.py"))
    assert len(modules) == 1
    assert list(modules[0].parent.glob(f"__pycache__/events.{sys.implementation.cache_tag}.pyc"))
