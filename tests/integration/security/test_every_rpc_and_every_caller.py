"""Every RPC of every service, called by every kind of caller, over real TLS."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import grpc
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from local_shop.certs import AUDIENCE, CA_FILE, ISSUER, TOKEN_KEY_FILE, TOKEN_KEY_ID, make_certs, make_token
from recordshop.catalog.v1 import catalog_pb2, stock_pb2
from recordshop.channels import Tls, open_channel
from recordshop.customer.v1 import customer_pb2
from recordshop.error_details import error_from_rpc
from recordshop.order.v1 import order_pb2
from tests.integration.security.conftest import LockedShop

CALL_TIMEOUT_S = 10.0

# What each caller may do, said a second time on purpose: the services' tables must agree with it.
BROWSING = {"GetDisc", "BatchGetDiscs", "ListDiscs", "WatchStock"}
ORDERING = {"CreateOrder", "BatchCreateOrders", "PlaceOrders", "CancelOrder"}
READING_ORDERS = {"GetOrder", "WatchOrder", "ListOrders"}
HOLDING = {"ReserveStock", "BatchReserveStock", "DenySoldOut", "ReleaseStock", "ReturnStock"}
READING_STOCK = {"GetReservation", "ListReservations", "ListStockBalances"}
KEEPING = {"CreateDisc", "UpdateDisc", "DeleteDisc", "AdjustStock"}
ONESELF = {"CreateCustomer", "GetCustomer", "UpdateCustomer", "AnonymizeCustomer"}
# Of two services; the one by which the customer service has a person removed from orders is told apart.
OF_ORDERS = "OrderService/AnonymizeCustomer"
EVERYTHING_PEOPLE_DO = {
    *BROWSING, *ORDERING, *READING_ORDERS, *READING_STOCK, *KEEPING, *ONESELF,
    "AuditStock", "ListStockMovements", "BatchGetCustomers", "ListCustomers",
}  # fmt: skip
MAY: Mapping[str, set[str]] = {
    "customer": {*BROWSING, *ORDERING, *READING_ORDERS, *ONESELF},
    "clerk": {*BROWSING, *KEEPING, *READING_STOCK, "ListStockMovements"},
    "auditor": {*BROWSING, *READING_ORDERS, *READING_STOCK, "ListStockMovements", "AuditStock"},
    "admin": EVERYTHING_PEOPLE_DO,
    "service:order": {*HOLDING, *READING_STOCK, "BatchGetCustomers"},
    "service:customer": {OF_ORDERS},
}
SERVICES = {
    "catalog": [catalog_pb2.DESCRIPTOR, stock_pb2.DESCRIPTOR],
    "customer": [customer_pb2.DESCRIPTOR],
    "order": [order_pb2.DESCRIPTOR],
}
METHODS = [
    (process, f"/{service.full_name}/{method.name}", method)
    for process, files in SERVICES.items()
    for file in files
    for service in file.services_by_name.values()
    for method in service.methods
]


def name_of(path: str) -> str:
    """A method's name, with its service's where two have one of it."""
    return OF_ORDERS if path.endswith(OF_ORDERS) else path.rpartition("/")[2]


NOW = int(time.time())
DAY_S = 86_400
ATTEMPTS_MAX = 3


def claims(**changes: Any) -> dict[str, Any]:
    """A good token's content, but for the changes; a change to None takes a claim away."""
    good = {"iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "role": "admin", "nbf": NOW - 60, "exp": NOW + 2 * DAY_S}
    return {name: value for name, value in {**good, **changes}.items() if value is not None}


def private_key(certs: Path) -> Any:
    return serialization.load_pem_private_key((certs / TOKEN_KEY_FILE).read_bytes(), password=None)


def signed(certs: Path, headers: Mapping[str, Any] | None = None, **changes: Any) -> str:
    """A token by the right key, but for the changes."""
    wanted = {"kid": TOKEN_KEY_ID} if headers is None else dict(headers)
    return jwt.encode(claims(**changes), private_key(certs), algorithm="EdDSA", headers=wanted)


def part(content: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(content).encode()).rstrip(b"=").decode()


def unsigned(certs: Path) -> str:
    return f"{part({'alg': 'none', 'typ': 'JWT', 'kid': TOKEN_KEY_ID})}.{part(claims())}."


def signed_with_the_public_key(certs: Path, encoding: str) -> str:
    """HS256 with what everybody knows for a secret, as an old trick has it."""
    public = private_key(certs).public_key()
    secret = (
        public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        if encoding == "pem"
        else public.public_bytes(serialization.Encoding.Raw, serialization.PublicFormat.Raw)
    )
    body = f"{part({'alg': 'HS256', 'typ': 'JWT', 'kid': TOKEN_KEY_ID})}.{part(claims())}"
    signature = hmac.new(secret, body.encode(), hashlib.sha256).digest()
    return f"{body}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def by_another_key(certs: Path) -> str:
    return jwt.encode(claims(), Ed25519PrivateKey.generate(), algorithm="EdDSA", headers={"kid": TOKEN_KEY_ID})


def tampered(certs: Path) -> str:
    """A customer's token that was made an admin's."""
    header, _, signature = signed(certs, role="customer", sub=str(uuid4())).split(".")
    return f"{header}.{part(claims())}.{signature}"


UNKNOWN, INVALID, EXPIRED = "CALLER_UNKNOWN", "TOKEN_INVALID", "TOKEN_EXPIRED"
# Kinds of tokens that nobody gets past with: how they are made, and the reason that is answered.
REFUSED: Mapping[str, tuple[Callable[[Path], str | None], str]] = {
    "no token": (lambda _: None, UNKNOWN),
    "not a bearer": (lambda certs: "Basic " + signed(certs), UNKNOWN),
    "empty": (lambda _: "Bearer ", INVALID),
    "malformed": (lambda _: "Bearer not.a.token", INVALID),
    "not even that": (lambda _: "Bearer ~~~", INVALID),
    "too long": (lambda certs: "Bearer " + signed(certs, more="x" * 8_000), INVALID),
    "expired": (lambda certs: "Bearer " + signed(certs, exp=NOW - 60), EXPIRED),
    "not valid yet": (lambda certs: "Bearer " + signed(certs, nbf=NOW + DAY_S), INVALID),
    "another audience": (lambda certs: "Bearer " + signed(certs, aud="another shop"), INVALID),
    "another issuer": (lambda certs: "Bearer " + signed(certs, iss="https://elsewhere.example"), INVALID),
    **{
        f"without {claim}": (lambda certs, claim=claim: "Bearer " + signed(certs, **{claim: None}), INVALID)
        for claim in ("iss", "aud", "exp", "nbf", "sub", "role")
    },
    "another kid": (lambda certs: "Bearer " + signed(certs, {"kid": "another"}), INVALID),
    "without kid": (lambda certs: "Bearer " + signed(certs, {}), INVALID),
    "a role that nobody has": (lambda certs: "Bearer " + signed(certs, role="owner"), INVALID),
    "a person who says to be a service": (lambda certs: "Bearer " + signed(certs, role="service:order"), INVALID),
    "a customer without an id": (lambda certs: "Bearer " + signed(certs, role="customer", sub="ada"), INVALID),
    "alg none": (lambda certs: "Bearer " + unsigned(certs), INVALID),
    "HS256 with the public key as PEM": (lambda c: "Bearer " + signed_with_the_public_key(c, "pem"), INVALID),
    "HS256 with the public key as bytes": (lambda c: "Bearer " + signed_with_the_public_key(c, "raw"), INVALID),
    "by another key": (lambda certs: "Bearer " + by_another_key(certs), INVALID),
    "tampered with": (lambda certs: "Bearer " + tampered(certs), INVALID),
}


@dataclass(frozen=True)
class Answer:
    """How a call was answered."""

    code: grpc.StatusCode
    reason: str

    @property
    def is_let_in(self) -> bool:
        """Whether the caller got as far as to be told what is wrong with an empty request."""
        return self.code not in (
            grpc.StatusCode.UNAUTHENTICATED,
            grpc.StatusCode.PERMISSION_DENIED,
            grpc.StatusCode.UNAVAILABLE,
        )


async def call(channel: grpc.aio.Channel, path: str, method: Any, authorization: str | None) -> Answer:
    """Call a method with an empty request, and return how that was answered."""
    for _ in range(ATTEMPTS_MAX):
        answer = await call_once(channel, path, method, authorization)
        # INTERNAL without a reason is gRPC's own: a stream that the server ended before it had read what was on its way.
        if answer != Answer(grpc.StatusCode.INTERNAL, ""):
            break
    return answer


async def call_once(channel: grpc.aio.Channel, path: str, method: Any, authorization: str | None) -> Answer:
    metadata = () if authorization is None else (("authorization", authorization),)
    how = {"metadata": metadata, "timeout": CALL_TIMEOUT_S}
    try:
        if method.client_streaming:
            async for _ in channel.stream_stream(path)(iter([b""]), **how):
                break
        elif method.server_streaming:
            async for _ in channel.unary_stream(path)(b"", **how):
                break
        else:
            await channel.unary_unary(path)(b"", **how)
    except grpc.aio.AioRpcError as error:
        answer = Answer(error.code(), error_from_rpc(error).reason)
        assert_says_nothing(error, answer)
        return answer
    return Answer(grpc.StatusCode.OK, "")


def assert_says_nothing(error: grpc.aio.AioRpcError, answer: Answer) -> None:
    """Check that who is turned away learns the reason, and nothing of how things are inside."""
    if answer.code in (grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED):
        assert answer.reason
        assert not error_from_rpc(error).metadata
        for word in ("jwt", "signature", "Traceback", "kid", "EdDSA", "Invalid", "service:"):
            assert word not in (error.details() or "")


@asynccontextmanager
async def channels(addresses: Mapping[str, str], tls: Tls) -> AsyncIterator[Mapping[str, grpc.aio.Channel]]:
    """Open a channel to each address."""
    opened = {process: open_channel(address, tls=tls) for process, address in addresses.items()}
    try:
        yield opened
    finally:
        await asyncio.gather(*(channel.close() for channel in opened.values()))


def own_ports(locked: LockedShop) -> dict[str, str]:
    local = locked.local
    return {"catalog": local.catalog.address, "customer": local.customer.address, "order": local.order.address}


async def answers(addresses: Mapping[str, str], tls: Tls, authorization: str | None = None) -> dict[str, Answer]:
    """Call every method of the services at these addresses; return the answers by the methods' names."""
    async with channels(addresses, tls) as opened:
        return {
            name_of(path): await call(opened[process], path, method, authorization)
            for process, path, method in METHODS
            if process in addresses
        }


def test_every_method_is_somebody_s() -> None:
    names = [name_of(path) for _, path, _ in METHODS]
    assert len(names) == len(set(names))
    assert set(names) == set().union(*MAY.values())


@pytest.mark.parametrize("kind", REFUSED)
async def test_nobody_is_let_in_without_a_good_token(locked: LockedShop, kind: str) -> None:
    make, reason = REFUSED[kind]
    found = await answers(own_ports(locked), locked.tls, make(locked.certs))
    assert set(found.values()) == {Answer(grpc.StatusCode.UNAUTHENTICATED, reason)}


@pytest.mark.parametrize("role", ["customer", "clerk", "auditor", "admin"])
async def test_each_role_may_do_what_is_its_own_and_nothing_else(locked: LockedShop, role: str) -> None:
    token = make_token(locked.certs, role=role, subject=str(uuid4()))
    found = await answers(own_ports(locked), locked.tls, f"Bearer {token}")
    assert {name for name, answer in found.items() if answer.is_let_in} == MAY[role]
    refused = {answer for answer in found.values() if not answer.is_let_in}
    assert refused <= {Answer(grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")}


@pytest.mark.parametrize(("service", "called"), [("order", ("catalog", "customer")), ("customer", ("order",))])
async def test_a_service_s_certificate_may_do_what_the_service_needs(
    locked: LockedShop, service: str, called: tuple[str, ...]
) -> None:
    addresses = {neighbour: locked.mtls_address(neighbour) for neighbour in called}
    found = await answers(addresses, locked.tls_of(service))
    assert {name for name, answer in found.items() if answer.is_let_in} == MAY[f"service:{service}"]
    refused = {answer for answer in found.values() if not answer.is_let_in}
    assert refused == {Answer(grpc.StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")}


@pytest.mark.parametrize(
    ("service", "called"),
    [
        ("catalog", ("catalog", "customer", "order")),
        ("customer", ("catalog", "customer")),
        ("order", ("order",)),
        ("postgres", ("catalog", "customer", "order")),
    ],
)
async def test_other_certificates_of_the_ca_may_do_nothing(
    locked: LockedShop, service: str, called: tuple[str, ...]
) -> None:
    found = await answers({neighbour: locked.mtls_address(neighbour) for neighbour in called}, locked.tls_of(service))
    assert set(found.values()) == {Answer(grpc.StatusCode.UNAUTHENTICATED, "CERTIFICATE_UNKNOWN")}


async def test_a_certificate_of_another_ca_is_not_spoken_with(locked: LockedShop, tmp_path: Path) -> None:
    make_certs(tmp_path)
    stranger = Tls(ca=locked.certs / CA_FILE, certificate=tmp_path / "order.pem", key=tmp_path / "order.key")
    addresses = {service: locked.mtls_address(service) for service in ("catalog", "customer", "order")}
    found = await answers(addresses, stranger)
    assert {answer.code for answer in found.values()} == {grpc.StatusCode.UNAVAILABLE}
    # At the services' own ports nobody asks for it, and it counts for nothing.
    found = await answers(own_ports(locked), stranger)
    assert set(found.values()) == {Answer(grpc.StatusCode.UNAUTHENTICATED, UNKNOWN)}


async def test_a_service_s_certificate_counts_for_nothing_at_the_ports_for_people(locked: LockedShop) -> None:
    found = await answers(own_ports(locked), locked.tls_of("order"))
    assert set(found.values()) == {Answer(grpc.StatusCode.UNAUTHENTICATED, UNKNOWN)}
