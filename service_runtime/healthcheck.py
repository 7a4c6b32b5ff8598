"""Asks a gRPC server on this machine for its health: `python -m service_runtime.healthcheck 50051` exits 0 if it is SERVING.

A container engine asks every few seconds, as long as the service lives. Importing grpc takes five times as long as all of
this, so the one call is written out as frames of HTTP/2 (RFC 9113, with headers as in RFC 7541).
"""

import socket
import struct
import sys
from typing import BinaryIO

HOST = "127.0.0.1"
TIMEOUT_S = 3.0
FRAMES_MAX = 20

DATA, HEADERS, SETTINGS = 0, 1, 4
END_STREAM, END_HEADERS = 1, 4
CONNECTION, CALL = 0, 1

# From HPACK's static table, or as plain text: nothing is remembered, nothing is Huffman-coded.
POST, HTTP = b"\x83", b"\x86"
PATH, AUTHORITY, CONTENT_TYPE, TE = b"\x04", b"\x01", b"\x0f\x10", b"\x00\x02te"

# Each message has a byte that says "not compressed", and its length. The request asks for the whole server's health.
REQUEST = b"\0" + struct.pack(">I", 0)
SERVING = b"\0" + struct.pack(">I", 2) + b"\x08\x01"


def is_serving(port: int) -> bool:
    """Returns whether the server says that it is SERVING; raises OSError if there is none, or none that answers."""
    with socket.create_connection((HOST, port), timeout=TIMEOUT_S) as connection, connection.makefile("rb") as answers:
        connection.sendall(_call())
        for _ in range(FRAMES_MAX):
            kind, flags, stream, payload = _read_frame(answers)
            if stream == CALL and kind == DATA:
                return payload == SERVING
            if stream == CALL and flags & END_STREAM:
                return False
    return False


def _call() -> bytes:
    headers = (
        POST,
        HTTP,
        _header(PATH, "/grpc.health.v1.Health/Check"),
        _header(AUTHORITY, HOST),
        _header(CONTENT_TYPE, "application/grpc"),
        _header(TE, "trailers"),
    )
    frames = (
        _frame(SETTINGS, 0, CONNECTION, b""),
        _frame(HEADERS, END_HEADERS, CALL, b"".join(headers)),
        _frame(DATA, END_STREAM, CALL, REQUEST),
    )
    return b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"".join(frames)


def _header(name: bytes, value: str) -> bytes:
    return name + bytes([len(value)]) + value.encode()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def _read_frame(answers: BinaryIO) -> tuple[int, int, int, bytes]:
    head = answers.read(9)
    if len(head) < 9:
        raise ConnectionResetError("the server closed the connection")
    kind, flags, stream = struct.unpack(">BBI", head[3:])
    return kind, flags, stream, answers.read(int.from_bytes(head[:3], "big"))


def main() -> None:
    """Exits with 0 if the server on the port that is named is SERVING, else with 1 and a line that says why."""
    try:
        serving = is_serving(int(sys.argv[1]))
    except OSError as error:
        raise SystemExit(f"no answer: {error}") from error
    if not serving:
        raise SystemExit("not serving")


if __name__ == "__main__":
    main()
