"""PyPI's advisories as a test has them: a proxy that answers for https://pypi.org itself, with a certificate of the test's CA."""

import json
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

from local_shop.certs import CA_FILE, issue_pair, make_certs
from local_shop.ports import HOST

PYPI = "pypi.org"
CLIENT_TIMEOUT_S = 20.0


@dataclass
class FakePypi:
    """What it answers: of each package the ids of its advisories; or the same status and text to everything."""

    proxy: str
    ca: Path
    advisories: dict[str, Sequence[str]] = field(default_factory=dict)
    unknown: frozenset[str] = frozenset()
    instead: tuple[int, str] | None = None

    @property
    def environment(self) -> Mapping[str, str]:
        """What leads a program here."""
        return {"HTTPS_PROXY": self.proxy, "https_proxy": self.proxy, "REQUESTS_CA_BUNDLE": str(self.ca)}

    def answer(self, path: str) -> tuple[int, str]:
        """Return status and content for `/pypi/NAME/VERSION/json`."""
        if self.instead is not None:
            return self.instead
        _, _, name, version, _ = path.split("/")
        if name in self.unknown:
            return 404, "{}"
        known = [_advisory(advisory) for advisory in self.advisories.get(name, ())]
        return 200, json.dumps({"info": {"name": name, "version": version}, "vulnerabilities": known})


def _advisory(name: str) -> dict[str, Any]:
    return {"id": name, "aliases": [], "details": "It is bad.", "fixed_in": ["9.0"], "withdrawn": None}


@contextmanager
def fake_pypi(folder: Path) -> Iterator[FakePypi]:
    """Run it until the block ends; `folder` gets its CA."""
    make_certs(folder)
    issue_pair(folder, folder, PYPI, names=[PYPI])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / f"{PYPI}.pem", folder / f"{PYPI}.key")

    class Proxy(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = CLIENT_TIMEOUT_S

        def do_CONNECT(self) -> None:
            if self.path != f"{PYPI}:443":
                self.send_error(403)
                return
            self.send_response(200)
            self.end_headers()
            self.connection = context.wrap_socket(self.connection, server_side=True)
            self.rfile = self.connection.makefile("rb")
            self.wfile = self.connection.makefile("wb", buffering=0)  # type: ignore[assignment]
            self.close_connection = False

        def do_GET(self) -> None:
            status, text = fake.answer(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text.encode())

        def finish(self) -> None:
            super().finish()
            # Not the socket that the server itself knows of, and closes.
            self.connection.close()

        def log_message(self, *told: object) -> None:
            """It is quiet."""

    with ThreadingHTTPServer((HOST, 0), Proxy) as server:
        fake = FakePypi(f"http://{HOST}:{server.server_port}", folder / CA_FILE)
        thread = Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield fake
        finally:
            server.shutdown()
            thread.join()
