"""The customer service's settings, from the environment."""

from typing import Annotated, ClassVar

from pydantic import Field, FilePath, field_validator

from customer_service.documents import read_keys
from service_runtime import lockdown
from service_runtime.access_settings import CreateSettings
from service_runtime.base_settings import Address, Port, Seconds
from service_runtime.settings import DatabaseSettings, ServerSettings


class CustomerSettings(DatabaseSettings, CreateSettings, ServerSettings):
    """Where the service listens, and how much it answers at once. The defaults are the contract's."""

    needed_outside: ClassVar[tuple[str, ...]] = (*lockdown.CALLED_BY_NEIGHBOURS, "document_key_file")

    customer_port: Port = 50052
    """The port to listen on; 0 takes any that is free."""
    page_size_default: Annotated[int, Field(ge=1, le=100)] = 50
    """Customers on a page of a list whose caller gave no page_size."""
    page_size_max: Annotated[int, Field(ge=1, le=100)] = 100
    """Customers on a page at most, whatever its caller asked for."""
    batch_size_max: Annotated[int, Field(ge=1, le=1_000)] = 1_000
    """Ids in one BatchGetCustomers at most; more are INVALID_ARGUMENT."""

    document_key_file: FilePath | None = None
    """Holds the key of documents, 32 bytes as base64, and earlier ones on further lines. Without it a key is used that everybody knows."""
    sealing_interval_s: Seconds = 60.0
    """Seconds between two looks for documents that came past the service, by seeds, and are not encrypted yet."""

    order_addr: Address = "127.0.0.1:50053"
    """Where the order service answers, as host:port; it is asked when a customer is anonymized."""
    order_timeout_s: Seconds = 3.0
    """Seconds that such a question may take; after that AnonymizeCustomer answers ANONYMIZATION_PENDING, and it is asked again."""
    anonymization_interval_s: Seconds = 1.0
    """Seconds between two looks for anonymizations that have not reached the orders."""
    anonymization_lease_s: Seconds = 10.0
    """Seconds for which one is left to the process that has it; longer than ORDER_TIMEOUT_S. Each attempt doubles them."""
    anonymization_backoff_max_s: Seconds = 60.0
    """Seconds between two attempts at most, however long the order service is away."""

    @field_validator("document_key_file")
    @classmethod
    def _holds_keys(cls, path: FilePath | None) -> FilePath | None:
        try:
            read_keys(path)
        except OSError as error:
            raise ValueError(f"cannot be read: {type(error).__name__}") from None
        return path
