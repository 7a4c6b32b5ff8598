"""Who may reach a service, and how much of it one caller may have."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, FilePath, model_validator

from service_runtime import lockdown
from service_runtime.base_settings import DocumentedSettings, SanList, Seconds
from service_runtime.rate_limit import RateLimit


class AccessSettings(DocumentedSettings):
    """Who may reach a service, and how it knows them. Without any of these it is open, and then it listens on loopback alone."""

    needed_outside: ClassVar[tuple[str, ...]] = lockdown.CALLED_BY_NEIGHBOURS

    bind_address: str = Field(default="127.0.0.1", min_length=1)
    """The address to listen on. Anything but this machine's loopback needs TLS and a caller policy."""
    allow_insecure: bool = False
    """Lets the service listen beyond loopback without TLS or a caller policy, with a warning at each start. For networks that are safe."""
    tls_cert_file: FilePath | None = None
    """The service's certificate with its chain, as PEM. Callers on its port are served by TLS then. It is read again when it changes."""
    tls_key_file: FilePath | None = None
    """The private key of TLS_CERT_FILE, as PEM without a password."""
    tls_ca_file: FilePath | None = None
    """The CA of the services' own certificates, as PEM: neighbours are believed if it has signed theirs, in both directions."""
    mtls_port: Annotated[int, Field(ge=1, le=65535)] | None = None
    """The port at which neighbours call, each with its certificate, beside the service's own port for everybody else."""
    service_sans: SanList | None = None
    """Who may call as a service: `order=spiffe://shop/order,order=order.internal`, each the URI or DNS name in its certificate."""
    token_issuer: str | None = None
    """Who signs the callers' tokens: their `iss` must be exactly this."""
    token_audience: str | None = None
    """Whom the tokens are meant for: their `aud` must name exactly this."""
    token_keys_file: FilePath | None = None
    """The issuer's public keys: a JWKS file, or one key as PEM whose id is TOKEN_KEY_ID. It is read again when it changes."""
    token_key_id: str = Field(default="default", min_length=1)
    """The `kid` that tokens must carry if TOKEN_KEYS_FILE is one key as PEM; a JWKS file names its keys itself."""
    token_cache_size_max: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    """Verified tokens that are remembered until they expire, in each worker, so that a signature is checked once and not at every call."""

    @model_validator(mode="after")
    def _is_locked_outside(self) -> Self:
        needed = self.needed_outside if self.is_reached_from_outside and not self.allow_insecure else ()
        missing = lockdown.missing(self.model_dump(), needed=needed)
        if not missing:
            return self
        names = ", ".join(missing)
        if needed:
            raise ValueError(
                f"BIND_ADDRESS={self.bind_address} can be reached from other machines, which needs TLS and a caller policy. "
                f"These are missing: {names}. ALLOW_INSECURE=true starts the service without them"
            )
        raise ValueError(f"others that are given need these, which are missing: {names}")

    @property
    def is_reached_from_outside(self) -> bool:
        """Whether other machines may reach the service."""
        return not lockdown.is_loopback(self.bind_address)

    @property
    def is_insecure_outside(self) -> bool:
        """Whether other machines may reach the service, which lacks something that would keep them out."""
        return self.is_reached_from_outside and bool(lockdown.missing(self.model_dump(), needed=self.needed_outside))

    @property
    def has_policy(self) -> bool:
        """Whether the service asks who is calling."""
        return bool(self.token_issuer or self.service_sans)


class FairnessSettings(AccessSettings):
    """What one caller or one connection may have of a service, so that something is left for the others.

    Some limits are on by themselves only where there is a caller policy: on one machine there is nobody to be fair to, and nothing of them
    is on a call's way. Set, they hold without a policy too; callers are told apart by their addresses then.
    """

    caller_calls_running_max: Annotated[int, Field(ge=0, le=100_000)] | None = None
    """Calls that one caller may have running at once, over all connections, in each worker; more are refused as TOO_MANY_CALLS. Services
    are not limited. 0 is no limit; unset, it is 250 with a caller policy, and none without."""
    connections_max: Annotated[int, Field(ge=1, le=1_000_000)] = 900
    """Connections that each port of a worker has at once; further ones are closed before they say anything. Each takes a file, of which
    Linux gives a process 1,024 unless told otherwise."""
    connection_streams_max: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """Calls that one connection may have running at once; further ones wait at their caller until one of them has ended, but some of those
    that a new connection begins with, before its caller has heard of the limit, fail as UNAVAILABLE. 0 is no limit; unset, it is 1,000 with
    a caller policy, and none without."""
    connection_age_max_s: Annotated[float, Field(ge=0, le=604_800)] | None = None
    """Seconds after which a connection, give or take a tenth, takes no new calls: callers connect anew, perhaps to another replica. 0 is
    never; unset, it is 3,600 with a caller policy, and never without."""
    connection_age_grace_s: Seconds = 300.0
    """Seconds that the calls of such a connection have to end; then they are cut off, watches and streams too."""
    connection_idle_max_s: Annotated[float, Field(ge=0, le=604_800)] | None = None
    """Seconds after which a connection without a call is closed; callers connect anew with their next call. 0 is never; unset, it is 900
    with a caller policy, and never without."""
    keepalive_interval_min_s: Annotated[float, Field(ge=0.001, le=3_600)] = 15.0
    """Seconds between two pings of a caller who asks whether a silent stream still lives; one who asks more often is cut off."""
    message_size_max_bytes: Annotated[int, Field(ge=1_024, le=64 * 1024 * 1024)] = 4 * 1024 * 1024
    """Bytes of the largest request that is read; a larger one is refused as RESOURCE_EXHAUSTED."""
    metadata_size_max_bytes: Annotated[int, Field(ge=10 * 1024, le=1024 * 1024)] = 16 * 1024
    """Bytes of a call's metadata, of which a token takes up to 8,192; a call with more is refused as RESOURCE_EXHAUSTED."""
    call_timeout_s: Seconds = 10.0
    """Seconds that a call of one answer may take whose caller gave no deadline; then it is answered DEADLINE_MISSING."""

    @property
    def calls_of_a_caller_max(self) -> int:
        """Calls that one caller may have running at once; 0 for as many as there are."""
        return int(self._or_usual(self.caller_calls_running_max, 250))

    @property
    def streams_of_a_connection_max(self) -> int:
        """Calls that one connection may have running at once; 0 for as many as there are."""
        return int(self._or_usual(self.connection_streams_max, 1_000))

    @property
    def connection_age_s(self) -> float:
        """Seconds after which a connection takes no new calls; 0 for never."""
        return self._or_usual(self.connection_age_max_s, 3_600)

    @property
    def connection_idle_s(self) -> float:
        """Seconds after which a connection without a call is closed; 0 for never."""
        return self._or_usual(self.connection_idle_max_s, 900)

    @property
    def tells_callers_apart(self) -> bool:
        """Whether anything is limited for each caller."""
        return self.calls_of_a_caller_max > 0

    def _or_usual(self, given: float | None, usual: float) -> float:
        """A limit as it was given; else the usual one where there is a policy, and none elsewhere."""
        if given is not None:
            return given
        return usual if self.has_policy else 0


class CreateSettings(FairnessSettings):
    """How much may be created in a time: orders, one by one, in batches and in streams, or customers.

    A batch is let in while anything is left of a share; what it takes beyond that is owed, and the next one waits for it.
    """

    caller_creates_max_per_s: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    """Creates a second of one caller in the long run, in each worker; more are refused as RATE_LIMITED. 0 is no limit; unset, it is 1,000
    with a caller policy, about half of what two cores sell by single calls, and none without."""
    caller_creates_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000
    """Creates at once of a caller who has created nothing for a while."""
    customer_creates_max_per_s: Annotated[float, Field(ge=0, le=1_000_000)] | None = None
    """The same for one customer, whoever creates for them. 0 is no limit; unset, it is 10 with a caller policy, more than a person buys,
    and none without."""
    customer_creates_burst: Annotated[int, Field(ge=1, le=1_000_000)] = 1_000
    """Creates at once for a customer for whom nothing was created for a while: one whole batch."""
    creates_remembered_max: Annotated[int, Field(ge=1, le=10_000_000)] = 100_000
    """Callers, and customers, whose shares are remembered, in each worker, at some 200 bytes each; beyond that whoever created longest ago
    has a full share again."""

    @property
    def caller_creates(self) -> RateLimit | None:
        """What a caller may create; None for as much as they like."""
        return self._limit(self.caller_creates_max_per_s, 1_000, self.caller_creates_burst)

    @property
    def customer_creates(self) -> RateLimit | None:
        """What may be created for a customer; None for as much as anybody likes."""
        return self._limit(self.customer_creates_max_per_s, 10, self.customer_creates_burst)

    @property
    def tells_callers_apart(self) -> bool:
        """Whether anything is limited for each caller."""
        return super().tells_callers_apart or self.caller_creates is not None

    def _limit(self, given: float | None, usual: float, burst: int) -> RateLimit | None:
        max_per_s = self._or_usual(given, usual)
        return RateLimit(max_per_s, burst) if max_per_s else None
