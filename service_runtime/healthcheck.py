"""Asks one gRPC server on this machine for its health: `python -m service_runtime.healthcheck 50051`.

Exit 0 if it answers SERVING. A container engine asks every few seconds, for as long as the service lives: grpc takes
five times as long to import as this takes altogether, so the one call is written out as HTTP/2 frames (RFC 9113).
"""

import socket
import struct

HOST = "127.0.0.1"
TIMEOUT_S = 3.0
FRAMES_MAX = 50

DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
CALL = 1

# gRPC frames of a message: not compressed, then the length. The request's `service` is "", which is the whole server.
REQUEST = b"\0" + struct.pack(">I", 0)
# HealthCheckResponse{status: SERVING}.
SERVING = b"\0" + struct.pack(">I", 2) + b"\x08\x01"


def is_serving(port: int) -> bool:
    """Return whether the server's overall health is SERVING; OSError if it does not answer within TIMEOUT_S per wait."""
    with socket.create_connection((HOST, port), timeout=TIMEOUT_S) as connection, connection.makefile("rb") as answers:
        connection.sendall(_call())
        for kind, flags, stream, payload in _frames(answers.read):
            if stream == CALL and kind == DATA:
                return payload == SERVING
            if stream == CALL and flags & END_STREAM:
                return False
    return False


def _call() -> bytes:
    # HPACK (RFC 7541) with its static table and plain text: nothing is remembered, nothing is Huffman-coded.
    headers = b"\x83\x86" + b"".join(  # :method POST, :scheme http
        (
            _header(b"\x04", "/grpc.health.v1.Health/Check"),  # :path
            _header(b"\x01", HOST),  # :authority
            _header(b"\x0f\x10", "application/grpc"),  # content-type
            _header(b"\x00\x02te", "trailers"),
        )
    )
    return b"".join(
        (
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
            _frame(SETTINGS, 0, 0, b""),
            _frame(HEADERS, END_HEADERS, CALL, headers),
            _frame(DATA, END_STREAM, CALL, REQUEST),
        )
    )


def _header(name: bytes, value: str) -> bytes:
    return name + bytes([len(value)]) + value.encode()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload
